/**
 * A process that writes scripted rows with a file sink, from where the sink's checkpoints are up to the given row, in two lanes, and tells on stdout what is
 * durable: `durable 17` (all rows up to 17 of its partition), `claimed 3 17`, `stalled DISK_FULL`, `going`, `refused SINK_FENCED`, `done`. Dies where TIDINGS_FAILPOINTS says.
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTidingsError } from '../../../../src/core/errors.ts';
import { setFailpointHandler } from '../../../../src/core/failpoint.ts';
import { parseFailpoints } from '../../../../src/core/failpoint-spec.ts';
import type { FileSinkOptions } from '../../../../src/sinks/file/config.ts';
import { FileSink } from '../../../../src/sinks/file/file-sink.ts';
import { sinkBatch, sinkContext } from '../rows.ts';
import { PARTITIONS, rowBehind, scriptedRow } from './script.ts';

const [path = '', upTo = '0', options = '{}'] = process.argv.slice(2);
setFailpointHandler(
  parseFailpoints(process.env['TIDINGS_FAILPOINTS'] ?? '', { kill: () => process.kill(process.pid, 'SIGKILL') }),
);
/** At once: what was told must have been told when the process is killed. The pipe may be full for a while. */
function tell(text: string): void {
  for (let rest: Buffer = Buffer.from(`${text}\n`); rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

const sink = new FileSink({ path, ...(JSON.parse(options) as Partial<FileSinkOptions>) });
await sink.open(sinkContext());
const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
const checkpoints = await sink.claim(all);

/** As the runner does it: what may be cured is tried again with the same batch. */
async function write(rows: readonly number[], partition: number): Promise<void> {
  const scn = rows.at(-1) ?? 0;
  const batch = sinkBatch(rows.map(scriptedRow), [{ partition, serial: false, scn }], { lane: partition % 2 });
  for (let stalled = false; ;) {
    try {
      await sink.write(batch);
      if (stalled) tell('going');
      return;
    } catch (error) {
      if (!isTidingsError(error) || error.code !== 'DISK_FULL') throw error;
      if (!stalled) tell(`stalled ${error.code}`);
      stalled = true;
      await sleep(50);
    }
  }
}

async function lane(partitions: readonly number[]): Promise<void> {
  const next = new Map(
    partitions.map((partition) => {
      const done = checkpoints.find((one) => one.partition === partition && !one.serial);
      return [partition, rowBehind(partition, done?.scn ?? 0)];
    }),
  );
  for (let busy = true; busy;) {
    busy = false;
    for (const [partition, from] of next) {
      const rows = Array.from({ length: 1 + (from % 7) }, (_, i) => from + i * PARTITIONS).filter(
        (row) => row <= Number(upTo),
      );
      if (rows.length === 0) continue;
      busy = true;
      await write(rows, partition);
      const last = rows.at(-1) ?? 0;
      next.set(partition, last + PARTITIONS);
      tell(`durable ${last}`);
    }
  }
}

for (const { partition, scn } of checkpoints.filter(({ serial }) => !serial)) tell(`claimed ${partition} ${scn}`);
try {
  await Promise.all([0, 1].map((which) => lane(all.filter((partition) => partition % 2 === which))));
} catch (error) {
  tell(`refused ${isTidingsError(error) ? error.code : String(error)}`);
  await sink.close();
  process.exit(3);
}
await sink.close();
tell('done');
