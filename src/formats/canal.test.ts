import { describe, expect, test } from 'vitest';
import { column, COMMITTED_AT_US, part, type PartOptions, rowBatch, table } from '../../test/support/changes.ts';
import type { Row } from '../core/change.ts';
import type { Entry } from '../core/source.ts';
import type { Column } from '../core/table-schema.ts';
import { CanalEncoder } from './canal.ts';

interface Message {
  readonly data: readonly Record<string, string | null>[] | null;
  readonly old: readonly Record<string, string | null>[] | null;
  readonly mysqlType: Record<string, string> | null;
  readonly sqlType: Record<string, number> | null;
  readonly [name: string]: unknown;
}

function lines(entries: readonly Entry[], options: PartOptions = {}): string[] {
  const texts: string[] = [];
  const encoder = new CanalEncoder({ nowUs: () => COMMITTED_AT_US + 1500 });
  encoder.encode(part(entries, options), (line) => texts.push(line));
  return texts;
}

function messages(entries: readonly Entry[], options: PartOptions = {}): Message[] {
  return lines(entries, options).map((line) => JSON.parse(line) as Message);
}

const products = table('inventory.products', [
  column('id', 'int'),
  column('name', 'varchar', { length: 255 }),
  column('description', 'varchar', { length: 512 }),
  column('weight', 'float'),
]);
const kettle: Row = { id: 7, name: 'kettle', description: null, weight: 1.25 };

describe('golden messages', () => {
  const types =
    '"mysqlType":{"id":"int","name":"varchar(255)","description":"varchar(512)","weight":"float"},"old":%,"pkNames":["id"],"sql":"","sqlType":{"id":4,"name":12,"description":12,"weight":7},"table":"products","ts":1795166102124,"type":';
  const head = (data: string): string =>
    `{"data":[${data}],"database":"inventory","es":1795166102123,"gtid":"0-1-42","id":0,"isDdl":false,`;

  test('insert, update and delete', () => {
    expect(
      lines([
        rowBatch(products, 'insert', { after: [kettle] }),
        rowBatch(products, 'update', { before: [kettle], after: [{ ...kettle, description: 'blue', weight: 1.5 }] }),
        rowBatch(products, 'delete', { before: [kettle] }),
      ]),
    ).toEqual([
      `${head('{"id":"7","name":"kettle","description":null,"weight":"1.25"}')}${types.replace('%', 'null')}"INSERT"}`,
      `${head('{"id":"7","name":"kettle","description":"blue","weight":"1.5"}')}${types.replace('%', '[{"description":null,"weight":"1.25"}]')}"UPDATE"}`,
      `${head('{"id":"7","name":"kettle","description":null,"weight":"1.25"}')}${types.replace('%', 'null')}"DELETE"}`,
    ]);
  });

  test('each field has the type and the meaning that it has in the documented message', () => {
    const [message] = messages([
      rowBatch(products, 'update', { before: [kettle], after: [{ ...kettle, weight: 1.5 }] }),
    ]);
    expect(message).toEqual({
      data: [{ id: '7', name: 'kettle', description: null, weight: '1.5' }],
      database: 'inventory',
      es: 1795166102123,
      gtid: '0-1-42',
      id: 0,
      isDdl: false,
      mysqlType: { id: 'int', name: 'varchar(255)', description: 'varchar(512)', weight: 'float' },
      old: [{ weight: '1.25' }],
      pkNames: ['id'],
      sql: '',
      sqlType: { id: 4, name: 12, description: 12, weight: 7 },
      table: 'products',
      ts: 1795166102124,
      type: 'UPDATE',
    });
  });
});

test('each row has a message of its own, and one without a key has no names of key columns', () => {
  const keyless = table('a.b', [column('n', 'int')], { key: [] });
  const all = messages([rowBatch(keyless, 'insert', { after: [{ n: 1 }, { n: 2 }] })], { transaction: { id: null } });
  expect(all.map(({ data, pkNames, gtid }) => ({ data, pkNames, gtid }))).toEqual([
    { data: [{ n: '1' }], pkNames: null, gtid: '' },
    { data: [{ n: '2' }], pkNames: null, gtid: '' },
  ]);
});

test('a partial after image is completed from the before image, and an update that changes nothing has an empty old', () => {
  const [partial, none] = messages([
    rowBatch(products, 'update', { before: [{ id: 7, name: 'a' }], after: [{ name: 'b', weight: 2 }] }),
    rowBatch(products, 'update', { before: [kettle], after: [kettle] }),
  ]);
  expect(partial).toMatchObject({ data: [{ id: '7', name: 'b', weight: '2' }], old: [{ name: 'a' }] });
  expect(none?.old).toEqual([{}]);
});

test('rows of a snapshot are inserts', () => {
  expect(messages([rowBatch(products, 'upsert', { after: [kettle] })])[0]?.['type']).toBe('INSERT');
});

test.each([
  ['CREATE TABLE t (id INT)', 'CREATE'],
  ['/* tool */ create or replace table t (id INT)', 'CREATE'],
  ['-- why\nALTER TABLE t ADD n INT', 'ALTER'],
  ['DROP TABLE t', 'ERASE'],
  ['RENAME TABLE t TO u', 'RENAME'],
  ['CREATE UNIQUE INDEX i ON t (n)', 'CINDEX'],
  ['DROP INDEX i ON t', 'DINDEX'],
  ['CREATE DATABASE shop', 'QUERY'],
  ['CREATE VIEW v AS SELECT 1', 'QUERY'],
])('the statement "%s" is a message of the type %s', (sql, type) => {
  expect(messages([{ type: 'schema', database: 'shop', table: 't', sql }])).toEqual([
    {
      data: null,
      database: 'shop',
      es: 1795166102123,
      gtid: '0-1-42',
      id: 0,
      isDdl: true,
      mysqlType: null,
      old: null,
      pkNames: null,
      sql,
      sqlType: null,
      table: 't',
      ts: 1795166102124,
      type,
    },
  ]);
});

test('a truncation is a statement, and a statement about a database has no table', () => {
  const [truncate, database] = messages([
    { type: 'truncate', database: 'shop', table: 't', sql: 'TRUNCATE t' },
    { type: 'schema', database: 'shop', table: null, sql: 'ALTER DATABASE shop COLLATE utf8mb4_bin' },
  ]);
  expect(truncate).toMatchObject({ isDdl: true, type: 'TRUNCATE', sql: 'TRUNCATE t', data: null });
  expect(database).toMatchObject({ isDdl: true, type: 'QUERY', table: '' });
});

/** Column, value in the stream, value in the message, `mysqlType`, `sqlType`. */
const VALUES: readonly (readonly [Column, Row[string], string, string, number])[] = [
  [column('c', 'tinyint'), -5, '-5', 'tinyint', -6],
  [column('c', 'tinyint', { unsigned: true }), 250, '250', 'tinyint unsigned', 5],
  [column('c', 'smallint'), 300, '300', 'smallint', 5],
  [column('c', 'smallint', { unsigned: true }), 65535, '65535', 'smallint unsigned', 4],
  [column('c', 'mediumint'), 70000, '70000', 'mediumint', 4],
  [column('c', 'int', { unsigned: true }), 4294967295, '4294967295', 'int unsigned', -5],
  [column('c', 'bigint'), -9223372036854775808n, '-9223372036854775808', 'bigint', -5],
  [column('c', 'bigint', { unsigned: true }), 18446744073709551615n, '18446744073709551615', 'bigint unsigned', 3],
  [column('c', 'year'), 2026, '2026', 'year', 12],
  [column('c', 'year'), 0, '0000', 'year', 12],
  [column('c', 'bit', { length: 9 }), 258, '258', 'bit(9)', -7],
  [column('c', 'decimal', { length: 10, scale: 2 }), '-0.50', '-0.50', 'decimal(10,2)', 3],
  [column('c', 'float'), 0.1, '0.1', 'float', 7],
  [column('c', 'double'), -0, '-0', 'double', 8],
  [column('c', 'date'), '2026-00-10', '2026-00-10', 'date', 91],
  [column('c', 'datetime', { length: 3 }), '2026-11-20 09:15:02.500', '2026-11-20 09:15:02.500', 'datetime(3)', 93],
  [
    column('c', 'timestamp', { length: 6 }),
    '2026-11-20T09:15:02.000001Z',
    '2026-11-20 09:15:02.000001',
    'timestamp(6)',
    93,
  ],
  [column('c', 'time', { length: 0 }), '-838:59:59', '-838:59:59', 'time', 92],
  [column('c', 'char', { length: 3 }), 'a"é', 'a"é', 'char(3)', 1],
  [column('c', 'text', { length: 4294967295 }), 'x\ny', 'x\ny', 'longtext', 2005],
  [column('c', 'blob', { length: 255 }), new Uint8Array([0, 65, 128, 255]), '\u0000A\u0080\u00ff', 'tinyblob', 2004],
  [column('c', 'varbinary', { length: 4 }), new Uint8Array([254]), '\u00fe', 'varbinary(4)', 2004],
  [column('c', 'enum', { members: ['a', "b'"] }), "b'", '2', "enum('a','b''')", 4],
  [column('c', 'enum', { members: ['a'] }), '', '0', "enum('a')", 4],
  [column('c', 'set', { members: ['a', 'b', 'c'] }), 'a,c', '5', "set('a','b','c')", -7],
  [column('c', 'set', { members: ['a'] }), '', '0', "set('a')", -7],
  [column('c', 'json'), '{"a": 1.10}', '{"a": 1.10}', 'json', 12],
  [column('c', 'vector', { length: 2 }), new Float32Array([1, 0.1]), '[1,0.1]', 'vector(2)', 2004],
  [column('c', 'uuid'), '123e4567-e89b-12d3-a456-426655440000', '123e4567-e89b-12d3-a456-426655440000', 'uuid', 1],
];

test.each(VALUES)(
  'a value of $type is the text of docs/formats/canal.md',
  (definition, value, text, mysqlType, sqlType) => {
    const rows = rowBatch(table('a.b', [definition], { key: [] }), 'insert', { after: [{ c: value }] });
    const [message] = messages([rows]);
    expect(message?.data).toEqual([{ c: text }]);
    expect(message?.mysqlType).toEqual({ c: mysqlType });
    expect(message?.sqlType).toEqual({ c: sqlType });
  },
);
