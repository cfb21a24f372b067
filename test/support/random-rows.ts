import * as fc from 'fast-check';
import { float32 } from '../../src/base/float32.ts';
import type { Row, Value } from '../../src/core/change.ts';
import { plainRowBatch, type PlainRows } from '../../src/core/plain-rows.ts';
import type { RowBatch } from '../../src/core/source.ts';
import type { Column, ColumnType, TableSchema } from '../../src/core/table-schema.ts';
import { tableOf } from '../../src/testing/tables.ts';

/** Rows of a random table, as a source without bytes hands them over. */
export interface RandomRows {
  readonly plain: PlainRows;
  readonly batch: RowBatch;
}

const shortText = (characters: string): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...Array.from(characters)), maxLength: 30 });

const texts: fc.Arbitrary<string> = fc.oneof(
  shortText('abc XYZ09'),
  shortText('aé漢🚲\ufffd\ufeff\0'),
  fc.string({ unit: 'binary' }),
  // Around the lengths at which the length field grows, and the windows and short cuts end.
  fc
    .tuple(
      fc.constantFrom('x', 'é', '漢', '🚲'),
      fc.constantFrom(47, 48, 49, 63, 64, 127, 128, 129, 1365, 4095, 4096, 8192),
    )
    .map(([unit, length]) => unit.repeat(length)),
  // UTF-16 that is no Unicode text: lone surrogates.
  fc
    .array(fc.constantFrom('a', '\ud800', '\udfff', '🚲', '\ufffd', 'é'), { maxLength: 60 })
    .map((units) => units.join('')),
);

const integerEdges = [
  0,
  1,
  -1,
  63,
  64,
  -64,
  -65,
  8191,
  8192,
  2 ** 20,
  2 ** 27,
  2 ** 28,
  -(2 ** 27),
  2 ** 31 - 1,
  -(2 ** 31),
];
const int32 = fc.oneof(fc.constantFrom(...integerEdges), fc.integer());
const longEdges = [2n ** 31n, 2n ** 32n, 2n ** 35n, 2n ** 52n, 2n ** 53n, 2n ** 56n, 2n ** 63n]
  .flatMap((edge) => [edge - 1n, edge, edge + 1n])
  .flatMap((edge) => [edge, -edge]);

/** As the value model has it: a number as long as that is exact. */
function wholeNumber(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function long(min: bigint, max: bigint): fc.Arbitrary<number | bigint> {
  return fc
    .oneof(int32.map(BigInt), fc.constantFrom(...longEdges), fc.bigInt({ min, max }))
    .filter((value) => value >= min && value <= max)
    .map(wholeNumber);
}

const signedLong = long(-(2n ** 63n), 2n ** 63n - 1n);
const unsignedLong = long(0n, 2n ** 64n - 1n);
const digits = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String);
const binary = fc.uint8Array({ maxLength: 200 });

function valueOf({ type, unsigned, length }: Column): fc.Arbitrary<Value> {
  switch (type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'year':
      return int32;
    case 'int':
      return unsigned ? signedLong : int32;
    case 'bigint':
      return unsigned ? unsignedLong : signedLong;
    case 'bit':
      return (length ?? 64) > 63 ? unsignedLong : signedLong;
    case 'float':
      return fc.float({ noNaN: true }).map(float32);
    case 'double':
      return fc.double({ noNaN: true });
    case 'decimal':
      return digits;
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return shortText('0123456789-: .TZabcdef');
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
      return texts;
    case 'json':
      return fc.oneof(fc.json(), fc.constantFrom('null', '"é"', ' [1, 2] '));
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      return binary;
    case 'vector':
      return fc.float32Array({ noNaN: true, maxLength: 20 });
  }
}

const TYPES: readonly ColumnType[] = [
  ...(['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'year', 'bit', 'decimal', 'float', 'double'] as const),
  ...(['date', 'datetime', 'timestamp', 'time', 'char', 'varchar', 'text', 'binary', 'varbinary', 'blob'] as const),
  ...(['enum', 'set', 'json', 'geometry', 'vector', 'uuid', 'inet4', 'inet6'] as const),
];

const names = fc.oneof(
  fc.constantFrom('id', '__proto__', 'constructor', 'a b', '"];throw 1;//', 'größe', '1', 'A'),
  fc.string(),
);

const tables: fc.Arbitrary<TableSchema> = fc
  .uniqueArray(
    fc.record({
      name: names,
      type: fc.constantFrom(...TYPES),
      nullable: fc.boolean(),
      unsigned: fc.boolean(),
      length: fc.constantFrom(null, 1, 63, 64),
    }),
    { selector: ({ name }) => name, minLength: 1, maxLength: 14 },
  )
  .chain((columns) =>
    fc.record({
      columns: fc.constant(columns),
      key: fc.uniqueArray(fc.nat(columns.length - 1), { maxLength: 3 }),
    }),
  )
  .map(({ columns, key }) => {
    const definitions = columns.map(({ name, ...sketch }, index) => ({
      ...(tableOf('a.b', { c: sketch }).columns[0] as Column),
      name,
      nullable: sketch.nullable && !key.includes(index),
    }));
    return { database: 'shop', name: 'things', columns: definitions, key };
  });

/** Rows with the given columns: a column that is not among them is absent. */
function rowsOf(table: TableSchema, present: readonly number[], count: number): fc.Arbitrary<Row[]> {
  const columns = present.map((index) => table.columns[index] as Column);
  const cells = columns.map((column) => (column.nullable ? fc.option(valueOf(column)) : valueOf(column)));
  return fc.array(
    fc.tuple(...cells).map((values) => rowFrom(columns.map(({ name }, at) => [name, values[at] ?? null]))),
    { minLength: count, maxLength: count },
  );
}

/** As an object literal has them: a column called __proto__ is an ordinary property. */
function rowFrom(entries: readonly (readonly [string, Value])[]): Row {
  const row = {};
  for (const [name, value] of entries) {
    Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return row;
}

/** Every kind of change, whole and partial images, with the key in one of them at least. */
export const randomRows: fc.Arbitrary<RandomRows> = fc
  .record({
    table: tables,
    kind: fc.constantFrom('insert' as const, 'update' as const, 'delete' as const, 'upsert' as const),
    count: fc.integer({ min: 1, max: 8 }),
    left: fc.array(fc.nat(40), { maxLength: 6 }),
    keyIn: fc.constantFrom('both' as const, 'before' as const, 'after' as const),
  })
  .chain(({ table, kind, count, left, keyIn }) => {
    const all = table.columns.map((_, index) => index);
    const without = (name: 'before' | 'after'): number[] =>
      all.filter((index) => (table.key.includes(index) ? keyIn !== name : !left.includes(index)));
    if (kind !== 'update') {
      const present = all.filter((index) => table.key.includes(index) || !left.includes(index));
      return rowsOf(table, present, count).map((rows): PlainRows => ({ kind, table, rows }));
    }
    const after = without('before');
    const before = without('after').filter((index) => index % 2 === 0 || table.key.includes(index));
    return fc.tuple(rowsOf(table, before, count), rowsOf(table, after, count)).map(([old, now]): PlainRows => ({
      kind,
      table,
      rows: old.map((row, i) => ({ before: row, after: now[i] as Row })),
    }));
  })
  .map((plain) => ({ plain, batch: plainRowBatch(plain) }));
