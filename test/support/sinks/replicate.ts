import type { Row } from '../../../src/core/change.ts';
import { RowsRefused, type Sink, type SinkRow, type SinkTarget } from '../../../src/core/sink.ts';
import type { Entry } from '../../../src/core/source.ts';
import type { TableSchema } from '../../../src/core/table-schema.ts';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import type { MysqlSourceOptions } from '../../../src/sources/mysql/config.ts';

export interface Replicated {
  readonly rows: number;
  /** Why rows were refused, by their table. */
  readonly refused: readonly { readonly table: string; readonly reason: string; readonly row: SinkRow }[];
}

/** Where rows of a source's table go; null for nowhere. The same object for the same definition. */
export type TargetOf = (table: TableSchema) => SinkTarget | null;

/** Passes what a source has up to now on to a sink, transaction by transaction in one lane, leaving out the rows that are refused. */
export async function replicate(
  options: MysqlSourceOptions,
  sink: Sink,
  { targetOf = sameTarget(), partition = 0 }: { readonly targetOf?: TargetOf; readonly partition?: number } = {},
): Promise<Replicated> {
  const prepared = new Set<SinkTarget>();
  const refused: Replicated['refused'][number][] = [];
  let scn = 0;
  let rows = 0;
  const source = new MysqlSource({ until: 'now', ...options });
  const rowsOf = (entry: Entry): SinkRow[] => {
    if (entry.type !== 'rows') return [];
    return entry.changes().flatMap((change) => {
      const target = targetOf(change.table);
      if (target === null) return [];
      const { kind, key, before, after } = change;
      const own = { ...change, scn: ++scn, partition, committedAtUs: 0 };
      return { target, kind, key: keyOf(target, key, { before, after }), before, after, scn, change: own };
    });
  };
  for await (const { parts } of source.batches()) {
    for (const part of parts) {
      let batch = part.entries.flatMap(rowsOf);
      rows += batch.length;
      for (const { target } of batch) {
        if (!prepared.has(target)) await sink.prepare(target);
        prepared.add(target);
      }
      const checkpoints = part.end === null || scn === 0 ? [] : [{ partition, serial: false, scn }];
      for (let written = false; !written;) {
        try {
          await sink.write({ lane: 0, rows: batch, checkpoints, endsTransaction: part.end !== null });
          written = true;
        } catch (error) {
          if (!(error instanceof RowsRefused)) throw error;
          const wrong = new Set(error.rows.map(({ index }) => index));
          for (const { index, error: reason } of error.rows) {
            const row = batch[index] as SinkRow;
            refused.push({ table: row.target.table.name, reason: reason.message, row });
          }
          batch = batch.filter((_row, index) => !wrong.has(index));
        }
      }
    }
  }
  return { rows, refused };
}

function sameTarget(): TargetOf {
  const targets = new WeakMap<TableSchema, SinkTarget>();
  return (table) => {
    const known = targets.get(table) ?? { table, options: {} };
    targets.set(table, known);
    return known;
  };
}

/** The key's values by the target's names. */
function keyOf(
  target: SinkTarget,
  key: Row | null,
  { before, after }: { before: Row | null; after: Row | null },
): Row | null {
  if (key === null || target.table.key.length === 0) return null;
  return Object.fromEntries(
    target.table.key.map((i) => {
      const name = target.table.columns[i]?.name ?? '';
      return [name, key[name] ?? after?.[name] ?? before?.[name] ?? null];
    }),
  );
}
