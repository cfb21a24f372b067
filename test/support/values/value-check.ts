import { isDeepStrictEqual } from 'node:util';
import type { Row, Value } from '../../../src/core/change.ts';
import type { RowBatch } from '../../../src/core/source.ts';
import { wrongRows } from '../rows/check-rows.ts';
import { RowBuffer, type WrittenRow } from '../rows/row-buffer.ts';
import type { ServerFacts } from './column-spec.ts';
import type { SnapshotLeg } from './snapshot-leg.ts';
import { described, type ExpectedChange, type ShownRow } from './value-load.ts';

const DIFFERENCES_MAX = 20;

/** Compares what a stream yields with what it must yield, in order. */
export class ValueCheck {
  /** What is wrong, with all that is needed to see why. */
  readonly differences: string[] = [];
  rows = 0;
  values = 0;
  /** Columns that their image left out. */
  absent = 0;
  readonly #expected: readonly ExpectedChange[];
  readonly #facts: ServerFacts;
  readonly #json: 'text' | 'parsed';
  readonly #snapshot: SnapshotLeg;

  constructor(
    expected: readonly ExpectedChange[],
    {
      json,
      snapshot,
      facts,
    }: { readonly json: 'text' | 'parsed'; readonly snapshot: SnapshotLeg; readonly facts: ServerFacts },
  ) {
    this.#expected = expected;
    this.#facts = facts;
    this.#json = json;
    this.#snapshot = snapshot;
  }

  get complete(): boolean {
    return this.rows === this.#expected.length;
  }

  /** The next change that was not seen. */
  get next(): ExpectedChange | undefined {
    return this.#expected[this.rows];
  }

  take(batch: RowBatch): void {
    const { count, before, after } = batch.rows();
    const keys = batch.keys();
    const changes = batch.changes();
    // What the relay's log would hold of them.
    for (const problem of wrongRows(batch, this.#json)) this.#differ(batch, problem);
    const written = batch.kind === 'insert' ? writtenRows(batch) : [];
    if (changes.length !== count) this.#differ(batch, `changes() has ${changes.length} changes, rows() ${count} rows`);
    for (let i = 0; i < count; i++) {
      const expected = this.#expected[this.rows++];
      if (expected === undefined) {
        this.#differ(batch, `a ${batch.kind} too many`);
        continue;
      }
      const table = expected.table.name;
      if (batch.table.name !== table || batch.kind !== expected.kind) {
        this.#differ(batch, `row ${this.rows} is a ${batch.kind}, expected is a ${expected.kind} of ${table}`);
        continue;
      }
      const change = changes[i];
      if (
        !isDeepStrictEqual(change?.before, before?.[i] ?? null) ||
        !isDeepStrictEqual(change?.after, after?.[i] ?? null)
      ) {
        this.#differ(batch, 'rows() and changes() differ');
      }
      this.#image(batch, { name: 'before', expected, shown: expected.before, row: before?.[i] ?? null });
      this.#image(batch, { name: 'after', expected, shown: expected.after, row: after?.[i] ?? null });
      const row = written[i];
      if (row !== undefined && expected.after !== null) {
        this.#snapshot.compare(batch, i, { written: row, shown: expected.after });
      }
      this.#key(batch, expected, { key: keys?.[i] ?? null, row: change?.key ?? null });
    }
  }

  #image(
    batch: RowBatch,
    {
      name,
      expected,
      shown,
      row,
    }: { name: 'before' | 'after'; expected: ExpectedChange; shown: ShownRow | null; row: Row | null },
  ): void {
    if (shown === null || row === null) {
      if (shown !== row) this.#differ(batch, `${name} is ${row === null ? 'missing' : 'there'}`);
      return;
    }
    for (const column of Object.keys(row)) {
      if (!shown.has(column)) this.#differ(batch, `${name} has a column ${column}`);
    }
    for (const [column, value] of shown) {
      if (!Object.hasOwn(row, column)) {
        this.absent++;
        if (mustBeLogged(expected, { name, column, facts: this.#facts })) {
          this.#differ(batch, `${name}.${column} is absent`, { expected, column });
        }
        continue;
      }
      this.values++;
      if (this.#same(row[column], value, batch, column)) continue;
      this.#differ(
        batch,
        `${name}.${column} (${expected.image}) is ${described(row[column])}, SELECT shows ${described(value)}`,
        { expected, column },
      );
    }
  }

  #key(
    batch: RowBatch,
    expected: ExpectedChange,
    { key, row }: { key: Value | readonly Value[] | null; row: Row | null },
  ): void {
    const { key: names } = expected.table;
    const shown = expected.after ?? expected.before;
    if (names.length === 0) {
      if (key !== null || row !== null) this.#differ(batch, 'there is a key');
      return;
    }
    const values = names.length === 1 ? [key as Value] : ((key ?? []) as readonly Value[]);
    for (const [i, name] of names.entries()) {
      const value = shown?.get(name) as Value;
      if (!this.#same(values[i], value, batch, name)) {
        this.#differ(batch, `key ${name} is ${described(values[i])}, SELECT shows ${described(value)}`, {
          expected,
          column: name,
        });
      }
    }
    const pairs = Object.fromEntries(names.map((name, i) => [name, values[i]]));
    if (row === null || !isDeepStrictEqual(Object.entries(row), Object.entries(pairs))) {
      this.#differ(batch, 'change.key is not the key');
    }
  }

  #same(actual: Value | undefined, shown: Value, batch: RowBatch, name: string): boolean {
    if (
      this.#json === 'parsed' &&
      typeof shown === 'string' &&
      batch.table.columns.some((column) => column.name === name && column.type === 'json')
    ) {
      return isDeepStrictEqual(actual, JSON.parse(shown));
    }
    if (shown instanceof Uint8Array || shown instanceof Float32Array) return isDeepStrictEqual(actual, shown);
    return Object.is(actual, shown);
  }

  #differ(batch: RowBatch, message: string, where?: { expected: ExpectedChange; column: string }): void {
    if (this.differences.length >= DIFFERENCES_MAX) return;
    const definition = where?.expected.table.columns
      .find(({ name }) => name === where.column)
      ?.definition.slice(0, 200);
    this.differences.push(
      `${batch.table.name} ${batch.kind}, row ${this.rows}: ${message}${definition === undefined ? '' : ` [${definition}]`}`,
    );
  }
}

function writtenRows(batch: RowBatch): readonly WrittenRow[] {
  const target = new RowBuffer();
  batch.writeTo(target);
  return target.finish();
}

/** What an image can never leave out, whatever the server's reasons to leave out other columns. */
function mustBeLogged(
  { table, kind, image, before, after }: ExpectedChange,
  { name, column, facts }: { name: 'before' | 'after'; column: string; facts: ServerFacts },
): boolean {
  const found = table.columns.find((each) => each.name === column);
  if (found?.generated !== null && kind !== 'insert' && leavesOutComputed(facts)) return false;
  if (image === 'FULL' || (image === 'FULL_NODUP' && (name === 'before' || kind !== 'update'))) return true;
  const changed = kind === 'update' && !isDeepStrictEqual(before?.get(column), after?.get(column));
  if (name === 'after' && changed && found?.generated === null) return true;
  if (image === 'NOBLOB') return found?.type.blob !== true;
  return name === 'before' && table.key.includes(column);
}

/** MariaDB 11.8 logs what is computed where a row is inserted, and nowhere else. */
function leavesOutComputed({ flavour, version }: ServerFacts): boolean {
  return flavour === 'mariadb' && version >= 110_800;
}
