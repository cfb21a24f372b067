import { type Logger, silentLogger } from '../../../src/core/logger.ts';
import { systemClock } from '../../../src/base/clock.ts';
import type { MysqlSinkOptions } from '../../../src/sinks/mysql/config.ts';
import { MysqlSink } from '../../../src/sinks/mysql/mysql-sink.ts';

export interface OpenOptions extends Partial<MysqlSinkOptions> {
  readonly name?: string;
  readonly order?: 'key' | 'transaction';
  readonly log?: Logger;
  /** @default [0, 1, 2, 3] */
  readonly partitions?: readonly number[];
}

/** A sink that is open and has claimed its partitions. */
export async function openMysqlSink(
  url: string,
  { name = 'test', order = 'key', log = silentLogger, partitions = [0, 1, 2, 3], ...options }: OpenOptions = {},
): Promise<MysqlSink & AsyncDisposable> {
  const sink = new MysqlSink({ url, ...options });
  await sink.open({
    name,
    stream: 'shop',
    order,
    lanes: 4,
    log,
    clock: systemClock,
    signal: new AbortController().signal,
  });
  await sink.claim(partitions);
  return Object.assign(sink, { [Symbol.asyncDispose]: () => sink.close() });
}
