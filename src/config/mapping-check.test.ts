import { expect, test } from 'vitest';
import { silentLogger } from '../core/logger.ts';
import type { TableSchema } from '../core/table-schema.ts';
import type { RuleConfig } from '../mapping/mapping-config.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { tableOf } from '../testing/tables.ts';
import { MappingCheck } from './mapping-check.ts';

const OLD = tableOf('shop.orders', { id: { type: 'int', nullable: false } }, ['id']);
const ALTERED = tableOf('shop.orders', { id: { type: 'int', nullable: false }, status: 'varchar' }, ['id']);

interface Checked {
  readonly check: MappingCheck;
  readonly clock: ManualClock;
  readonly warnings: readonly string[];
}

function checkOf(rule: RuleConfig, known: () => readonly TableSchema[]): Checked {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
  const mapping = { tables: { 'shop.orders': rule, 'shop.later': {} } };
  const options = { mapping, sink: 'crm', stream: 'shop', directory: '/', patches: false, clock, log };
  return { check: new MappingCheck({ ...options, tables: () => Promise.resolve(known()) }), clock, warnings };
}

const renamed: RuleConfig = { columns: { a: 'status' } };

test('everything that does not go together is one error, which waits for the stream at first and then for a person', async () => {
  const { check, clock } = checkOf({ ...renamed, where: 'staus = 1' }, () => [OLD]);
  const message =
    'the mapping of sink crm does not go with the tables of stream shop: ' +
    'shop.orders, rule shop.orders: column "a": shop.orders has no column "status", at character 1 (Its columns are id.); ' +
    'shop.orders, rule shop.orders: shop.orders has no column "staus", at character 1 (Its columns are id.)';
  const error = { code: 'MAPPING_INVALID', message, details: { sink: 'crm', stream: 'shop', mistakes: 2 } };
  await expect(check.run()).rejects.toMatchObject({ ...error, retry: 'backoff' });
  clock.advance(9999);
  await expect(check.run()).rejects.toMatchObject({ ...error, retry: 'backoff' });
  clock.advance(1);
  await expect(check.run()).rejects.toMatchObject({ ...error, retry: 'operator' });
  // Resumed by hand.
  await expect(check.run()).rejects.toMatchObject({ ...error, retry: 'backoff' });
});

test('what a stream does not know yet is a warning, told once; with no table at all nothing is', async () => {
  const fitting = checkOf(renamed, () => [ALTERED]);
  await fitting.check.run();
  await fitting.check.run();
  expect(fitting.warnings).toEqual(['shop.later matches no table that is known']);
  const fresh = checkOf(renamed, () => []);
  await fresh.check.run();
  expect(fresh.warnings).toEqual([]);
});

test('a table that the stream learns to be altered meanwhile lets the sink begin', async () => {
  let known = [OLD];
  const { check } = checkOf(renamed, () => known);
  await expect(check.run()).rejects.toMatchObject({ code: 'MAPPING_INVALID', retry: 'backoff' });
  known = [ALTERED];
  await check.run();
});
