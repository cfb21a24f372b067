import { describe, expect, test } from 'vitest';
import { changeOf } from '../../test/support/mapped.ts';
import type { StreamChange } from '../core/consumer.ts';
import { tableOf } from '../testing/tables.ts';
import type { MappingHooks } from './hooks.ts';
import { createMapper } from './mapper.ts';
import type { MappingConfig } from './mapping-config.ts';

const ORDERS = tableOf('shop.orders', { id: { type: 'int', nullable: false }, status: 'varchar' }, ['id']);
const SECRETS = tableOf('shop.secrets', { id: 'int' }, ['id']);

const row = (status: string): { id: number; status: string } => ({ id: 1, status });
const changes = {
  inserted: changeOf(ORDERS, { after: row('new') }),
  paid: changeOf(ORDERS, { before: row('new'), after: row('paid') }),
  undone: changeOf(ORDERS, { before: row('paid'), after: row('new') }),
  gone: changeOf(ORDERS, { before: row('paid') }),
  goneUnpaid: changeOf(ORDERS, { before: row('new') }),
};

/** Who left the change out and why, once it is clear that the rows are those that a sink would get. */
async function leftOut(mapping: MappingConfig, change: StreamChange, hooks: MappingHooks = {}): Promise<string[]> {
  const trace = await createMapper({ mapping, sink: 'test', hooks }).trace(change);
  expect(trace.rows).toEqual(await createMapper({ mapping, sink: 'test', hooks }).map(change));
  return trace.leftOut.map(({ rule, hook, reason }) => `${rule ?? hook}: ${reason}`);
}

describe('a trace says of each rule why nothing came of a change', () => {
  const paid = { where: "status = 'paid'" };

  test('its condition', async () => {
    const mapping = { tables: { 'shop.*': [paid, { to: 'all' }] } };
    expect(await leftOut(mapping, changes.inserted)).toEqual(['shop.*[0]: where']);
    expect(await leftOut(mapping, changes.goneUnpaid)).toEqual(['shop.*[0]: where']);
    for (const change of [changes.paid, changes.undone, changes.gone]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other, so that a failure names its change
      expect(await leftOut(mapping, change)).toEqual([]);
    }
  });

  test('that it ignores what goes', async () => {
    const mapping = { tables: { 'shop.*': { ...paid, delete: 'ignore' } } } as const;
    expect(await leftOut(mapping, changes.gone)).toEqual(['shop.*: delete']);
    expect(await leftOut(mapping, changes.undone)).toEqual(['shop.*: delete']);
    expect(await leftOut(mapping, changes.goneUnpaid)).toEqual(['shop.*: where']);
    expect(await leftOut(mapping, changes.inserted)).toEqual(['shop.*: where']);
  });

  test('a hook, in front of the rules, instead of them or behind them', async () => {
    const mapping = { tables: { 'shop.*': [paid, { to: 'all' }] } };
    expect(await leftOut(mapping, changes.paid, { before: () => null })).toEqual(['before: hook']);
    expect(await leftOut(mapping, changes.paid, { mapBatch: (all) => all.map(() => null) })).toEqual([
      'mapBatch: hook',
    ]);
    const after: MappingHooks['after'] = (made) => (made.target.table.name === 'all' ? null : made);
    expect(await leftOut(mapping, changes.paid, { after })).toEqual(['after: hook']);
    expect(await leftOut(mapping, changes.inserted, { after })).toEqual(['shop.*[0]: where', 'after: hook']);
  });
});

test('a trace fails as the mapping does', async () => {
  const cast = { tables: { 'shop.*': { columns: { n: { from: 'status', cast: 'int' } } } } };
  const mapper = createMapper({ mapping: cast, sink: 'test' });
  expect(() => mapper.trace(changes.inserted)).toThrow(/^a row of shop\.orders, rule shop\.\*: column "n": /);
  const hooks: MappingHooks = { after: () => Promise.reject(new Error('a secret')) };
  const hooked = createMapper({ mapping: {}, sink: 'test', hooks });
  await expect(hooked.trace(changes.inserted)).rejects.toThrow(/^a row of shop\.orders: the hook "after" threw Error/);
});

test('tables that no pattern matches, or that are skipped, are not selected', () => {
  const mapping: MappingConfig = { tables: { 'shop.secrets': 'skip', 'shop.*': {} } };
  for (const hooks of [{}, { after: (made) => made } satisfies MappingHooks]) {
    const mapper = createMapper({ mapping, sink: 'test', hooks });
    const selected = [ORDERS, SECRETS, tableOf('crm.users', { id: 'int' })].filter(({ database, name }) =>
      mapper.selects(database, name),
    );
    expect(selected).toEqual([ORDERS]);
  }
});
