import type { SinkRow, SinkTarget } from '../../../../src/core/sink.ts';
import { tableOf } from '../../../../src/testing/tables.ts';
import { COMMITTED_AT_US } from '../../changes.ts';
import { sinkRow } from '../rows.ts';

/** Row n is of the partition n % PARTITIONS, and n is its SCN and its key. The first is 1. */
export const PARTITIONS = 4;

/** The row of a partition behind the one with this SCN; 0: its first. */
export function rowBehind(partition: number, scn: number): number {
  if (scn > 0) return scn + PARTITIONS;
  return partition === 0 ? PARTITIONS : partition;
}

const targets: readonly SinkTarget[] = ['orders', 'tags'].map((name) => ({
  table: tableOf(`shop.${name}`, { id: { type: 'int', nullable: false }, note: { type: 'varchar', length: 200 } }, [
    'id',
  ]),
  options: {},
}));

const HOUR_US = 3_600_000_000;

export function scriptedRow(n: number): SinkRow {
  const target = targets[(n >> 3) % targets.length] as SinkTarget;
  return sinkRow(target, {
    kind: 'insert',
    scn: n,
    after: { id: n, note: `${n} `.repeat(1 + (n % 20)) },
    committedAtUs: COMMITTED_AT_US + Math.floor(n / 400) * 24 * HOUR_US,
  });
}
