import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../test/support/random.ts';
import { partitionOf, type StatesTransaction } from '../../test/support/stream/log-bytes.ts';
import { makeTransactions } from '../../test/support/stream/raw-relay.ts';
import { ScriptedGroup } from '../../test/support/stream/scripted-group.ts';
import { systemClock } from '../base/clock.ts';
import type { ChangeStream, ConsumerBatch, StreamChange, StreamOptions } from '../core/consumer.ts';
import { isTidingsError, TidingsError } from '../core/errors.ts';
import { createChangeStream } from './change-stream.ts';
import { memoryCheckpoints } from './checkpoint-stores.ts';

const PARTITIONS = 6;
/** The machine may have other things to do. */
const PATIENTLY = { timeout: 15_000 };
const NOTHING: StatesTransaction = { committedAtUs: 0, changes: [] };
const SOON = { delayMinMs: 0, delayMaxMs: 0 };

/** What must hold of everything that all members together do. */
class Oracle {
  readonly violations: string[] = [];
  /** Members that the relay has thrown out and that may not have heard of it. */
  readonly former = new Set<string>();
  readonly #group: ScriptedGroup;
  readonly #done = new Set<number>();
  /** Of batches that were committed, or before one that was by the same member. */
  readonly #confirmed = new Set<number>();
  readonly #ends = new Set<number>();
  /** All SCNs of an id, in order. */
  readonly #ofId = new Map<number, number[]>();
  readonly #ofPartition = new Map<number, number[]>();
  /** By member: the partitions it was told it has, with the last SCN that it was given of each. */
  readonly #held = new Map<string, Map<number, number>>();

  constructor(group: ScriptedGroup) {
    this.#group = group;
    group.onCommit = (partition, scn) => {
      const ahead = (this.#ofPartition.get(partition) ?? []).find((each) => each <= scn && !this.#confirmed.has(each));
      if (ahead !== undefined) this.violations.push(`checkpoint ${scn} of ${partition} is ahead of ${ahead}`);
      if (!this.#ends.has(scn)) this.violations.push(`checkpoint ${scn} of ${partition} is no transaction's end`);
    };
  }

  append(transactions: readonly StatesTransaction[], options: { open?: boolean } = {}): void {
    for (const { changes } of transactions) {
      for (const { scn, id } of changes) {
        push(this.#ofId, id, scn);
        push(this.#ofPartition, partitionOf(id, PARTITIONS), scn);
      }
    }
    for (const [i, { changes }] of transactions.entries()) {
      const isOpen = options.open === true && i === transactions.length - 1;
      if (!isOpen) this.#ends.add(changes.at(-1)?.scn ?? 0);
    }
    this.#group.append(transactions, options);
  }

  confirm(scns: readonly number[]): void {
    for (const scn of scns) this.#confirmed.add(scn);
  }

  assigned(member: string, partitions: readonly number[]): void {
    const held = this.#held.get(member) ?? new Map<number, number>();
    this.#held.set(member, held);
    for (const partition of partitions) {
      if (held.has(partition)) this.violations.push(`${member} was assigned ${partition} twice`);
      held.set(partition, 0);
    }
    if (partitions.every((partition) => this.#group.slots[partition]?.owner === member)) this.former.delete(member);
  }

  revoked(member: string, partitions: readonly number[]): void {
    for (const partition of partitions) {
      if (this.#held.get(member)?.delete(partition) !== true) {
        this.violations.push(`${member} was revoked ${partition}, which it did not have`);
      }
    }
  }

  begin(member: string, { scn, key, partition }: StreamChange): void {
    const id = key?.['id'] as number;
    const held = this.#held.get(member);
    const last = held?.get(partition ?? -1);
    if (partition !== partitionOf(id, PARTITIONS)) this.violations.push(`${scn} came as one of ${partition}`);
    if (last === undefined) this.violations.push(`${member} got ${scn} of ${partition} without having it`);
    else if (scn <= last) this.violations.push(`${member} got ${scn} of ${partition} behind ${last}`);
    held?.set(partition ?? -1, scn);
    const owner = this.#group.slots[partition ?? -1]?.owner;
    if (owner !== member && !this.former.has(member)) {
      this.violations.push(`${member} got ${scn} of ${partition}, which is with ${owner}`);
    }
    const missing = this.#ofId.get(id)?.find((each) => each < scn && !this.#done.has(each));
    if (missing !== undefined) this.violations.push(`${member} got ${scn} of id ${id} before ${missing}`);
  }

  end({ scn }: StreamChange): void {
    this.#done.add(scn);
  }

  get isDone(): boolean {
    const { slots, last } = this.#group;
    return (
      [...this.#ofId.values()].flat().every((scn) => this.#done.has(scn)) &&
      slots.every(({ checkpoint }) => checkpoint === last)
    );
  }

  get missing(): string {
    const undone = [...this.#ofId.values()].flat().filter((scn) => !this.#done.has(scn));
    return `not done: ${undone.join(',')}; end ${this.#group.last}, checkpoints ${this.#group.slots.map(({ checkpoint }) => checkpoint).join(',')}`;
  }
}

function push(map: Map<number, number[]>, key: number, value: number): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}

interface Consuming {
  readonly name: string;
  readonly stream: ChangeStream;
  readonly ended: Promise<void>;
}

interface Manner {
  readonly random: () => number;
  /** Batches of a hundred that are not committed. */
  skipPercent: number;
}

function consume(
  group: ScriptedGroup,
  oracle: Oracle,
  member: string,
  manner: Manner,
  options: StreamOptions = {},
): Consuming {
  const stream = createChangeStream(
    group.transport(),
    {
      group: 'g',
      member,
      onAssigned: async (partitions) => {
        if (manner.random() < 0.3) await tick();
        oracle.assigned(member, partitions);
      },
      onRevoked: async (partitions) => {
        if (manner.random() < 0.3) await tick();
        oracle.revoked(member, partitions);
      },
      ...options,
    },
    { backoff: SOON },
  );
  const read = async (): Promise<void> => {
    const unconfirmed: number[] = [];
    for await (const batch of stream) {
      unconfirmed.push(...batch.changes.map(({ scn }) => scn));
      for (const change of batch.changes) {
        oracle.begin(member, change);
        if (manner.random() < 0.1) await tick();
        oracle.end(change);
      }
      if (manner.random() * 100 < manner.skipPercent) continue;
      oracle.confirm(unconfirmed.splice(0));
      try {
        await batch.commit();
      } catch (error) {
        if (!isTidingsError(error) || error.code !== 'CONNECTION_LOST') throw error;
      }
    }
  };
  return { name: member, stream, ended: read() };
}

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('whatever happens to a group', () => {
  type Step =
    | { readonly do: 'append'; readonly sizes: readonly number[] }
    | { readonly do: 'long'; readonly sizes: readonly number[] }
    | { readonly do: 'join' | 'leave' | 'expire'; readonly member: number }
    | { readonly do: 'cut' | 'restart' }
    | { readonly do: 'wait'; readonly ms: number };

  const member = fc.integer({ min: 0, max: 3 });
  const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 });
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('append' as const), sizes }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('long' as const), sizes }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('join' as const), member }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), member }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('expire' as const), member }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'restart' as const) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 8 }) }) },
  );

  async function run(
    steps: readonly Step[],
    seed: number,
    tellsEpochs: boolean,
    lossPercent: number,
  ): Promise<string[]> {
    const random = new SeededRandom(seed);
    const next = (): number => random.next();
    const group = new ScriptedGroup({ partitions: PARTITIONS, random: next, tellsEpochs });
    group.lossPercent = lossPercent;
    const oracle = new Oracle(group);
    const consuming = new Map<string, Consuming>();
    const manner = { random: next, skipPercent: 20 };
    let lives = 0;
    for (const each of steps) {
      switch (each.do) {
        case 'append':
          oracle.append(makeTransactions(each.sizes, { after: group.last, ids: 23 }));
          break;
        case 'long':
          // One transaction in several batches.
          each.sizes.forEach((size, i) => {
            const [piece = NOTHING] = makeTransactions([size], { after: group.last, ids: 23 });
            oracle.append([{ ...piece, continues: i > 0 }], { open: i < each.sizes.length - 1 });
          });
          break;
        case 'join': {
          const slot = `m${each.member}`;
          if (consuming.has(slot)) break;
          consuming.set(slot, consume(group, oracle, `${slot}-${lives++}`, manner));
          break;
        }
        case 'leave': {
          const slot = `m${each.member}`;
          const leaving = consuming.get(slot);
          consuming.delete(slot);
          await leaving?.stream.close();
          await leaving?.ended;
          break;
        }
        case 'expire': {
          const name = group.members[each.member];
          if (name === undefined) break;
          oracle.former.add(name);
          group.expire(name);
          break;
        }
        case 'restart':
          for (const name of group.members) oracle.former.add(name);
          group.restart();
          break;
        case 'cut':
          group.cut();
          break;
        case 'wait':
          await new Promise((resolve) => setTimeout(resolve, each.ms));
      }
    }
    // From here on all goes well, and everything must get done.
    group.lossPercent = 0;
    manner.skipPercent = 0;
    consuming.set('last', consume(group, oracle, 'last', manner));
    oracle.append(makeTransactions([30], { after: group.last, ids: 23 }));
    const deadline = Date.now() + 5000;
    while (!oracle.isDone && Date.now() < deadline && oracle.violations.length === 0) {
      // Members whose leaving was lost are missed some time.
      const living = [...consuming.values()].map(({ name }) => name);
      for (const name of group.members) if (!living.includes(name)) group.expire(name);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    if (!oracle.isDone && oracle.violations.length === 0) oracle.violations.push(oracle.missing);
    await Promise.all([...consuming.values()].map(({ stream }) => stream.close()));
    await Promise.all([...consuming.values()].map(({ ended }) => ended));
    return oracle.violations;
  }

  test('no change is missed, each key is in order, nobody works on what another has, and no checkpoint is ahead', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 25 }),
        fc.integer({ min: 0, max: 1_000_000 }),
        fc.boolean(),
        fc.constantFrom(0, 0, 10),
        async (steps, seed, tellsEpochs, lossPercent) => {
          expect(await run(steps, seed, tellsEpochs, lossPercent)).toEqual([]);
        },
      ),
      { numRuns: Number(process.env['CLIENT_RUNS'] ?? 60) },
    );
  }, 120_000);
});

describe('a commit', () => {
  /** A member that reads one batch and hands it to the test while the loop waits. */
  async function atWork(group: ScriptedGroup, options: StreamOptions = {}): Promise<Working> {
    const stream = createChangeStream(group.transport(), { group: 'g', member: 'a', ...options }, { backoff: SOON });
    const iterator = stream[Symbol.asyncIterator]();
    const next = async (): Promise<ConsumerBatch | null> => {
      const result = await iterator.next();
      return result.done === true ? null : result.value;
    };
    const batch = await next();
    if (batch === null) throw new Error('there is no batch');
    const end = async (): Promise<void> => {
      await iterator.return?.();
    };
    return { end, next, batch };
  }

  interface Working {
    /** Leaves the loop. */
    readonly end: () => Promise<void>;
    readonly next: () => Promise<ConsumerBatch | null>;
    readonly batch: ConsumerBatch;
  }

  function newGroup(options: { tellsEpochs?: boolean; partitions?: number } = {}): ScriptedGroup {
    return new ScriptedGroup({ partitions: PARTITIONS, random: () => 0, ...options });
  }

  test('of a batch whose partitions are all gone names them, moves nothing, and its changes come again', async () => {
    const group = newGroup();
    group.append(makeTransactions([20], { ids: 23 }));
    const { end, next, batch } = await atWork(group);
    expect(batch.count).toBe(20);
    group.restart();
    expect(await batch.commit()).toEqual({ fenced: [0, 1, 2, 3, 4, 5] });
    expect(group.slots.map(({ checkpoint }) => checkpoint)).toEqual([0, 0, 0, 0, 0, 0]);
    expect((await next())?.count).toBe(20);
    await end();
  });

  test('that is closed while the member, which was thrown out, joins again names what is lost', async () => {
    const group = newGroup();
    group.append(makeTransactions([20], { ids: 23 }));
    const transport = group.transport();
    const { join } = transport;
    let joins = 0;
    const rejoining = Promise.withResolvers<void>();
    transport.join = async (...args) => {
      if (joins++ === 0) return join.apply(transport, args);
      rejoining.resolve();
      throw new TidingsError('SERVER_BUSY', 'not yet', { retry: 'backoff' });
    };
    const clock = { ...systemClock, sleep: () => tick() };
    const stream = createChangeStream(transport, { group: 'g', member: 'a' }, { backoff: SOON, clock });
    const batches = stream[Symbol.asyncIterator]();
    const first = await batches.next();
    if (first.done === true) throw new Error('there is no batch');
    group.restart();
    const commit = first.value.commit();
    await rejoining.promise;
    await stream.close();
    expect(await commit).toEqual({ fenced: [0, 1, 2, 3, 4, 5] });
    expect((await batches.next()).done).toBe(true);
  });

  test('of a batch some of whose partitions went to another moves the checkpoints of the others', async () => {
    const group = newGroup();
    group.append(makeTransactions([20], { ids: 23 }));
    const { end, batch } = await atWork(group);
    // Taken away by force, as when they are not released in time.
    group.epoch++;
    for (const slot of group.slots.slice(0, 2)) Object.assign(slot, { owner: 'b', epoch: group.epoch });
    await batch.commit();
    expect(group.slots.map(({ checkpoint }) => checkpoint)).toEqual([0, 0, 20, 20, 20, 20]);
    await end();
  });

  test('with `auto` never fails the reading because partitions moved', async () => {
    const group = newGroup();
    group.append(makeTransactions([20], { ids: 23 }));
    const { end, next, batch } = await atWork(group, { commit: 'auto' });
    const scns = batch.changes.map(({ scn }) => scn);
    group.restart();
    const again = await next();
    expect(again?.changes.map(({ scn }) => scn)).toEqual(scns);
    await end();
  });

  test.for([true, false])(
    'of before a reset is refused, and everything behind the reset comes again (epochs told: %s)',
    async (tellsEpochs) => {
      const group = newGroup({ tellsEpochs });
      for (let i = 0; i < 5; i++) group.append(makeTransactions([10], { after: i * 10, ids: 23 }));
      const { end, next, batch } = await atWork(group);
      let last = batch;
      while (last.scn < 30) {
        await last.commit();
        last = (await next()) ?? last;
      }
      group.reset(10);
      expect((await last.commit()).fenced.length).toBeGreaterThan(0);
      const again: number[] = [];
      while (again.at(-1) !== 50) again.push(...((await next())?.changes.map(({ scn }) => scn) ?? []));
      expect(again).toEqual(Array.from({ length: 40 }, (_, i) => i + 11));
      await end();
    },
  );

  test('of the last batch, being waited for, lets a partition go that another member is to have', async () => {
    const group = newGroup();
    group.append(makeTransactions([20], { ids: 23 }));
    const revoked: number[] = [];
    const { end, batch } = await atWork(group, { onRevoked: (partitions) => void revoked.push(...partitions) });
    const other = createChangeStream(group.transport(), { group: 'g', member: 'b' }, { backoff: SOON });
    const assigned = other[Symbol.asyncIterator]().next();
    await expect.poll(() => group.slots.filter(({ revokedIn }) => revokedIn !== null).length, PATIENTLY).toBe(3);
    // Its changes are being worked on: nothing moves.
    for (let i = 0; i < 20; i++) await tick();
    expect(revoked).toEqual([]);
    await batch.commit();
    await expect.poll(() => group.slots.filter(({ owner }) => owner === 'b').length, PATIENTLY).toBe(3);
    expect(revoked.length).toBe(3);
    await end();
    await other.close();
    expect((await assigned).done).toBe(true);
  });
});

test('a batch that is committed holds back no partition, also when it is to be let go only afterwards', async () => {
  const group = new ScriptedGroup({ partitions: PARTITIONS, random: () => 0 });
  group.append(makeTransactions([20], { ids: 23 }));
  const stream = createChangeStream(group.transport(), { group: 'g', member: 'a' }, { backoff: SOON });
  const batches = stream[Symbol.asyncIterator]();
  const first = await batches.next();
  if (first.done !== true) await first.value.commit();
  const other = createChangeStream(group.transport(), { group: 'g', member: 'b' }, { backoff: SOON });
  const assigned = other[Symbol.asyncIterator]().next();
  await expect.poll(() => group.slots.filter(({ owner }) => owner === 'b').length, PATIENTLY).toBe(3);
  await stream.close();
  await other.close();
  expect((await assigned).done).toBe(true);
});

test('a member that was closed while it works stays in the group until its batch is done', async () => {
  const group = new ScriptedGroup({ partitions: PARTITIONS, random: () => 0 });
  group.append(makeTransactions([20], { ids: 23 }));
  const stream = createChangeStream(group.transport(), { group: 'g', member: 'a' }, { backoff: SOON });
  let closed: Promise<void> | null = null;
  for await (const batch of stream) {
    closed = stream.close();
    for (let i = 0; i < 20; i++) await tick();
    expect(group.members).toEqual(['a']);
    await batch.commit();
  }
  await closed;
  expect(group.members).toEqual([]);
  expect(group.slots.every(({ checkpoint }) => checkpoint === 20)).toBe(true);
});

test('a member that the relay may have given up hands over nothing until it has been heard', async () => {
  const group = new ScriptedGroup({ partitions: PARTITIONS, random: () => 0, sessionTimeoutMs: 40, prefetch: 100 });
  for (let i = 0; i < 50; i++) group.append(makeTransactions([3], { after: i * 3, ids: 23 }));
  const stream = createChangeStream(
    group.transport(),
    { group: 'g', member: 'a' },
    { backoff: { delayMinMs: 1, delayMaxMs: 1 } },
  );
  const iterator = stream[Symbol.asyncIterator]();
  await iterator.next();
  group.down = true;
  await new Promise((resolve) => setTimeout(resolve, 60));
  let handedOver = false;
  const next = iterator.next().then(() => {
    handedOver = true;
    return null;
  });
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(handedOver).toBe(false);
  group.down = false;
  await next;
  await iterator.return?.();
});

test('a callback that throws ends the reading with its error', async () => {
  const group = new ScriptedGroup({ partitions: PARTITIONS, random: () => 0 });
  const stream = createChangeStream(group.transport(), {
    group: 'g',
    onAssigned: () => {
      throw new Error('no room for them');
    },
  });
  await expect(stream[Symbol.asyncIterator]().next()).rejects.toThrow('no room for them');
  expect(group.members).toEqual([]);
});

test.each(['onAssigned', 'onRevoked'] as const)('a member whose %s does not come back can be closed', async (name) => {
  const group = new ScriptedGroup({ partitions: PARTITIONS, random: () => 0 });
  const called = Promise.withResolvers<void>();
  const never = (): Promise<void> => {
    called.resolve();
    return new Promise(() => {});
  };
  const clock = { ...systemClock, sleep: () => tick() };
  const options = { group: 'g', member: 'a', [name]: never };
  const stream = createChangeStream(group.transport(), options, { backoff: SOON, clock });
  const batches = stream[Symbol.asyncIterator]();
  const first = batches.next();
  if (name === 'onRevoked') {
    group.append(makeTransactions([20], { ids: 23 }));
    await first;
    group.restart();
  }
  const last = name === 'onRevoked' ? batches.next() : first;
  await called.promise;
  await stream.close();
  expect((await last).done).toBe(true);
});

test('a relay that answers what no relay does is asked five times to take a member in, and then no more', async () => {
  const transport = new ScriptedGroup({ partitions: PARTITIONS, random: () => 0 }).transport();
  let joins = 0;
  transport.join = () => {
    joins++;
    // In between it is busy, as what stands before it may be.
    const code = joins === 3 ? 'SERVER_BUSY' : 'PROTOCOL_VIOLATION';
    return Promise.reject(new TidingsError(code, 'what is no answer', { retry: 'backoff' }));
  };
  const stream = createChangeStream(transport, { group: 'g' }, { backoff: SOON });
  const first = stream[Symbol.asyncIterator]().next();
  await expect(first).rejects.toMatchObject({ code: 'PROTOCOL_VIOLATION', message: 'what is no answer' });
  expect(joins).toBe(3 + 5);
});

test('a commit that is answered as no relay does is asked five times, and then fails the commit', async () => {
  const group = new ScriptedGroup({ partitions: PARTITIONS, random: () => 0 });
  const transport = group.transport();
  let commits = 0;
  transport.commit = () => {
    commits++;
    const code = commits === 3 ? 'SERVER_BUSY' : 'PROTOCOL_VIOLATION';
    return Promise.reject(new TidingsError(code, 'what is no answer', { retry: 'backoff' }));
  };
  group.append(makeTransactions([20]));
  const stream = createChangeStream(transport, { group: 'g', from: 'earliest' }, { backoff: SOON });
  const batches = stream[Symbol.asyncIterator]();
  const { value: batch } = (await batches.next()) as IteratorYieldResult<ConsumerBatch>;
  await expect(batch.commit()).rejects.toMatchObject({ code: 'PROTOCOL_VIOLATION', retry: 'operator' });
  expect(commits).toBe(3 + 5);
  await stream.close();
});

test('heartbeats that are answered as no relay does end the stream after five in a row', async () => {
  const group = new ScriptedGroup({ partitions: PARTITIONS, random: () => 0 });
  const transport = group.transport();
  let beats = 0;
  transport.heartbeat = () => {
    beats++;
    const code = beats === 3 ? 'SERVER_BUSY' : 'PROTOCOL_VIOLATION';
    return Promise.reject(new TidingsError(code, 'what is no answer', { retry: 'backoff' }));
  };
  const clock = { ...systemClock, sleep: () => tick() };
  const stream = createChangeStream(transport, { group: 'g' }, { backoff: SOON, clock });
  const first = stream[Symbol.asyncIterator]().next();
  await expect(first).rejects.toMatchObject({ code: 'PROTOCOL_VIOLATION', retry: 'operator' });
  expect(beats).toBe(3 + 5);
});

test.each<[object, RegExp]>([
  [{ tabels: ['shop.orders'] }, /there is no option `tabels`/],
  [{ tables: 'shop.orders' }, /`tables` is a text: it takes a list of texts/],
  [{ ops: ['insert', 'drop'] }, /`ops` is a list with something else in it: it takes a list of: insert, /],
  [{ columns: { 'shop.orders': 'id' } }, /`columns` is an object: it takes table patterns, each with a list/],
  [{ columns: { 'shop.orders': [] } }, /`columns` is an object/],
  [{ where: "status = 'paid'" }, /`where` is a text: it takes table patterns, each with a condition/],
  [{ from: 'yesterday' }, /`from` is "yesterday": it takes earliest, latest, an SCN or a Date/],
  [{ from: new Date('never') }, /`from` is a Date without a time/],
  [{ from: 1.5 }, /`from` is 1\.5/],
  [{ bootstrap: true }, /`bootstrap` is true: it takes never or auto or always/],
  [{ checkpoints: '/var/lib/x' }, /`checkpoints` is a text: it takes a store/],
  [{ commit: 'automatic' }, /`commit` is "automatic": it takes manual or auto/],
  [{ json: null }, /`json` is null: it takes parsed or text/],
  [{ untilEnd: 'false' }, /`untilEnd` is "false": it takes true or false/],
  [{ group: '' }, /`group` is an empty text/],
  [{ group: 'g', sessionTimeoutMs: Number.NaN }, /`sessionTimeoutMs` is NaN: it takes milliseconds/],
  [{ group: 'g', onAssigned: 'log' }, /`onAssigned` is a text: it takes a function/],
  [{ signal: {} }, /`signal` is an object: it takes an AbortSignal/],
  [{ log: { info: () => {} } }, /`log` is an object: it takes an object with debug, info, warn, error, child/],
])('an option that cannot be is refused by its name before anything is sent: %j', (options, message) => {
  const transport = new ScriptedGroup({ partitions: 1, random: () => 0 }).transport();
  const open = (): unknown => createChangeStream(transport, options);
  expect(open).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }));
});

test('options that are undefined are options that were left out', () => {
  const transport = new ScriptedGroup({ partitions: 1, random: () => 0 }).transport();
  const options: object = { group: undefined, tables: undefined, from: undefined };
  expect(() => createChangeStream(transport, options)).not.toThrow();
});

test('options that do not go together are refused before anything is sent', () => {
  const transport = new ScriptedGroup({ partitions: 1, random: () => 0 }).transport();
  const refused = expect.objectContaining({ code: 'CONFIG_INVALID' });
  expect(() => createChangeStream(transport, { group: 'g', checkpoints: memoryCheckpoints() })).toThrow(refused);
  expect(() => createChangeStream(transport, { member: 'a' })).toThrow(refused);
});
