import { describe, expect, test } from 'vitest';
import { changeOf, type ChangeSketch } from '../../test/support/mapped.ts';
import { tableOf } from '../testing/tables.ts';
import { createMapper } from './mapper.ts';
import type { MappingConfig } from './mapping-config.ts';

const orders = tableOf(
  'shop.orders',
  { id: { type: 'int', nullable: false }, customer: 'varchar', total: { type: 'decimal', length: 10, scale: 2 } },
  ['id'],
);
const row = { id: 1, customer: 'a', total: '1.50' };

function passing(mapping: MappingConfig): boolean {
  const target = createMapper({ mapping, sink: 's' }).passing?.(orders);
  return target !== undefined && target !== null;
}

describe('a mapping', () => {
  test.each<[string, MappingConfig]>([
    ['without rules', {}],
    ['that names the table', { tables: { 'shop.orders': {} } }],
    ['that renames it', { tables: { 'shop.orders': { to: 'copies.bought' } } }],
    [
      'that names all of its columns in their order',
      { tables: { 'shop.*': { include: ['id', 'customer', 'total'] } } },
    ],
  ])('%s passes rows on as they are', (_, mapping) => {
    const mapper = createMapper({ mapping, sink: 's' });
    const target = mapper.passing?.(orders) ?? null;
    expect(target).not.toBeNull();
    const changes: readonly ChangeSketch[] = [
      { after: row },
      { after: row, kind: 'upsert' },
      { before: row, after: { ...row, total: '2.00' } },
      { before: row },
    ];
    for (const sketch of changes) {
      const change = changeOf(orders, sketch);
      const { kind, key, before, after, scn } = change;
      expect(mapper.map(change)).toEqual([{ target, kind, key, before, after, scn, change, keepsKey: true }]);
      expect(mapper.map(change)).toHaveProperty('[0].target', target);
    }
  });

  test.each<[string, MappingConfig]>([
    ['a condition', { tables: { 'shop.orders': { where: 'total > 1' } } }],
    ['another name for a column', { tables: { 'shop.orders': { columns: { buyer: 'customer' } } } }],
    ['a column less', { tables: { 'shop.orders': { exclude: ['total'] } } }],
    ['a column more', { tables: { 'shop.orders': { columns: { origin: { value: 'shop' } } } } }],
    ['a key of its own', { tables: { 'shop.orders': { key: ['customer'] } } }],
    ['deletions that are ignored', { tables: { 'shop.orders': { delete: 'ignore' } } }],
    ['two targets', { tables: { 'shop.orders': [{ to: 'a.orders' }, { to: 'b.orders' }] } }],
    ['a target that depends on a value', { tables: { 'shop.orders': { to: 'copies.{customer}' } } }],
    ['no rule for the table', { tables: { 'shop.customers': {} } }],
  ])('with %s does not', (_, mapping) => {
    expect(passing(mapping)).toBe(false);
  });

  test('of a table without a key does not, and hooks never do', () => {
    const keyless = tableOf('shop.keyless', { id: 'int' });
    expect(createMapper({ mapping: {}, sink: 's' }).passing?.(keyless)).toBeNull();
    const hooked = createMapper({ mapping: {}, sink: 's', hooks: { before: (change) => change } });
    expect(hooked.passing).toBeUndefined();
  });
});
