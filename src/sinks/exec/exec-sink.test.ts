import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sinkBatch, sinkContext, sinkRow } from '../../../test/support/sinks/rows.ts';
import { RowsRefused, type SinkRow, type SinkTarget } from '../../core/sink.ts';
import { tableOf } from '../../testing/tables.ts';
import type { ExecSinkOptions } from './config.ts';
import { ExecSink } from './exec-sink.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidings-exec-sink-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const orders: SinkTarget = { table: tableOf('shop.orders', { id: 'int', document: 'json' }, ['id']), options: {} };
const insert = (scn: number): SinkRow => sinkRow(orders, { kind: 'insert', scn, after: { id: scn } });
const at = (scn: number): { partition: number; serial: boolean; scn: number } => ({ partition: 0, serial: false, scn });

/** Keeps every line in a file of its process, and acknowledges with the number of a progress line. */
const KEEPER = `while read -r line; do
  echo "$line" >> lines.$$
  case "$line" in *progress*) scn=\${line##*:}; echo "ack \${scn%\\}}";; esac
done`;

async function opened(
  command: string,
  options: Partial<ExecSinkOptions> = {},
  stop = new AbortController(),
): Promise<ExecSink> {
  const sink = new ExecSink({ command: `cd ${folder}\n${command}`, ...options });
  await sink.open(sinkContext({ signal: stop.signal }));
  await sink.prepare(orders);
  return sink;
}

async function kept(): Promise<string[]> {
  const { readdir } = await import('node:fs/promises');
  const names = (await readdir(folder)).filter((name) => name.startsWith('lines.'));
  return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).flatMap((text) =>
    text.trimEnd().split('\n'),
  );
}

test('a command gets the lines of a batch and acknowledges them, and each lane has a process of its own', async () => {
  const sink = await opened(KEEPER);
  await Promise.all([
    sink.write(sinkBatch([insert(1), insert(2)], [at(5)], { lane: 0 })),
    sink.write(sinkBatch([insert(3)], [at(3)], { lane: 1 })),
  ]);
  await sink.write(sinkBatch([insert(4)], [at(4)], { lane: 1 }));
  await sink.truncate(orders, [at(6)]);
  await sink.close();
  const lines = (await kept()).map((line) => JSON.parse(line) as { op: string; scn: number });
  const told = lines.map(({ op, scn }) => `${op} ${scn}`);
  expect(told.toSorted()).toEqual(
    [
      'insert 1',
      'insert 2',
      'insert 3',
      'insert 4',
      'progress 3',
      'progress 4',
      'progress 5',
      'progress 6',
      'truncate 6',
    ].toSorted(),
  );
  // Lanes 0, 1, and the serial one.
  const { readdir } = await import('node:fs/promises');
  expect((await readdir(folder)).length).toBe(3);
});

test('a command that ends before it acknowledges is told with exit code and stderr, and starts again with the next attempt', async () => {
  const sink = await opened(
    `if [ ! -e second ]; then touch second; read -r line; echo 'no such index' >&2; exit 7; fi\n${KEEPER}`,
  );
  const batch = sinkBatch([insert(1)], [at(1)]);
  await expect(sink.write(batch)).rejects.toMatchObject({
    code: 'COMMAND_FAILED',
    retry: 'backoff',
    message: 'the command ended with exit code 7 before it had acknowledged its batch',
    hint: expect.stringContaining('no such index'),
    details: { code: 7 },
  });
  await sink.write(batch);
  await sink.close();
  expect((await kept()).length).toBe(2);
});

test('a command that cannot be run stops the sink', async () => {
  const sink = await opened('tidings-no-such-command');
  await expect(sink.write(sinkBatch([insert(1)], [at(1)]))).rejects.toMatchObject({
    code: 'COMMAND_FAILED',
    retry: 'operator',
  });
  await sink.close();
});

test('an acknowledgement of something that was never sent stops the sink', async () => {
  const sink = await opened('read -r line; echo ack 99; read -r line; read -r line');
  await expect(sink.write(sinkBatch([insert(1)], [at(1)]))).rejects.toMatchObject({
    code: 'COMMAND_FAILED',
    retry: 'operator',
  });
  await sink.close();
});

test('an acknowledgement that comes again does not stand for a later batch with lower SCNs', async () => {
  const sink = await opened(
    `read -r a; read -r b; echo ack 9; read -r c; echo ack 9; read -r d; sleep 0.2; touch waited; echo ack 4; read -r e`,
  );
  await sink.write(sinkBatch([insert(9)], [at(9)]));
  await sink.write(sinkBatch([insert(4)], [at(4)]));
  expect(await readFile(join(folder, 'waited'), 'utf8')).toBe('');
  await sink.close();
});

test('a row that has no exact form is refused, and the command gets nothing of the batch', async () => {
  const sink = await opened(KEEPER, { lines: 'rows' });
  const bad = sinkRow(orders, { kind: 'insert', scn: 2, after: { id: 2, document: 'no document' } });
  const error = await sink.write(sinkBatch([insert(1), bad], [at(2)])).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(RowsRefused);
  expect((error as RowsRefused).rows.map(({ index }) => index)).toEqual([1]);
  await sink.close();
  expect(await kept()).toEqual([]);
});

test('a command that does not finish when it is told to stop is ended, and its batch is not done', async () => {
  const stop = new AbortController();
  const sink = await opened(
    `echo $$ > pid; read -r line; touch there; trap '' TERM; while true; do sleep 0.05; done`,
    { graceMs: 100 },
    stop,
  );
  const written = sink.write(sinkBatch([insert(1)], [at(1)])).catch((reason: unknown) => reason);
  await expect.poll(() => readFile(join(folder, 'there'), 'utf8').catch(() => null), { timeout: 10_000 }).toBe('');
  stop.abort();
  expect(await written).toMatchObject({ code: 'COMMAND_FAILED', retry: 'backoff' });
  await sink.close();
  const pid = Number(await readFile(join(folder, 'pid'), 'utf8'));
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});
