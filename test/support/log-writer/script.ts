import type { Entry, TransactionPart } from '../../../src/core/source.ts';
import { plainRowBatch } from '../../../src/core/plain-rows.ts';
import { type Item, positionOf, TABLES } from '../log-harness.ts';
import type { TableSchema } from '../../../src/core/table-schema.ts';

/** Rows of transaction `n`, which is always the same: most are small, some are larger than a batch. */
function rowsOf(n: number): { id: number; text: string }[] {
  const count = n % 20 === 19 ? 40 : 1 + (n % 3);
  const length = n % 20 === 19 ? 9000 : 50 + (n % 7) * 100;
  return Array.from({ length: count }, (_, i) => ({ id: n * 1000 + i, text: 'x'.repeat(length) }));
}

/** What a reader must get of the transactions 1 to `count`. */
export function scriptedItems(count: number): Item[] {
  return Array.from({ length: count }, (_, i) => i + 1).flatMap((n) =>
    rowsOf(n).map(({ id, text }) => `insert ${tableOf(n).name} ${id} ${text.length}`),
  );
}

/** Transaction `n`, the position behind which is `p<n>`. Large ones come in parts. */
export function scriptedParts(n: number): TransactionPart[] {
  const rows = rowsOf(n);
  const pieces = rows.length > 10 ? [rows.slice(0, 15), rows.slice(15, 33), rows.slice(33)] : [rows];
  const transaction = {
    id: `t${n}`,
    committedAtUs: 1_700_000_000_000_000 + n,
    serverId: 1,
    start: positionOf(n - 1),
  };
  return pieces.map((piece, i) => {
    const entries: Entry[] = [plainRowBatch({ table: tableOf(n), kind: 'insert', rows: piece })];
    const isLast = i === pieces.length - 1;
    return { transaction, begins: i === 0, restarted: false, entries, end: isLast ? positionOf(n) : null };
  });
}

function tableOf(n: number): TableSchema {
  return TABLES[n % TABLES.length] as TableSchema;
}
