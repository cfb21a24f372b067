import { describe, expect, test } from 'vitest';
import { GrowingRowTarget } from '../../../test/support/row-target.ts';
import { tableOf } from '../../testing/tables.ts';
import type { Row, Value } from '../change.ts';
import { plainRowBatch, type PlainUpdate } from '../plain-rows.ts';
import type { ColumnType } from '../table-schema.ts';
import { keyHash, tableHash } from './key-hash.ts';

const users = tableOf('crm.users', { id: 'int', name: 'varchar' }, ['id']);

/** The fields of the header, in order. */
function headerOf(update: PlainUpdate, table = users): { moved: boolean; hash: number; rest: number[] } {
  const target = new GrowingRowTarget();
  plainRowBatch({ kind: 'update', table, rows: [update] }).writeTo(target);
  const bytes = target.written();
  const moved = bytes.readInt32LE(0) < 0;
  const length = bytes.readUInt32LE(0) & 0x7fff_ffff;
  expect(bytes.length).toBe(length + (moved ? 16 : 8));
  return {
    moved,
    hash: bytes.readUInt32LE(4),
    rest: moved ? [bytes.readUInt32LE(8), bytes.readUInt32LE(12)] : [],
  };
}

describe('the row header', () => {
  test('has the hash of the key, before the change for a delete', () => {
    const target = new GrowingRowTarget();
    plainRowBatch({ kind: 'insert', table: users, rows: [{ id: 7, name: 'x' }] }).writeTo(target);
    plainRowBatch({ kind: 'delete', table: users, rows: [{ id: 8 }] }).writeTo(target);
    const bytes = target.written();
    expect(bytes.readUInt32LE(4)).toBe(keyHash(users, [7]));
    expect(bytes.readUInt32LE(8 + bytes.readUInt32LE(0) + 4)).toBe(keyHash(users, [8]));
  });

  test('of an update that moves the key has both hashes and where the image after begins', () => {
    const update = { before: { id: 1, name: 'a' }, after: { id: 2, name: 'a' } };
    // Of the image before: an id of one byte behind its branch, a text of two.
    expect(headerOf(update)).toEqual({ moved: true, hash: keyHash(users, [2]), rest: [keyHash(users, [1]), 5] });
  });

  test('of an update that leaves the key as it is has one hash, also when only one image has the key', () => {
    const same = { moved: false, hash: keyHash(users, [1]), rest: [] };
    expect(headerOf({ before: { id: 1, name: 'a' }, after: { id: 1, name: 'b' } })).toEqual(same);
    expect(headerOf({ before: { id: 1 }, after: { name: 'b' } })).toEqual(same);
    expect(headerOf({ before: { name: 'a' }, after: { id: 1, name: 'b' } })).toEqual(same);
  });

  test('of a table without a key, and of a row whose key was not logged, has the hash of the table', () => {
    const log = tableOf('crm.log', { line: 'text' });
    expect(headerOf({ before: { line: 'a' }, after: { line: 'b' } }, log).hash).toBe(tableHash(log));
    expect(headerOf({ before: { name: 'a' }, after: { name: 'b' } })).toMatchObject({ hash: tableHash(users) });
  });

  test('takes the same number for the same key as a bigint, and the same bytes for the same', () => {
    const big = tableOf('crm.big', { id: 'bigint' }, ['id']);
    expect(headerOf({ before: { id: 7 }, after: { id: 7n } }, big).moved).toBe(false);
    const binary = tableOf('crm.binary', { id: 'binary' }, ['id']);
    expect(headerOf({ before: { id: Buffer.from('a') }, after: { id: new Uint8Array([97]) } }, binary).moved).toBe(
      false,
    );
    expect(headerOf({ before: { id: Buffer.from('a') }, after: { id: new Uint8Array([98]) } }, binary).moved).toBe(
      true,
    );
    const vector = tableOf('crm.vector', { id: 'vector' }, ['id']);
    const update = (before: number[], after: number[]): PlainUpdate => ({
      before: { id: new Float32Array(before) },
      after: { id: new Float32Array(after) },
    });
    expect(headerOf(update([], []), vector).moved).toBe(false);
    expect(headerOf(update([1, -0.5], [1, -0.5]), vector).moved).toBe(false);
    expect(headerOf(update([1, -0.5], [1, 0.5]), vector).moved).toBe(true);
    expect(headerOf(update([1], [1, 0]), vector).moved).toBe(true);
  });
});

describe('columns', () => {
  test('batches of a table version with the same columns share one shape, whatever the order of their properties', () => {
    const shapeOf = (row: Row): unknown => plainRowBatch({ kind: 'insert', table: users, rows: [row] }).shape;
    expect(shapeOf({ id: 1, name: 'a' })).toBe(shapeOf({ name: 'b', id: 2 }));
    expect(shapeOf({ id: 1 })).not.toBe(shapeOf({ id: 1, name: 'a' }));
    expect(plainRowBatch({ kind: 'delete', table: users, rows: [{ id: 1 }] }).shape).toMatchObject({
      before: [0],
      after: null,
    });
    expect(plainRowBatch({ kind: 'insert', table: users, rows: [] }).shape).toMatchObject({ after: [0, 1] });
  });

  test.each([
    ['one less', [{ id: 1, name: 'a' }, { id: 2 }]],
    ['one more', [{ id: 1 }, { id: 2, name: 'a' }]],
    ['one that the table does not have', [{ id: 1, nickname: 'a' }]],
  ])('rows of which one has %s are refused, by table', (_, rows) => {
    const write = (): void => plainRowBatch({ kind: 'insert', table: users, rows }).writeTo(new GrowingRowTarget());
    expect(write).toThrow(
      expect.objectContaining({ code: 'CHANGE_COLUMNS_MIXED', message: expect.stringContaining('crm.users') }),
    );
  });
});

describe('values', () => {
  const misfits: readonly [ColumnType, Value][] = [
    ['int', 'secret'],
    ['int', 1.5],
    ['int', 2 ** 31],
    ['tinyint', 2n ** 40n],
    ['bigint', 2 ** 60],
    ['bigint', 2n ** 63n],
    ['bit', 2n ** 64n],
    ['double', '1'],
    ['float', 1e300],
    ['varchar', 7],
    ['varchar', null],
    ['decimal', '１'],
    ['json', '{secret'],
    ['json', { parsed: 'secret' }],
    ['blob', 'secret'],
    ['vector', [1, 2]],
  ];

  test.each(misfits)('a %s column refuses %o, by name and without the value', (type, value) => {
    const table = tableOf('crm.facts', { fact: { type, nullable: false } });
    const write = (): void =>
      plainRowBatch({ kind: 'insert', table, rows: [{ fact: value }] }).writeTo(new GrowingRowTarget());
    expect(write).toThrow(
      expect.objectContaining({
        code: 'CHANGE_VALUE_INVALID',
        message: expect.stringContaining('crm.facts.fact'),
        details: { database: 'crm', table: 'facts', column: 'fact', columnType: type },
      }),
    );
    expect(write).not.toThrow(/secret/);
  });

  test('a row that is larger than the target takes is its error, whatever was written of it', () => {
    const rows = [{ id: 1, name: 'x'.repeat(100_000) }];
    const write = (): void =>
      plainRowBatch({ kind: 'insert', table: users, rows }).writeTo(new GrowingRowTarget({ rowBytesMax: 50_000 }));
    expect(write).toThrow(expect.objectContaining({ code: 'ROW_TOO_LARGE' }));
  });

  test('a text of millions of characters asks for its own bytes only', () => {
    const rows = [{ id: 1, name: 'é'.repeat(2_000_000) }];
    const target = new GrowingRowTarget({ rowBytesMax: 4_001_000 });
    plainRowBatch({ kind: 'insert', table: users, rows }).writeTo(target);
    expect(target.written().length).toBeGreaterThan(4_000_000);
  });
});
