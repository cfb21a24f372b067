import { describe, expect, test } from 'vitest';
import {
  column,
  COMMITTED_AT_US,
  part,
  type PartOptions,
  position,
  rowBatch,
  table,
} from '../../test/support/changes.ts';
import type { Row } from '../core/change.ts';
import type { Entry } from '../core/source.ts';
import type { Column } from '../core/table-schema.ts';
import { DebeziumEncoder } from './debezium.ts';

function encode(entries: readonly Entry[], options: PartOptions = {}): { lines: string[]; warnings: string[] } {
  const warnings: string[] = [];
  const lines: string[] = [];
  const encoder = new DebeziumEncoder({
    warn: (fields, message) => warnings.push(`${JSON.stringify(fields)} ${message}`),
    nowUs: () => COMMITTED_AT_US + 1500,
    version: '0.1.0',
  });
  encoder.encode(part(entries, options), (line) => lines.push(line));
  return { lines, warnings };
}

const customers = table('inventory.customers', [column('id', 'int'), column('name', 'varchar')]);

describe('golden values', () => {
  const source = (extra: string): string =>
    `"source":{"version":"0.1.0","connector":"mariadb","name":"tidings","ts_ms":1795166102123,"snapshot":"false","db":"inventory","sequence":null,"ts_us":1795166102123456,"ts_ns":1795166102123456000,"table":"customers","server_id":1,"gtid":"0-1-42","file":"mysql-bin.000003","pos":154,${extra}}`;
  const processed = '"ts_ms":1795166102124,"ts_us":1795166102124956,"ts_ns":1795166102124956000';

  test('create, update and delete', () => {
    const { lines } = encode([
      rowBatch(customers, 'insert', { after: [{ id: 1, name: 'Ada' }], statement: 'INSERT …' }),
      rowBatch(customers, 'update', { before: [{ id: 1, name: 'Ada' }], after: [{ id: 1, name: 'Eva' }] }),
      rowBatch(customers, 'delete', {
        before: [
          { id: 1, name: 'Eva' },
          { id: 2, name: null },
        ],
      }),
    ]);
    const rest = (row: number, query = 'null'): string => source(`"row":${row},"thread":null,"query":${query}`);
    expect(lines).toEqual([
      `{"before":null,"after":{"id":1,"name":"Ada"},${rest(0, '"INSERT …"')},"transaction":null,"op":"c",${processed}}`,
      `{"before":{"id":1,"name":"Ada"},"after":{"id":1,"name":"Eva"},${rest(0)},"transaction":null,"op":"u",${processed}}`,
      `{"before":{"id":1,"name":"Eva"},"after":null,${rest(0)},"transaction":null,"op":"d",${processed}}`,
      `{"before":{"id":2,"name":null},"after":null,${rest(1)},"transaction":null,"op":"d",${processed}}`,
    ]);
  });

  test('a truncation is an event of its own, and a schema change has no line', () => {
    const { lines } = encode([
      { type: 'schema', database: 'inventory', table: 'customers', sql: 'ALTER …' },
      { type: 'truncate', database: 'inventory', table: 'customers', sql: 'TRUNCATE customers' },
    ]);
    expect(lines).toEqual([
      `{"before":null,"after":null,${source('"row":0,"thread":null,"query":"TRUNCATE customers"')},"transaction":null,"op":"t",${processed}}`,
    ]);
  });
});

test('each field has the type and the meaning that it has in the documented events', () => {
  const { lines } = encode([
    rowBatch(customers, 'update', { before: [{ id: 5, name: 'Ada' }], after: [{ id: 5, name: null }] }),
  ]);
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    before: { id: 5, name: 'Ada' },
    after: { id: 5, name: null },
    source: {
      version: '0.1.0',
      connector: 'mariadb',
      name: 'tidings',
      ts_ms: 1795166102123,
      snapshot: 'false',
      db: 'inventory',
      sequence: null,
      ts_us: 1795166102123456,
      ts_ns: 1795166102123456000,
      table: 'customers',
      server_id: 1,
      gtid: '0-1-42',
      file: 'mysql-bin.000003',
      pos: 154,
      row: 0,
      thread: null,
      query: null,
    },
    transaction: null,
    op: 'u',
    ts_ms: 1795166102124,
    ts_us: 1795166102124956,
    ts_ns: 1795166102124956000,
  });
});

test('an update that changes the primary key is a delete of the old one and a create of the new one', () => {
  const { lines } = encode([
    rowBatch(customers, 'update', { before: [{ id: 1, name: 'Ada' }], after: [{ id: 9, name: 'Ada' }] }),
  ]);
  const events = lines.map((line) => JSON.parse(line) as { op: string; before: Row | null; after: Row | null });
  expect(events.map(({ op, before, after }) => [op, before?.['id'], after?.['id']])).toEqual([
    ['d', 1, undefined],
    ['c', undefined, 9],
  ]);
});

test('what is not known of the binlog is null, never made up', () => {
  const rows = rowBatch(customers, 'insert', { after: [{ id: 1, name: 'Ada' }] });
  const { lines } = encode([rows], { transaction: { id: null, start: position('opaque') } });
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    source: { connector: 'mysql', gtid: null, file: null, pos: null, thread: null, query: null },
  });
});

describe('values', () => {
  const values = (columns: readonly Column[], row: Row): { after: unknown; warnings: string[] } => {
    const { lines, warnings } = encode([rowBatch(table('a.b', columns, { key: [] }), 'insert', { after: [row] })]);
    const line = lines[0] ?? '';
    return { after: line.slice(line.indexOf('"after":') + 8, line.indexOf(',"source"')), warnings };
  };

  test('each type has the form of the settings named in docs/formats/debezium.md', () => {
    const columns = [
      column('b1', 'bit', { length: 1 }),
      column('b9', 'bit', { length: 9 }),
      column('u', 'bigint', { unsigned: true }),
      column('dec', 'decimal'),
      column('d', 'date'),
      column('dt', 'datetime', { length: 0 }),
      column('dt6', 'datetime', { length: 6 }),
      column('far', 'datetime', { length: 6 }),
      column('ts', 'timestamp', { length: 3 }),
      column('t', 'time', { length: 1 }),
      column('y', 'year'),
      column('j', 'json'),
      column('g', 'geometry'),
      column('v', 'vector'),
      column('bin', 'varbinary'),
      column('s', 'set'),
    ];
    const point = Buffer.alloc(25);
    point.writeUInt32LE(4326, 0);
    point.writeUInt8(1, 4);
    point.writeUInt32LE(1, 5);
    const row: Row = {
      b1: 1,
      b9: 0x102,
      u: 18446744073709551615n,
      dec: '1.50',
      d: '1969-12-31',
      dt: '2018-06-20 06:37:03',
      dt6: '2018-06-20 06:37:03.123456',
      far: '9999-12-31 23:59:59.999999',
      ts: '2018-06-20T13:37:03.120Z',
      t: '-00:00:01.5',
      y: 2026,
      j: '{"a": 1}',
      g: point,
      v: new Float32Array([0.1]),
      bin: new Uint8Array([1, 2]),
      s: 'a,b',
    };
    const { after, warnings } = values(columns, row);
    expect(after).toBe(
      '{"b1":true,"b9":"AgE=","u":18446744073709551615,"dec":"1.50","d":-1,"dt":1529476623000,"dt6":1529476623123456,' +
        '"far":253402300799999999,"ts":"2018-06-20T13:37:03.120Z","t":-1500000,"y":2026,"j":"{\\"a\\": 1}",' +
        `"g":{"wkb":"${point.subarray(4).toString('base64')}","srid":4326},"v":[0.1],"bin":"AQI=","s":"a,b"}`,
    );
    expect(warnings).toEqual([]);
  });

  test('zero and partial dates become what Debezium makes of them, and each column says so once', () => {
    const columns = [
      column('d', 'date'),
      column('dt', 'datetime', { nullable: false }),
      column('ts', 'timestamp', { nullable: false }),
    ];
    const row = { d: '2026-00-10', dt: '0000-00-00 00:00:00', ts: '0000-00-00T00:00:00Z' };
    const entry = rowBatch(table('a.b', columns, { key: [] }), 'insert', { after: [row, row] });
    const { lines, warnings } = encode([entry]);
    expect(lines[0]).toContain('"after":{"d":null,"dt":0,"ts":"1970-01-01T00:00:00Z"}');
    expect(warnings).toEqual([
      '{"database":"a","table":"b","column":"d"} zero or partial dates become null: the debezium format has no form for them',
      '{"database":"a","table":"b","column":"dt"} zero or partial dates become 1970-01-01: the debezium format has no form for them',
      '{"database":"a","table":"b","column":"ts"} zero or partial dates become 1970-01-01: the debezium format has no form for them',
    ]);
  });
});
