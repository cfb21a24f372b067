import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomRows } from '../../../test/support/random-rows.ts';
import { viewOf } from '../../../test/support/row-target.ts';
import { type BatchSketch, storedBatch } from '../../../test/support/stored-batches.ts';
import type { Change, Row, Value } from '../../core/change.ts';
import { isTidingsError } from '../../core/errors.ts';
import { plainRowBatch } from '../../core/plain-rows.ts';
import { finish, mixValue, tableHash, tableSeed } from '../../core/rows/key-hash.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import type { Entry, RowBatch } from '../../core/source.ts';
import type { Column, TableSchema } from '../../core/table-schema.ts';
import { BatchFilter, type FilterOptions } from './batch-filter.ts';
import { batchLength } from './batch-header.ts';
import { FLAG, ROW_OP } from './batch-layout.ts';
import { type LogEntry, readBatch } from './batch-reader.ts';
import { controlLength, decodeControl, isControl } from './control-frame.ts';
import { FilterOutput } from './filter-output.ts';
import { ShapeRegistry } from './shape-registry.ts';

/** A second or two each on a machine that has nothing else to do. */
const TIMEOUT_MS = 120_000;
const PARTITIONS = 8;
/** No row has several of it in a row. */
const MARK = 0xab;
const FIRST_SCN = 1_700_000_000_000_000;

/** An entry as a consumer sees it, for comparing: `__proto__` and all. */
type Seen = Record<string, unknown>;

function rowOf(row: Row | null): unknown {
  return row === null ? null : Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function seen(transaction: string | null, change: Change | Exclude<LogEntry, { type: 'rows' }>): Seen {
  if ('type' in change) return { transaction, ...change };
  const { kind, table, scn, key, before, after, statement, moved, partition } = change;
  const rows = { key: rowOf(key), before: rowOf(before), after: rowOf(after) };
  return { transaction, kind, table: `${table.database}.${table.name}`, scn, ...rows, statement, moved, partition };
}

/** What a receiver makes of the frames. */
function received(output: FilterOutput, registry = new ShapeRegistry({ json: 'text' })): Seen[] {
  const bytes = Buffer.from(output.bytes.subarray(0, output.at));
  const view = viewOf(bytes);
  const entries: Seen[] = [];
  for (let at = 0; at < bytes.length;) {
    if (isControl(view, at)) {
      const frame = decodeControl(bytes, view, at);
      if (frame?.kind === 'shapes') for (const text of frame.shapes) registry.learn(text);
      at += controlLength(view, at);
      continue;
    }
    const batch = readBatch(bytes, view, at, registry, { partitions: PARTITIONS });
    for (const part of batch.parts) {
      for (const entry of part.entries) {
        const { id } = part.transaction;
        if (entry.type === 'rows') entries.push(...entry.changes().map((change) => seen(id, change)));
        else entries.push(seen(id, entry));
      }
    }
    at += batchLength(view, at);
  }
  return entries;
}

interface Wish extends FilterOptions {
  readonly partitions: readonly number[] | null;
  readonly after: number;
  readonly afterOf: readonly number[] | null;
}

/** The same choice on objects, said in other words. */
function expected({ transactions, firstScn }: BatchSketch, wish: Wish): Seen[] {
  const result: Seen[] = [];
  let scn = firstScn - 1;
  for (const { id = null, entries } of transactions) {
    for (const entry of entries) {
      if (entry.type !== 'rows') {
        scn += 1;
        const isWanted = scn > wish.after && wantsName(wish, entry.database, entry.table);
        if (isWanted) result.push({ transaction: id, ...entry, scn });
        continue;
      }
      const { table } = entry;
      for (const change of entry.changes()) {
        scn += 1;
        if (scn <= wish.after || !wantsName(wish, table.database, table.name)) continue;
        if (wish.ops !== undefined && !wish.ops.includes(change.kind)) continue;
        if (!passesWhere(wish, change)) continue;
        for (const piece of split({ ...change, scn }, wish)) result.push(seen(id, piece));
      }
    }
  }
  return result;
}

function wantsName({ tables }: Wish, database: string, table: string | null): boolean {
  if (tables === undefined || tables.length === 0) return true;
  return tables.some(
    (pattern) =>
      pattern === '*.*' ||
      (pattern.startsWith(`${database}.`) &&
        (table === null || pattern === `${database}.${table}` || pattern === `${database}.*`)),
  );
}

function columnsOf({ columns = {} }: Wish, { database, name }: TableSchema): readonly string[] | null {
  return columns[`${database}.${name}`] ?? null;
}

/** All conditions here are `column is [not] null`. */
function passesWhere({ where = {} }: Wish, { table, before, after }: Change): boolean {
  const condition = where[`${table.database}.${table.name}`];
  if (condition === undefined) return true;
  const [, quoted = '', not] = /^`((?:[^`]|``)*)` is (not )?null$/su.exec(condition) ?? [];
  const name = quoted.replaceAll('``', '`');
  const holds = (value: Value | undefined): boolean => value === undefined || (value === null) === (not === undefined);
  const inBefore = before === null ? undefined : own(before, name);
  if (before !== null && holds(inBefore)) return true;
  if (after === null) return false;
  const inAfter = own(after, name);
  return holds(inAfter === undefined ? inBefore : inAfter);
}

function own(row: Row, name: string): Value | undefined {
  return Object.hasOwn(row, name) ? row[name] : undefined;
}

function hashOf(table: TableSchema, first: Row | null, second: Row | null): number {
  if (table.key.length === 0) return tableHash(table);
  let h = tableSeed(table);
  for (const index of table.key) {
    const column = table.columns[index] as Column;
    const value =
      (first === null ? undefined : own(first, column.name)) ??
      (second === null ? null : own(second, column.name)) ??
      null;
    h = mixValue(h, column, value);
  }
  return finish(h);
}

function split(change: Change, wish: Wish): Change[] {
  const { table, before, after } = change;
  const wanted = (row: Row | null): Row | null => project(row, table, columnsOf(wish, table));
  const partition = hashOf(table, after, before) % PARTITIONS;
  const whole = { ...change, before: wanted(before), after: wanted(after), partition };
  if (wish.partitions === null) return [whole];
  const mine = (one: number): boolean =>
    wish.partitions?.includes(one) === true && (wish.afterOf === null || (change.scn ?? 0) > (wish.afterOf[one] ?? 0));
  if (!keyMoved(change)) return mine(partition) ? [whole] : [];
  const oldPartition = hashOf(table, before, after) % PARTITIONS;
  const names = table.key.map((index) => (table.columns[index] as Column).name);
  const withKey = (row: Row, other: Row): Row => ({
    ...pick(
      other,
      names.filter((name) => Object.hasOwn(other, name) && !Object.hasOwn(row, name)),
    ),
    ...pick(row, Object.keys(row)),
  });
  const halves: Change[] = [];
  if (before === null || after === null) return halves;
  const from = withKey(before, after);
  const to = withKey(after, before);
  const keyIn = (row: Row): Row | null => (names.every((name) => Object.hasOwn(row, name)) ? pick(row, names) : null);
  if (mine(oldPartition)) {
    halves.push({
      ...change,
      kind: 'delete',
      moved: 'from',
      key: keyIn(from),
      before: wanted(from),
      after: null,
      partition: oldPartition,
    });
  }
  if (mine(partition)) {
    halves.push({ ...change, kind: 'insert', moved: 'to', key: keyIn(to), before: null, after: wanted(to), partition });
  }
  return halves;
}

function keyMoved({ table, before, after }: Change): boolean {
  if (before === null || after === null) return false;
  return table.key.some((index) => {
    const { name } = table.columns[index] as Column;
    const [old, now] = [own(before, name), own(after, name)];
    if (old === undefined || now === undefined) return false;
    if (old instanceof Uint8Array && now instanceof Uint8Array) return Buffer.compare(old, now) !== 0;
    if (old instanceof Float32Array && now instanceof Float32Array) {
      return old.length !== now.length || old.some((value, i) => !Object.is(value, now[i]));
    }
    return typeof old === 'object' ? JSON.stringify(old) !== JSON.stringify(now) : old !== now;
  });
}

function project(row: Row | null, table: TableSchema, names: readonly string[] | null): Row | null {
  if (row === null || names === null) return row;
  const keyNames = table.key.map((index) => (table.columns[index] as Column).name);
  return pick(
    row,
    Object.keys(row).filter((name) => names.includes(name) || keyNames.includes(name)),
  );
}

function pick(row: Row, names: readonly string[]): Row {
  const picked = {};
  for (const name of names) Object.defineProperty(picked, name, { value: row[name], enumerable: true });
  return picked;
}

const rowsEntry: fc.Arbitrary<RowBatch> = fc
  .record({
    rows: randomRows,
    name: fc.constantFrom('orders', 'lines'),
    database: fc.constantFrom('shop', 'crm'),
    statement: fc.constantFrom(null, 'UPDATE …'),
  })
  .map(({ rows: { plain }, name, database, statement }) =>
    plainRowBatch({ ...plain, statement, table: { ...plain.table, database, name } }),
  );

const statementEntry: fc.Arbitrary<Entry> = fc.record({
  type: fc.constantFrom('schema' as const, 'truncate' as const),
  database: fc.constantFrom('shop', 'crm'),
  table: fc.constantFrom('orders', 'lines'),
  sql: fc.constantFrom('', 'TRUNCATE orders'),
});

const databaseEntry: fc.Arbitrary<Entry> = fc
  .constantFrom('shop', 'crm')
  .map((database) => ({ type: 'schema', database, table: null, sql: 'DROP DATABASE' }));

const sketches: fc.Arbitrary<BatchSketch> = fc.record({
  firstScn: fc.constant(FIRST_SCN),
  transactions: fc.array(
    fc.record({
      id: fc.constantFrom('0-1-2', 'x'),
      op: fc.constantFrom(0, ROW_OP.snapshot),
      entries: fc.array(fc.oneof({ weight: 5, arbitrary: rowsEntry }, statementEntry, databaseEntry), { maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  flags: fc.constantFrom(0, FLAG.zstd),
  position: fc.constantFrom('', '0-1-2', 'binlog.000001:4'),
});

function quotedName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A condition on a column, by the name of its table; a name that no quoting carries is left out. */
function wishes(sketch: BatchSketch): fc.Arbitrary<Wish> {
  const tables = sketch.transactions
    .flatMap(({ entries }) => entries)
    .flatMap((entry) => (entry.type === 'rows' ? [entry.table] : []));
  const chosen = <T>(make: (table: TableSchema) => fc.Arbitrary<T>): fc.Arbitrary<Record<string, T> | undefined> =>
    fc.option(
      fc
        .tuple(
          ...tables.map((table) => fc.tuple(fc.constant(`${table.database}.${table.name}`), fc.option(make(table)))),
        )
        .map((entries) => {
          const kept = entries.flatMap(([name, value]): [string, T][] => (value === null ? [] : [[name, value]]));
          return Object.fromEntries(kept);
        }),
      { nil: undefined },
    );
  const columnNames = (table: TableSchema): string[] => table.columns.map(({ name }) => name);
  return fc.record({
    tables: fc.constantFrom(undefined, ['shop.*'], ['shop.orders', 'crm.lines'], ['*.*'], ['nothing.here']),
    ops: fc.option(
      fc.subarray(['insert' as const, 'update' as const, 'delete' as const, 'upsert' as const], { minLength: 1 }),
      { nil: undefined },
    ),
    columns: chosen((table) => fc.subarray(columnNames(table))),
    where: chosen((table) =>
      fc
        .tuple(fc.constantFrom(...columnNames(table).filter((name) => name !== ''), 'gone'), fc.boolean())
        .map(([name, not]) => `${quotedName(name)} is ${not ? 'not ' : ''}null`),
    ),
    partitions: fc.option(fc.subarray([...Array(PARTITIONS).keys()])),
    after: fc.integer({ min: FIRST_SCN - 2, max: FIRST_SCN + 20 }),
    afterOf: fc.option(
      fc.array(fc.integer({ min: FIRST_SCN - 2, max: FIRST_SCN + 20 }), {
        minLength: PARTITIONS,
        maxLength: PARTITIONS,
      }),
    ),
  });
}

const cases: fc.Arbitrary<{ sketch: BatchSketch; wish: Wish }> = sketches.chain((sketch) =>
  fc.record({ sketch: fc.constant(sketch), wish: wishes(sketch) }),
);

function shapesOf({ transactions }: BatchSketch): Map<string, RowShape> {
  const batches = transactions
    .flatMap(({ entries }) => entries)
    .flatMap((entry): RowBatch[] => (entry.type === 'rows' ? [entry] : []));
  return new Map(batches.map(({ shape }) => [shape.fingerprint, shape]));
}

function filterFor(sketch: BatchSketch, options: FilterOptions): BatchFilter {
  const shapes = shapesOf(sketch);
  return new BatchFilter({
    ...options,
    partitionCount: PARTITIONS,
    shapes: { shape: (fingerprint) => shapes.get(fingerprint) as RowShape, tables: () => [] },
  });
}

function filtered(sketch: BatchSketch, bytes: Buffer, wish: Wish): FilterOutput {
  const filter = filterFor(sketch, wish);
  const lane = filter.lane({ ...wish, afterOf: wish.afterOf === null ? null : Float64Array.from(wish.afterOf) });
  const output = new FilterOutput(64);
  filter.filter(bytes, viewOf(bytes), { start: 0, lane, output });
  return output;
}

describe('filtering the bytes of a batch', () => {
  test(
    'leaves what filtering its changes as objects leaves, whatever is asked for',
    () => {
      fc.assert(
        fc.property(cases, ({ sketch, wish }) => {
          const { bytes } = storedBatch(sketch);
          expect(received(filtered(sketch, bytes, wish))).toEqual(expected(sketch, wish));
        }),
        { numRuns: 200 },
      );
    },
    TIMEOUT_MS,
  );

  test(
    'gives to all partitions together every change once, and every half of an update that moved its key',
    () => {
      fc.assert(
        fc.property(sketches, (sketch) => {
          const { bytes } = storedBatch(sketch);
          const all = { partitions: [...Array(PARTITIONS).keys()], after: 0, afterOf: null };
          const whole = expected(sketch, all);
          const apart = all.partitions.flatMap((partition) =>
            received(filtered(sketch, bytes, { ...all, partitions: [partition] })).filter(
              ({ kind }) => kind !== undefined,
            ),
          );
          const text = (entry: Seen): string =>
            Object.values(entry)
              .map((value) => (Array.isArray(value) ? value.map(String).join() : String(value)))
              .join('|');
          expect(apart.map(text).toSorted()).toEqual(
            whole
              .filter(({ kind }) => kind !== undefined)
              .map(text)
              .toSorted(),
          );
        }),
        { numRuns: 40 },
      );
    },
    TIMEOUT_MS,
  );

  test(
    'of damaged bytes ends with an error or with a batch, never outside of its bounds',
    () => {
      fc.assert(
        fc.property(
          cases,
          fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 255 })), {
            maxLength: 4,
          }),
          fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
          ({ sketch, wish }, flips, cut) => {
            const { bytes: intact } = storedBatch(sketch);
            // In the middle of other bytes, which must not be looked at.
            const around = Buffer.alloc(4096, MARK);
            const damaged = Buffer.from(intact);
            for (const [place, value] of flips) {
              const at = Math.min(Math.floor(place * damaged.length), damaged.length - 1);
              damaged[at] = (damaged[at] as number) ^ value;
            }
            const bytes =
              cut === null
                ? Buffer.concat([around, damaged, around])
                : Buffer.concat([around, damaged.subarray(0, Math.floor(cut * damaged.length))]);
            const filter = filterFor(sketch, wish);
            const lane = filter.lane({ ...wish, afterOf: null });
            const output = new FilterOutput(64);
            try {
              filter.filter(bytes, viewOf(bytes), { start: around.length, lane, output });
              expect(output.bytes.subarray(0, output.at).indexOf(Buffer.alloc(12, MARK))).toBe(-1);
              expect(output.at).toBeLessThanOrEqual(intact.length * 200 + 100_000);
            } catch (error) {
              if (!isTidingsError(error)) throw error;
              expect(['LOG_DAMAGED', 'LOG_VERSION_UNKNOWN']).toContain(error.code);
              expect(output.at).toBe(0);
            }
          },
        ),
        { numRuns: 300 },
      );
    },
    TIMEOUT_MS,
  );
});
