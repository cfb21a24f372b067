import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { parseEventName } from './event-name.ts';
import type { KeyEvent, ListenerOf, NoSuchEvent, RawEvent, SchemaEvent, TruncateEvent } from './event-types.ts';
import type { Key } from '../../../core/plain-rows.ts';
import type { Position } from '../../../core/position.ts';

describe('an event’s name says', () => {
  const any = { database: null, table: null };
  test.each([
    ['orders_write', { form: 'key', database: null, table: 'orders', action: 'write' }],
    ['orders_update_raw', { form: 'raw', database: null, table: 'orders', action: 'update' }],
    ['shop.orders_delete', { form: 'key', database: 'shop', table: 'orders', action: 'delete' }],
    ['orders_*', { form: 'key', database: null, table: 'orders', action: null }],
    ['shop.orders_*_raw', { form: 'raw', database: 'shop', table: 'orders', action: null }],
    ['*', { form: 'key', ...any, action: null }],
    ['*_raw', { form: 'raw', ...any, action: null }],
    ['*_delete', { form: 'key', ...any, action: 'delete' }],
    ['shop.*', { form: 'key', database: 'shop', table: null, action: null }],
    ['shop.*_raw', { form: 'raw', database: 'shop', table: null, action: null }],
    ['shop.*_write', { form: 'key', database: 'shop', table: null, action: 'write' }],
    ['*.orders_write', { form: 'key', database: null, table: 'orders', action: 'write' }],
    ['orders_truncate', { form: 'truncate', database: null, table: 'orders' }],
    ['shop.*_truncate', { form: 'truncate', database: 'shop', table: null }],
    ['position', { form: 'position' }],
    ['mysql_binlog_pos', { form: 'mysql_binlog_pos' }],
    ['schema', { form: 'schema' }],
    // The end decides, so tables may be called what they like.
    ['order_write_write', { form: 'key', database: null, table: 'order_write', action: 'write' }],
    ['x_update_raw_delete', { form: 'key', database: null, table: 'x_update_raw', action: 'delete' }],
    ['position_write', { form: 'key', database: null, table: 'position', action: 'write' }],
    ['a.b.c_write', { form: 'key', database: 'a', table: 'b.c', action: 'write' }],
  ])('%s', (name, selector) => {
    expect(parseEventName(name)).toEqual(selector);
  });

  test.each([
    '',
    'orders',
    'orders_insert',
    '_write',
    '.orders_write',
    'shop._write',
    'raw',
    'orders_raw',
    'orders_truncate_raw',
    '_truncate',
  ])('nothing that is ever published, and is refused: "%s"', (name) => {
    expect(() => parseEventName(name)).toThrow(expect.objectContaining({ code: 'EVENT_NAME_INVALID' }));
  });

  test('whatever the table and the database are called, short of points and stars', () => {
    const identifier = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !/[.*]/u.test(text));
    fc.assert(
      fc.property(identifier, identifier, fc.constantFrom('write', 'update', 'delete'), (database, table, action) => {
        expect(parseEventName(`${table}_${action}`)).toEqual({ form: 'key', database: null, table, action });
        expect(parseEventName(`${database}.${table}_${action}_raw`)).toEqual({ form: 'raw', database, table, action });
      }),
    );
  });
});

test('the type of a listener follows from the name of the event', () => {
  type Arguments<Name extends string> = ListenerOf<Name> extends (...parameters: infer P) => unknown ? P : never;
  expectTypeOf<Arguments<'orders_write'>>().toEqualTypeOf<[pk: Key, event: KeyEvent]>();
  expectTypeOf<Arguments<'*'>>().toEqualTypeOf<[pk: Key, event: KeyEvent]>();
  expectTypeOf<Arguments<'shop.*'>>().toEqualTypeOf<[pk: Key, event: KeyEvent]>();
  expectTypeOf<Arguments<'orders_write_raw'>>().toEqualTypeOf<[event: RawEvent]>();
  expectTypeOf<Arguments<'*_raw'>>().toEqualTypeOf<[event: RawEvent]>();
  expectTypeOf<Arguments<'shop.*_raw'>>().toEqualTypeOf<[event: RawEvent]>();
  expectTypeOf<Arguments<`${string}_delete`>>().toEqualTypeOf<[pk: Key, event: KeyEvent]>();
  expectTypeOf<Arguments<'orders_truncate'>>().toEqualTypeOf<[event: TruncateEvent]>();
  expectTypeOf<Arguments<'schema'>>().toEqualTypeOf<[event: SchemaEvent]>();
  expectTypeOf<Arguments<'position'>[0]>().toEqualTypeOf<Position>();
  expectTypeOf<Arguments<'mysql_binlog_pos'>[0]>().toEqualTypeOf<string>();
  expectTypeOf<ListenerOf<'orders_insert'>>().toEqualTypeOf<NoSuchEvent<'orders_insert'>>();
  // A narrower key may be declared by who knows it, and any result will do.
  const listener: ListenerOf<'orders_write'> = (pk: number) => pk > 0;
  expect(listener(1, {} as KeyEvent)).toBe(true);
});
