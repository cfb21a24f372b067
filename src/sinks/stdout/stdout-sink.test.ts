import { expect, test } from 'vitest';
import { sinkBatch, sinkContext, sinkRow } from '../../../test/support/sinks/rows.ts';
import type { SinkTarget } from '../../core/sink.ts';
import { tableOf } from '../../testing/tables.ts';
import { StdoutSink } from './stdout-sink.ts';

const orders: SinkTarget = { table: tableOf('shop.orders', { id: 'int' }, ['id']), options: {} };

test('prints the lines of batches one batch after the other, and is done when the reader has taken them', async () => {
  const printed: string[] = [];
  let writing = 0;
  const sink = new StdoutSink({
    lines: 'rows',
    write: async (text) => {
      expect(++writing).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      printed.push(text);
      writing--;
    },
  });
  await sink.open(sinkContext());
  await sink.prepare(orders);
  await Promise.all(
    [1, 2].map(async (scn) => {
      await sink.write(sinkBatch([sinkRow(orders, { kind: 'insert', scn, after: { id: scn } })], [], { lane: scn }));
      expect(printed.join('')).toContain(`"_scn":${scn},`);
    }),
  );
  await sink.truncate(orders, [{ partition: 0, serial: false, scn: 3 }]);
  await sink.close();
  const head = (op: string, scn: number): string =>
    `{"_op":"${op}","_scn":${scn},"_time":"2026-11-20T09:15:02.123456Z"`;
  expect(printed.slice(0, 2)).toEqual([
    `${head('insert', 1)},"_database":"shop","_table":"orders","id":1}\n`,
    `${head('insert', 2)},"_database":"shop","_table":"orders","id":2}\n`,
  ]);
  expect(printed[2]).toMatch(/^\{"_op":"truncate","_scn":3,.*"_table":"orders"\}\n$/);
});

test('a reader that has gone is told to the runner', async () => {
  const sink = new StdoutSink({ write: () => Promise.reject(new Error('nobody reads')) });
  await sink.open(sinkContext());
  const row = sinkRow(orders, { kind: 'insert', scn: 1, after: { id: 1 } });
  await expect(sink.write(sinkBatch([row], []))).rejects.toThrow('nobody reads');
  await sink.close();
});
