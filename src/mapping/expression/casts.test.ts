import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Value } from '../../core/change.ts';
import type { StreamChange } from '../../core/consumer.ts';
import { type ColumnSketch, tableOf } from '../../testing/tables.ts';
import { ValueFault } from '../faults.ts';
import { parseCastType } from './cast-type.ts';
import { compileExpression } from './compile.ts';
import { parseExpression } from './parser.ts';

const CHANGE = {} as StreamChange;

function cast(column: ColumnSketch, value: Value, type: string): Value | undefined {
  const table = tableOf('a.b', { v: column });
  return compileExpression(parseExpression(`cast(v as ${type})`), { table }).evaluate({ v: value }, CHANGE);
}

function faultOf(column: ColumnSketch, value: Value, type: string): string {
  try {
    return `no fault: ${String(cast(column, value, type))}`;
  } catch (error) {
    if (error instanceof ValueFault) return error.reason;
    throw error;
  }
}

const text: ColumnSketch = { type: 'varchar', length: 100 };
const wide: ColumnSketch = { type: 'bigint', unsigned: true };
const decimal: ColumnSketch = { type: 'decimal', length: 20, scale: 4 };

test.each<[column: ColumnSketch, value: Value, type: string, expected: Value]>([
  ['bigint', 127, 'tinyint', 127],
  ['int', 255, 'tinyint unsigned', 255],
  [wide, 18_446_744_073_709_551_615n, 'bigint unsigned', 18_446_744_073_709_551_615n],
  [wide, 18_446_744_073_709_551_615n, 'decimal(20,0)', '18446744073709551615'],
  [decimal, '12.0000', 'int', 12],
  [decimal, '-0.5000', 'decimal(3,1)', '-0.5'],
  [decimal, '12.3400', 'decimal(30,10)', '12.3400000000'],
  ['double', 12, 'int', 12],
  ['double', 1e21, 'decimal(22,0)', '1000000000000000000000'],
  ['double', 0.1, 'decimal(5,2)', '0.10'],
  [text, '  12', 'text', '  12'],
  [text, '-12.50', 'decimal(5,2)', '-12.50'],
  [text, '1.50e1', 'int', 15],
  [text, '0.1', 'double', 0.1],
  [decimal, '0.1000', 'double', 0.1],
  ['int', 7, 'double', 7],
  ['int', -7, 'varchar(5)', '-7'],
  ['double', 1e21, 'varchar(30)', '1e+21'],
  ['date', '2026-11-20', 'varchar(10)', '2026-11-20'],
  ['varbinary', Buffer.from('é'), 'varchar(1)', 'é'],
  [text, 'é', 'varbinary(2)', Buffer.from('é')],
  [text, 'a', 'binary(3)', Buffer.from([0x61, 0, 0])],
  ['int', 1, 'boolean', 1],
  [{ type: 'datetime', length: 3 }, '2026-11-20 00:00:00.000', 'date', '2026-11-20'],
  [{ type: 'datetime', length: 3 }, '2026-11-20 09:15:02.500', 'datetime(1)', '2026-11-20 09:15:02.5'],
  [{ type: 'datetime', length: 3 }, '2026-11-20 09:15:02.500', 'timestamp(6)', '2026-11-20T09:15:02.500000Z'],
  [{ type: 'timestamp', length: 0 }, '2026-11-20T09:15:02Z', 'datetime', '2026-11-20 09:15:02'],
  [{ type: 'timestamp', length: 0 }, '0000-00-00T00:00:00Z', 'date', '0000-00-00'],
  ['date', '0000-00-00', 'datetime', '0000-00-00 00:00:00'],
  [text, '2026-11-20T09:15:02.5Z', 'timestamp(3)', '2026-11-20T09:15:02.500Z'],
  [text, '2026-11-20', 'datetime', '2026-11-20 00:00:00'],
  [text, '-01:30:00', 'time(1)', '-01:30:00.0'],
  [{ type: 'time', length: 2 }, '-838:59:59.50', 'time(1)', '-838:59:59.5'],
  [text, '{"a": 1}', 'json', '{"a": 1}'],
  [decimal, '1.5000', 'json', '1.5000'],
  ['int', 5, 'json', '5'],
])('%j: %s as %s is %s', (column, value, type, expected) => {
  expect(cast(column, value, type)).toEqual(expected);
});

test.each<[column: ColumnSketch, value: Value, type: string, reason: string]>([
  ['int', 128, 'tinyint', 'the number is beyond TINYINT'],
  ['int', -1, 'bigint unsigned', 'the number is beyond BIGINT UNSIGNED'],
  [wide, 18_446_744_073_709_551_615n, 'bigint', 'the number is beyond BIGINT'],
  [wide, 18_446_744_073_709_551_615n, 'double', 'the number is not exact as a DOUBLE'],
  [decimal, '12.5000', 'int', 'the number has more digits behind the point than INT: round it'],
  [decimal, '12.3450', 'decimal(10,2)', 'the number has more digits behind the point than DECIMAL(10,2): round it'],
  [decimal, '1234567890.0000', 'decimal(9,0)', 'the number is beyond DECIMAL(9,0)'],
  [decimal, '1234567890123456.7891', 'double', 'the number is not exact as a DOUBLE'],
  [text, '', 'int', 'the text is no INT'],
  [text, '12 ', 'int', 'the text is no INT'],
  [text, 'abc', 'decimal(5,2)', 'the text is no DECIMAL(5,2)'],
  [text, 'NaN', 'double', 'the text is no number'],
  [text, '1e999', 'double', 'the text is no number'],
  [text, 'abc', 'varchar(2)', 'the text is longer than VARCHAR(2): truncate it'],
  ['varbinary', Buffer.from([0xff]), 'varchar(5)', 'the bytes are no text in UTF-8'],
  [text, '\ud800', 'varbinary(9)', 'the text is no Unicode text'],
  [text, 'abc', 'binary(2)', 'the bytes are more than BINARY(2): truncate them'],
  ['int', 2, 'boolean', 'only 0 and 1 are BOOLEAN'],
  [{ type: 'datetime', length: 0 }, '2026-11-20 09:15:02', 'date', 'it has a time of day: take its date(…)'],
  [{ type: 'datetime', length: 3 }, '2026-11-20 09:15:02.512', 'datetime(1)', 'it has more than 1 digits of a second'],
  [{ type: 'datetime', length: 3 }, '2026-11-20 09:15:02.512', 'datetime', 'it has fractions of a second'],
  [text, '2026-02-30', 'date', 'the value is no DATE'],
  [text, '0000-00-00', 'date', 'the value is no DATE'],
  [text, '2026-11-20 24:00:00', 'datetime', 'the value is no DATETIME'],
  [text, '1:00', 'time', 'the value is no TIME'],
  [text, '{', 'json', 'the text is no JSON document'],
])('%j: %s as %s is refused: %s', (column, value, type, reason) => {
  expect(faultOf(column, value, type)).toBe(reason);
});

test.each([
  'decimal(66,0)',
  'decimal(5,6)',
  'varchar',
  'varchar(0)',
  'int(11)',
  'double unsigned',
  'datetime(7)',
  'varchr(3)',
  'date(3)',
  'decimal(1',
  '',
  'int; drop',
])('%j is no type', (type) => {
  expect(() => parseCastType(type)).toThrow(expect.objectContaining({ code: 'MAPPING_INVALID' }));
});

describe('a cast', () => {
  const types = fc.constantFrom(
    'tinyint',
    'int unsigned',
    'bigint',
    'decimal(8,3)',
    'double',
    'varchar(6)',
    'text',
    'varbinary(4)',
    'date',
    'datetime(2)',
    'timestamp',
    'time(1)',
    'json',
  );
  const texts = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom('0', '-1', '1.50', '2026-11-20', '2026-11-20 09:15:02.25', '10:00:00', '{}', '[1]', 'true'),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc.bigInt().map(String),
  );

  test('of a text yields a value or a fault, never NULL; and the value read back as text means the same', () => {
    fc.assert(
      fc.property(texts, types, (value, type) => {
        let result: Value | undefined;
        try {
          result = cast(text, value, type);
        } catch (error) {
          expect(error).toBeInstanceOf(ValueFault);
          return;
        }
        expect(result).not.toBeNull();
        expect(result).not.toBeUndefined();
        // What came out goes in again, and comes out as it is.
        const sketch = { ...parseCastType(type).type };
        expect(cast(sketch, result as Value, type)).toEqual(result);
      }),
      { numRuns: 3000 },
    );
  });

  test('of a number to a text and back is the number', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const shown = cast(
          'bigint',
          value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : value,
          'varchar(20)',
        );
        expect(BigInt(cast(text, shown as string, 'bigint') as number)).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const shown = cast('double', value, 'varchar(30)');
        const back = cast(text, shown as string, 'double');
        expect(back === value).toBe(true);
      }),
    );
  });
});
