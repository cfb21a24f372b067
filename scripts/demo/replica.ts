import type { Row } from '../../src/core/change.ts';
import type { HandedChange, HandedEntry } from './handed.ts';

/** What the changes of one table have made of it. */
export interface ReplicaTable {
  /** By primary key; `keyText` makes the key. */
  readonly rows: Map<string, Row>;
  /** Keys that a snapshot has brought a row of. */
  snapshotRows: number;
  /** Rows of a snapshot whose key it had brought before: chunks that were read again. */
  reread: number;
  /** Rows of a snapshot that were not what the changes before them had left: older, newer, or back from the dead. */
  unfit: number;
  /** That had an effect: each of them once. */
  changes: number;
  /** That came once more, and changed nothing; with the rows that were read again. */
  again: number;
  /** Changes that did not fit the row as it stood: one before them must have been lost, or is in the stream twice. */
  misfits: number;
  /** Changes that came first after a later one of the same key. */
  late: number;
  /** SCNs of the changes of rows that nothing had brought: right as long as the snapshot had not come to them. */
  readonly overtaking: number[];
}

/** `again`: it was there before; `late`: it was not, but a later one of its key was. */
export type Arrival = 'new' | 'again' | 'late';

interface TableState extends ReplicaTable {
  /** The SCNs of each key's changes so far; the last one is the highest. Deleted rows have theirs, too. */
  readonly scns: Map<string, number[]>;
  /** Keys that a snapshot has brought. */
  readonly read: Set<string>;
  truncatedAt: number;
}

/**
 * Rows as they follow from a snapshot's rows and changes alone. It never asks the database for any.
 *
 * A key may come first by a change, when that was faster than the snapshot, which then has the same row or none for it; or by the
 * snapshot.
 *
 * Changes of one key come in their order, those of different keys in any; after a crash some come once more. A change at or before the
 * last SCN of its key has therefore no effect: that is all it takes to apply at-least-once deliveries exactly once.
 */
export class Replica {
  readonly #tables: Map<string, TableState> = new Map();
  readonly #schemaChanges = new Set<number>();
  changes = 0;
  again = 0;
  snapshotRows = 0;
  reread = 0;
  /** Changes of rows that the snapshot had not come to. */
  overtaking = 0;
  /** Halves of updates that moved a row's key: two for each. */
  halves = 0;

  /** Every member of a group gets every one of them: each counts once. */
  get schemaChanges(): number {
    return this.#schemaChanges.size;
  }

  apply(entry: HandedEntry): Arrival {
    if (entry.type === 'change') return this.#applyChange(entry);
    if (entry.type === 'schema') {
      if (this.#schemaChanges.has(entry.scn)) return 'again';
      this.#schemaChanges.add(entry.scn);
      return 'new';
    }
    return this.#truncate(this.#state(entry.table), entry.scn);
  }

  table(name: string): ReplicaTable {
    return this.#state(name);
  }

  #state(name: string): TableState {
    let table = this.#tables.get(name);
    if (table === undefined) {
      const counters = { snapshotRows: 0, reread: 0, unfit: 0, changes: 0, again: 0, misfits: 0, late: 0 };
      table = { ...counters, rows: new Map(), overtaking: [], scns: new Map(), read: new Set(), truncatedAt: 0 };
      this.#tables.set(name, table);
    }
    return table;
  }

  #applyChange(change: HandedChange): Arrival {
    const { scn, table: name, key, before, after, moved } = change;
    const table = this.#state(name);
    const at = keyText(key, Object.keys(key));
    let scns = table.scns.get(at);
    if (scns === undefined) {
      scns = [];
      table.scns.set(at, scns);
    }
    if (scn <= (scns.at(-1) ?? 0)) {
      if (scns.includes(scn)) {
        table.again++;
        this.again++;
        return 'again';
      }
      table.late++;
      return 'late';
    }
    const isHeardOf = scns.length > 0;
    scns.push(scn);
    if (change.snapshot) return this.#applyRow(change, { table, at, isHeardOf });
    table.changes++;
    this.changes++;
    if (moved) this.halves++;
    // Of another partition than the one that the truncation has come with: its effect is gone already.
    if (scn < table.truncatedAt) return 'new';
    const row = table.rows.get(at);
    if (before !== null && !isHeardOf) {
      table.overtaking.push(scn);
      this.overtaking++;
    } else if (before === null ? row !== undefined : !isRow(before, row)) table.misfits++;
    if (after === null) table.rows.delete(at);
    else table.rows.set(at, after);
    return 'new';
  }

  /** Of a key that was heard of it must say what is known already: its value is that of its place in the stream. */
  #applyRow(
    { scn, after }: HandedChange,
    { table, at, isHeardOf }: { readonly table: TableState; readonly at: string; readonly isHeardOf: boolean },
  ): Arrival {
    if (after === null || (isHeardOf && !isRow(after, table.rows.get(at)))) table.unfit++;
    if (after !== null && scn > table.truncatedAt) table.rows.set(at, after);
    if (table.read.has(at)) {
      table.reread++;
      table.again++;
      this.reread++;
      this.again++;
      return 'again';
    }
    table.read.add(at);
    table.snapshotRows++;
    this.snapshotRows++;
    return 'new';
  }

  /** Each member gets it between the changes of its own partitions: keys of others may be further by now, or not yet there. */
  #truncate(table: TableState, scn: number): Arrival {
    if (scn <= table.truncatedAt) return 'again';
    table.truncatedAt = scn;
    for (const at of table.rows.keys()) {
      if ((table.scns.get(at)?.at(-1) ?? 0) < scn) table.rows.delete(at);
    }
    return 'new';
  }
}

/** Whether a change's row before it, or a snapshot's row, is the row as it was left so far; a column that is newer than the row is NULL. */
function isRow(before: Row, row: Row | undefined): boolean {
  return row !== undefined && Object.entries(before).every(([column, value]) => value === (row[column] ?? null));
}

/** The same text for the same key, from a change and from SELECT. The shop's keys are numbers and texts. */
export function keyText(row: Row, key: readonly string[]): string {
  return JSON.stringify(key.map((column) => row[column]));
}
