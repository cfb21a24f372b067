import { describe, expect, test } from 'vitest';
import { column, part, rowBatch, table } from '../../test/support/changes.ts';
import type { Entry } from '../core/source.ts';
import { KeysEncoder } from './keys.ts';

function encode(...entries: readonly Entry[]): { lines: string[]; warnings: string[] } {
  const warnings: string[] = [];
  const lines: string[] = [];
  const encoder = new KeysEncoder({ warn: (fields, message) => warnings.push(`${JSON.stringify(fields)} ${message}`) });
  for (const entry of entries) encoder.encode(part([entry]), (line) => lines.push(line));
  return { lines, warnings };
}

test("Meepo's seven statements give Meepo's thirteen lines", () => {
  const schema = table('test.test', [column('id', 'int'), column('data', 'varchar')]);
  const insert = (...ids: number[]): Entry =>
    rowBatch(schema, 'insert', { after: ids.map((id) => ({ id, data: 'x' })) });
  const update = (...ids: number[]): Entry =>
    rowBatch(schema, 'update', {
      before: ids.map((id) => ({ id, data: 'x' })),
      after: ids.map((id) => ({ id, data: 'y' })),
    });
  const remove = (...ids: number[]): Entry => rowBatch(schema, 'delete', { before: ids.map((id) => ({ id })) });
  const { lines, warnings } = encode(
    insert(1),
    insert(2, 3, 4),
    update(1),
    update(2),
    update(2, 3, 4),
    remove(2, 3, 4),
    remove(1),
  );
  expect(lines).toEqual([
    'test_write 1',
    'test_write 2',
    'test_write 3',
    'test_write 4',
    'test_update 1',
    'test_update 2',
    'test_update 2',
    'test_update 3',
    'test_update 4',
    'test_delete 2',
    'test_delete 3',
    'test_delete 4',
    'test_delete 1',
  ]);
  expect(warnings).toEqual([]);
});

describe('a key is unambiguous', () => {
  const lone = (type: Parameters<typeof column>[1], value: string | number | bigint | Uint8Array): string | undefined =>
    encode(rowBatch(table('a.t', [column('k', type)]), 'insert', { after: [{ k: value }] })).lines[0];

  test.each([
    ['a word stands bare', 'varchar', 'SKU-7/b', 't_write SKU-7/b'],
    ['letters of all alphabets stand bare', 'varchar', 'épée', 't_write épée'],
    ['text with a space is quoted', 'varchar', 'a b', 't_write "a b"'],
    ['empty text is quoted', 'varchar', '', 't_write ""'],
    ['text that looks like a list is quoted', 'varchar', '[1,2]', 't_write "[1,2]"'],
    ['quotes are escaped', 'varchar', '"x"', 't_write "\\"x\\""'],
    ['control characters are escaped', 'varchar', '\u001b[2J', 't_write "\\u001b[2J"'],
    ['a date and time is quoted', 'datetime', '2026-01-01 00:00:00', 't_write "2026-01-01 00:00:00"'],
    ['a large integer has all its digits', 'bigint', 18446744073709551615n, 't_write 18446744073709551615'],
    ['bytes are base64 text', 'binary', new Uint8Array([1, 2, 255]), 't_write "AQL/"'],
  ] as const)('%s', (_name, type, value, line) => {
    expect(lone(type, value)).toBe(line);
  });

  test('a composite key is a JSON array in key order', () => {
    const schema = table('a.t', [column('n', 'int'), column('s', 'varchar')], { key: [1, 0] });
    const { lines } = encode(
      rowBatch(schema, 'delete', {
        before: [
          { n: 1, s: 'x' },
          { n: 2, s: 'y z' },
        ],
      }),
    );
    expect(lines).toEqual(['t_delete ["x",1]', 't_delete ["y z",2]']);
  });

  test('a table whose name has a space is quoted with its action', () => {
    const { lines } = encode(rowBatch(table('a.my table', [column('n', 'int')]), 'insert', { after: [{ n: 1 }] }));
    expect(lines).toEqual(['"my table_write" 1']);
  });
});

describe('what has no line is reported once per table', () => {
  test('a table without a primary key', () => {
    const rows = rowBatch(table('a.log', [column('n', 'int')], { key: [] }), 'insert', { after: [{ n: 1 }] });
    const { lines, warnings } = encode(rows, rows);
    expect(lines).toEqual([]);
    expect(warnings).toEqual([
      '{"database":"a","table":"log"} the table has no primary key; the keys format has no lines for it',
    ]);
  });

  test('a truncation', () => {
    const { lines, warnings } = encode({ type: 'truncate', database: 'a', table: 't', sql: 'TRUNCATE t' });
    expect(lines).toEqual([]);
    expect(warnings).toHaveLength(1);
  });

  test('two tables of one name in different databases', () => {
    const rows = (name: string): Entry => rowBatch(table(name, [column('n', 'int')]), 'insert', { after: [{ n: 1 }] });
    const { lines, warnings } = encode(rows('a.t'), rows('b.t'), rows('b.t'));
    expect(lines).toEqual(['t_write 1', 't_write 1', 't_write 1']);
    expect(warnings).toEqual([
      '{"database":"b","table":"t"} the lines of this table look like those of a.t; select one of them, or another format',
    ]);
  });
});
