import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { column, table } from '../../test/support/changes.ts';
import { changeOf } from '../../test/support/mapped.ts';
import { float32 } from '../base/float32.ts';
import type { Row, Value } from '../core/change.ts';
import type { Column, ColumnType, TableSchema } from '../core/table-schema.ts';
import { changeJson, rowOfJson } from './change-json.ts';

const big = (min: bigint, max: bigint): fc.Arbitrary<Value> =>
  // As sources hand integers over: a number wherever it holds the value.
  fc.bigInt({ min, max }).map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
const text = fc.string({ unit: 'binary' });
const bytes = fc.uint8Array({ maxLength: 40 });
const digits = fc
  .tuple(
    fc.boolean(),
    fc.bigInt({ min: 0n, max: 10n ** 40n }),
    fc.string({ unit: fc.integer({ min: 0, max: 9 }).map(String), maxLength: 10 }),
  )
  .map(([minus, whole, rest]) => `${minus ? '-' : ''}${whole}${rest === '' ? '' : `.${rest}`}`);
const finite = { noNaN: true, noDefaultInfinity: true } as const;

const VALUES: Readonly<Record<ColumnType, fc.Arbitrary<Value>>> = {
  tinyint: fc.integer({ min: -128, max: 255 }),
  smallint: fc.integer({ min: -32_768, max: 65_535 }),
  mediumint: fc.integer({ min: -8_388_608, max: 16_777_215 }),
  int: fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }),
  bigint: big(-(2n ** 63n), 2n ** 64n - 1n),
  year: fc.integer({ min: 1901, max: 2155 }),
  bit: big(0n, 2n ** 64n - 1n),
  decimal: digits,
  // As sources hand them over: the shortest decimal number that is this float.
  float: fc.float(finite).map(float32),
  double: fc.double(finite),
  date: fc.constantFrom('2026-11-20', '0000-00-00', '2026-00-00'),
  datetime: fc.constantFrom('2026-11-20 09:15:02.123456', '0000-00-00 00:00:00'),
  timestamp: fc.constantFrom('2026-11-20 09:15:02', '1970-01-01 00:00:01'),
  time: fc.constantFrom('-838:59:59', '00:00:00.000001'),
  char: text,
  varchar: text,
  text,
  binary: bytes,
  varbinary: bytes,
  blob: bytes,
  enum: text,
  set: text,
  json: fc.json({ noUnicodeString: false }).map((document) => JSON.stringify(JSON.parse(document))),
  geometry: bytes,
  vector: fc.float32Array({ ...finite, maxLength: 8 }),
  uuid: fc.uuid(),
  inet4: fc.ipV4(),
  inet6: fc.ipV6(),
};
const types = Object.keys(VALUES) as ColumnType[];

const anyColumn: fc.Arbitrary<{ readonly column: Column; readonly value: Value }> = fc
  .tuple(fc.constantFrom(...types), fc.boolean(), fc.integer({ min: 0, max: 9 }))
  .chain(([type, nullable, nulls]) => {
    const own = column('x', type, { nullable });
    const isNull = nullable && nulls === 0;
    const values = isNull ? fc.constant<Value>(null) : VALUES[type];
    return (
      values
        // What JSON calls null is NULL where the column may be so: the two cannot be told apart.
        .filter((value) => !(nullable && type === 'json' && value === 'null'))
        .map((value) => ({ column: own, value }))
    );
  });

const anyName = fc.oneof(
  fc.string({ minLength: 1, unit: 'binary' }),
  fc.constantFrom('__proto__', 'constructor', 'a"b', '\u001b[2J'),
);
const anyTable = fc
  .uniqueArray(fc.tuple(anyName, anyColumn), { selector: ([name]) => name, minLength: 1, maxLength: 8 })
  .map((entries) => {
    const columns = entries.map(([name, { column: own }]) => ({ ...own, name }));
    const row: Row = Object.fromEntries(entries.map(([name, { value }]) => [name, value]));
    return { schema: table('shop.things', columns), row };
  });

const INTEGERS: ReadonlySet<ColumnType> = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'year', 'bit']);

/** As a reader does that keeps all digits: integers beyond what a double holds become the text of their digits. */
function afterOf(json: string, { columns }: TableSchema): Readonly<Record<string, unknown>> {
  const integers = new Set(columns.filter(({ type }) => INTEGERS.has(type)).map(({ name }) => name));
  const { after } = JSON.parse(json, (name, value: unknown, context?: { readonly source?: string }) =>
    integers.has(name) && typeof value === 'number' && !Number.isSafeInteger(value) ? context?.source : value,
  ) as { readonly after: Readonly<Record<string, unknown>> };
  return after;
}

function comparable(row: Row): unknown {
  return Object.entries(row).map(([name, value]) => [name, value instanceof Uint8Array ? [...value] : value]);
}

describe('rowOfJson', () => {
  test('is the inverse of what changeJson writes, for every type', () => {
    fc.assert(
      fc.property(anyTable, ({ schema, row }) => {
        const read = rowOfJson(schema, afterOf(changeJson(changeOf(schema, { after: row })), schema), 'after');
        expect(comparable(read)).toEqual(comparable(row));
      }),
      { numRuns: 3000 },
    );
  });

  test('takes parts of a row, and refuses a column that the table does not have', () => {
    const schema = table('shop.things', [column('id', 'int'), column('note', 'varchar')]);
    expect(rowOfJson(schema, { note: 'x' }, 'after')).toEqual({ note: 'x' });
    expect(() => rowOfJson(schema, { nte: 'secret' }, 'before')).toThrow(
      expect.objectContaining({
        code: 'REQUEST_INVALID',
        message: expect.not.stringContaining('secret'),
        details: { field: 'before.nte' },
      }),
    );
  });
});
