import type { Row } from '../../src/core/change.ts';
import type { ChangeBatch, RowBatch } from '../../src/core/source.ts';

/** What the changes of one table have made of it. */
export interface ReplicaTable {
  /** By primary key; `keyText` makes the key. */
  readonly rows: Map<string, Row>;
  changes: number;
  /** Changes that did not fit the rows as they stood: a change before them must have been lost, or came twice. */
  misfits: number;
}

/** Rows as they follow from changes alone. It never asks the database for any. */
export class Replica {
  readonly tables: Map<string, ReplicaTable> = new Map();
  changes = 0;
  transactions = 0;
  schemaChanges = 0;

  apply(batch: ChangeBatch): void {
    for (const part of batch.parts) {
      for (const entry of part.entries) {
        if (entry.type === 'rows') this.#applyRows(entry);
        else if (entry.type === 'schema') this.schemaChanges++;
        else this.table(entry.table).rows.clear();
      }
      if (part.end !== null) this.transactions++;
    }
  }

  table(name: string): ReplicaTable {
    let table = this.tables.get(name);
    if (table === undefined) {
      table = { rows: new Map(), changes: 0, misfits: 0 };
      this.tables.set(name, table);
    }
    return table;
  }

  #applyRows(batch: RowBatch): void {
    const table = this.table(batch.table.name);
    const key = batch.table.key.map((index) => batch.table.columns[index]?.name ?? '');
    for (const { before, after } of batch.changes()) {
      const old = before === null ? null : keyText(before, key);
      const now = after === null ? null : keyText(after, key);
      if (before !== null && old !== null) {
        if (!isRow(before, table.rows.get(old))) table.misfits++;
        table.rows.delete(old);
      }
      if (now !== null && after !== null) {
        if (table.rows.has(now)) table.misfits++;
        table.rows.set(now, after);
      }
      table.changes++;
      this.changes++;
    }
  }
}

/** Whether a change's row before it is the row as the changes so far have left it; a column that is newer than the row is NULL. */
function isRow(before: Row, row: Row | undefined): boolean {
  return row !== undefined && Object.entries(before).every(([column, value]) => value === (row[column] ?? null));
}

/** The same text for the same key, from a change and from SELECT. The shop's keys are numbers and texts. */
export function keyText(row: Row, key: readonly string[]): string {
  return JSON.stringify(key.map((column) => row[column]));
}
