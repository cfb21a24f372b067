import * as fc from 'fast-check';
import { float32 } from '../../../src/base/float32.ts';
import type { Row, Value } from '../../../src/core/change.ts';
import type { Column, TableSchema } from '../../../src/core/table-schema.ts';
import { type ColumnSketch, tableOf } from '../../../src/testing/tables.ts';

const digits = (count: number): fc.Arbitrary<string> =>
  count === 0
    ? fc.constant('')
    : fc.bigInt({ min: 0n, max: 10n ** BigInt(count) - 1n }).map((n) => String(n).padStart(count, '0'));

const date = fc
  .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })
  .map((day) => day.toISOString());

const wholeNumber = (n: bigint): number | bigint => (Number.isSafeInteger(Number(n)) ? Number(n) : n);

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 60 }).filter((s) => s.isWellFormed()),
);

/** Values that the server may have in such a column. */
function valueIn(column: Column): fc.Arbitrary<Value> {
  const { type, unsigned, length, scale } = column;
  const fraction = digits(length ?? 0).map((f) => (f === '' ? '' : `.${f}`));
  switch (type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
      return fc.integer({ min: -128, max: 127 });
    case 'year':
      return fc.integer({ min: 1901, max: 2155 });
    case 'int':
      return unsigned ? fc.integer({ min: 0, max: 2 ** 32 - 1 }) : fc.integer();
    case 'bigint':
      return fc
        .bigInt(unsigned ? { min: 0n, max: 2n ** 64n - 1n } : { min: -(2n ** 63n), max: 2n ** 63n - 1n })
        .map(wholeNumber);
    case 'bit':
      return fc.bigInt({ min: 0n, max: 2n ** BigInt(length ?? 1) - 1n }).map(wholeNumber);
    case 'decimal':
      return fc
        .tuple(
          fc.boolean(),
          fc.integer({ min: 1, max: Math.max((length ?? 10) - (scale ?? 0), 1) }),
          digits(scale ?? 0),
        )
        .chain(([negative, count, behind]) =>
          digits((length ?? 10) > (scale ?? 0) ? count : 0).map((whole) => {
            const plain = `${BigInt(whole === '' ? '0' : whole)}${behind === '' ? '' : `.${behind}`}`;
            return negative && /[1-9]/.test(plain) ? `-${plain}` : plain;
          }),
        );
    case 'float':
      return fc.float({ noNaN: true, noDefaultInfinity: true }).map(float32);
    case 'double':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'date':
      return date.map((iso) => iso.slice(0, 10));
    case 'datetime':
      return fc.tuple(date, fraction).map(([iso, f]) => `${iso.slice(0, 10)} ${iso.slice(11, 19)}${f}`);
    case 'timestamp':
      return fc.tuple(date, fraction).map(([iso, f]) => `${iso.slice(0, 19)}${f}Z`);
    case 'time':
      return fc.constantFrom('-838:59:59', '00:00:00', '100:00:01');
    case 'json':
      return fc.json();
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      return fc.uint8Array({ maxLength: 40 });
    case 'vector':
      return fc.float32Array({ noNaN: true, noDefaultInfinity: true, maxLength: 6 });
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return text;
  }
}

const COLUMNS: Readonly<Record<string, ColumnSketch>> = {
  id: { type: 'bigint', nullable: false },
  tiny: 'tinyint',
  small: 'smallint',
  medium: { type: 'mediumint', unsigned: true },
  whole: 'int',
  count: { type: 'int', unsigned: true },
  big: 'bigint',
  huge: { type: 'bigint', unsigned: true },
  bits: { type: 'bit', length: 9 },
  allbits: { type: 'bit', length: 64 },
  year: 'year',
  price: { type: 'decimal', length: 9, scale: 2 },
  amount: { type: 'decimal', length: 18, scale: 4 },
  vast: { type: 'decimal', length: 65, scale: 30 },
  units: { type: 'decimal', length: 20, scale: 0 },
  share: { type: 'decimal', length: 3, scale: 3 },
  ratio: 'float',
  exact: 'double',
  day: 'date',
  clock: { type: 'datetime', length: 3 },
  second: { type: 'datetime', length: 0 },
  instant: { type: 'timestamp', length: 6 },
  span: { type: 'time', length: 0 },
  name: { type: 'varchar', length: 80 },
  constructor: { type: 'text' as const, length: 65535 },
  kind: { type: 'enum', members: ['a'] },
  document: 'json',
  bytes: { type: 'blob', length: 65535 },
  shape: 'geometry',
  embedding: { type: 'vector', length: 3 },
  uid: 'uuid',
};

/** A table with every type. */
export const everyType: TableSchema = tableOf('shop.everything', COLUMNS, ['id']);

/** Whole rows of a table. */
export function rowOf(table: TableSchema): fc.Arbitrary<Row> {
  return fc
    .tuple(...table.columns.map((column) => (column.nullable ? fc.option(valueIn(column)) : valueIn(column))))
    .map((values) => Object.fromEntries(table.columns.map(({ name }, i) => [name, values[i] ?? null])));
}
