import { expect, test } from 'vitest';
import { column, part, position, rowBatch, table } from '../../test/support/changes.ts';
import type { Row } from '../core/change.ts';
import type { TransactionPart } from '../core/source.ts';
import { MaxwellEncoder } from './maxwell.ts';

function encode(...parts: readonly TransactionPart[]): { lines: string[]; warnings: string[] } {
  const warnings: string[] = [];
  const lines: string[] = [];
  const encoder = new MaxwellEncoder({ warn: (_fields, message) => warnings.push(message) });
  for (const each of parts) encoder.encode(each, (line) => lines.push(line));
  return { lines, warnings };
}

const e = table('test.e', [column('id', 'int'), column('m', 'double'), column('comment', 'varchar')]);

test('golden lines: insert, update with its old values, delete, and the commit on the last line', () => {
  const { lines } = encode(
    part([
      rowBatch(e, 'insert', { after: [{ id: 1, m: 4.25, comment: 'first' }] }),
      rowBatch(e, 'update', {
        before: [{ id: 1, m: 4.25, comment: 'first' }],
        after: [{ id: 1, m: 5.5, comment: 'first' }],
      }),
      rowBatch(e, 'delete', { before: [{ id: 1, m: 5.5, comment: 'first' }] }),
    ]),
  );
  const head = (type: string): string => `{"database":"test","table":"e","type":"${type}","ts":1795166102,"xid":null,`;
  const tail = '"gtid":"0-1-42","server_id":1,"data":';
  expect(lines).toEqual([
    `${head('insert')}"xoffset":0,"position":"mysql-bin.000003:154",${tail}{"id":1,"m":4.25,"comment":"first"}}`,
    `${head('update')}"xoffset":1,"position":"mysql-bin.000003:154",${tail}{"id":1,"m":5.5,"comment":"first"},"old":{"m":4.25}}`,
    `${head('delete')}"commit":true,"position":"mysql-bin.000003:484",${tail}{"id":1,"m":5.5,"comment":"first"}}`,
  ]);
});

test('the offset counts through all parts of a transaction and begins again with the next', () => {
  const insert = rowBatch(e, 'insert', { after: [{ id: 1 }, { id: 2 }] });
  const { lines } = encode(part([insert], { end: null }), part([insert], { begins: false }), part([insert]));
  const marks = lines.map((line) => {
    const { xoffset, commit } = JSON.parse(line) as { xoffset?: number; commit?: boolean };
    return commit === true ? 'commit' : xoffset;
  });
  expect(marks).toEqual([0, 1, 2, 'commit', 0, 'commit']);
});

test('a partial after image is completed from the before image', () => {
  const { lines } = encode(
    part([rowBatch(e, 'update', { before: [{ id: 1, comment: 'a' }], after: [{ comment: 'b', m: 2 }] })]),
  );
  expect(lines[0]).toContain('"data":{"id":1,"m":2,"comment":"b"},"old":{"comment":"a"}}');
});

test('an update that changes no value has no old', () => {
  const columns = [column('b', 'blob'), column('v', 'vector')];
  const image = (): Row => ({ b: new Uint8Array([1]), v: new Float32Array([0.5]) });
  const { lines } = encode(
    part([rowBatch(table('a.b', columns, { key: [] }), 'update', { before: [image()], after: [image()] })]),
  );
  expect(lines[0]).not.toContain('"old"');
});

test("types are written in Maxwell's way", () => {
  const columns = [
    column('d', 'decimal'),
    column('ts', 'timestamp'),
    column('s', 'set'),
    column('none', 'set'),
    column('g', 'geometry'),
    column('j', 'json'),
    column('b', 'blob'),
    column('e', 'enum'),
  ];
  const point = Buffer.alloc(25);
  point.writeUInt8(1, 4);
  point.writeUInt32LE(1, 5);
  point.writeDoubleLE(1.5, 9);
  point.writeDoubleLE(-2, 17);
  const row: Row = {
    d: '-0012.50',
    ts: '2016-10-21T05:33:37.523000Z',
    s: 'a,b',
    none: '',
    g: point,
    j: '{"a": 1.10}',
    b: new Uint8Array([255]),
    e: 'x',
  };
  const { lines } = encode(part([rowBatch(table('a.b', columns, { key: [] }), 'insert', { after: [row] })]));
  expect(lines[0]).toContain(
    '"data":{"d":-12.50,"ts":"2016-10-21 05:33:37.523000","s":["a","b"],"none":[],"g":"POINT (1.5 -2)","j":{"a": 1.10},"b":"/w==","e":"x"}}',
  );
});

test('a position without a file is null, and a truncation is reported once', () => {
  const truncate = { type: 'truncate', database: 'a', table: 'b', sql: 'TRUNCATE b' } as const;
  const insert = rowBatch(e, 'insert', { after: [{ id: 1 }] });
  const { lines, warnings } = encode(part([insert, truncate, truncate], { end: position('0-1-43') }));
  expect(lines[0]).toContain('"commit":true,"position":null');
  expect(warnings).toEqual(['the table was truncated; the maxwell format has no line for it']);
});

test('each field has the type and the meaning that it has in the documented lines', () => {
  const row = { id: 3, m: 0.5, comment: null };
  const { lines } = encode(
    part([
      rowBatch(e, 'insert', { after: [row] }),
      rowBatch(e, 'update', { before: [row], after: [{ ...row, m: 0.75 }] }),
      rowBatch(e, 'upsert', { after: [row] }),
    ]),
  );
  const common = {
    database: 'test',
    table: 'e',
    ts: 1795166102,
    xid: null,
    position: 'mysql-bin.000003:154',
    gtid: '0-1-42',
    server_id: 1,
    data: { id: 3, m: 0.5, comment: null },
  };
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { ...common, type: 'insert', xoffset: 0 },
    { ...common, type: 'update', xoffset: 1, data: { id: 3, m: 0.75, comment: null }, old: { m: 0.5 } },
    { ...common, type: 'insert', commit: true, position: 'mysql-bin.000003:484' },
  ]);
});
