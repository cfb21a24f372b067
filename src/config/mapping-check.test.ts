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

const live = new AbortController().signal;

/** What a promise has come to, as far as it has. */
class Outcome {
  error: unknown = null;
  readonly ended: Promise<void>;

  constructor(promise: Promise<void>) {
    this.ended = promise.catch((error: unknown) => {
      this.error = error;
    });
  }
}

const renamed: RuleConfig = { columns: { a: 'status' } };

test('everything that does not go together is one error, once the stream has had its time', async () => {
  const { check, clock } = checkOf({ ...renamed, where: 'staus = 1' }, () => [OLD]);
  const outcome = new Outcome(check.run(live));
  for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 250) {
    await clock.whenSleeping();
    expect(outcome.error).toBeNull();
    clock.advance(250);
  }
  await outcome.ended;
  expect(outcome.error).toMatchObject({
    code: 'MAPPING_INVALID',
    message:
      'the mapping of sink crm does not go with the tables of stream shop: ' +
      'shop.orders, rule shop.orders: column "a": shop.orders has no column "status", at character 1 (Its columns are id.); ' +
      'shop.orders, rule shop.orders: shop.orders has no column "staus", at character 1 (Its columns are id.)',
    details: { sink: 'crm', stream: 'shop', mistakes: 2 },
    retry: 'operator',
  });
});

test('what a stream does not know yet is a warning, told once; with no table at all nothing is', async () => {
  const fitting = checkOf(renamed, () => [ALTERED]);
  await fitting.check.run(live);
  await fitting.check.run(live);
  expect(fitting.warnings).toEqual(['shop.later matches no table that is known']);
  const fresh = checkOf(renamed, () => []);
  await fresh.check.run(live);
  expect(fresh.warnings).toEqual([]);
});

test('a table that the stream learns to be altered meanwhile lets the sink begin', async () => {
  let known = [OLD];
  const { check, clock } = checkOf(renamed, () => known);
  const running = check.run(live);
  await clock.whenSleeping();
  known = [ALTERED];
  clock.advance(250);
  await running;
});

test('a sink that is told to end does not wait for the stream', async () => {
  const { check, clock } = checkOf(renamed, () => [OLD]);
  const stop = new AbortController();
  const running = check.run(stop.signal);
  await clock.whenSleeping();
  const reason = new Error('the sink is paused');
  stop.abort(reason);
  await expect(running).rejects.toBe(reason);
});
