import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Fault, makeTransactions, RawRelay } from '../../test/support/stream/raw-relay.ts';
import type { CheckpointStore, StreamOptions } from '../core/consumer.ts';
import { memoryCheckpoints } from './checkpoint-stores.ts';
import { connect, type RelayClient } from './connect.ts';
import { fileCheckpoints } from './file-checkpoints.ts';

const PATIENTLY = { timeout: 15_000 };
let relay: RawRelay;
let client: RelayClient;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidings-bootstrap-'));
  relay = await RawRelay.start();
  client = connect(relay.url, { reconnect: { delayMinMs: 0, delayMaxMs: 0 } });
  relay.append(makeTransactions([3, 2]));
});

afterEach(async () => {
  await client.close();
  await relay.stop();
  await rm(folder, { recursive: true });
});

function refusal(status: number, code: string): Fault & { kind: 'answer' } {
  const body = JSON.stringify({ code, detail: 'the relay says so', hint: '' });
  return { kind: 'answer', status, type: 'application/problem+json', body };
}

const PURGED = refusal(410, 'SCN_PURGED');

/** Reads three changes that come once reading has begun. */
async function readThree(options: StreamOptions): Promise<number[]> {
  const scns: number[] = [];
  const last = relay.last + 3;
  const appended = appendAtReading(relay.readings.length + relay.faults.length + 1, 3);
  for await (const batch of client.stream('shop', { bootstrap: 'auto', ...options })) {
    scns.push(...batch.changes.map(({ scn }) => scn));
    await batch.commit();
    if (batch.scn === last) break;
  }
  await appended;
  return scns;
}

/** So many changes come when there have been so many readings. */
async function appendAtReading(count: number, changes: number): Promise<void> {
  await expect.poll(() => relay.readings.length, PATIENTLY).toBe(count);
  relay.append(makeTransactions([changes], { after: relay.last }));
}

function firstBatch(options: StreamOptions): Promise<unknown> {
  return client.stream('shop', options)[Symbol.asyncIterator]().next();
}

function nameIn(call: string | undefined): string {
  return call?.split(' ')[1] ?? 'none';
}

describe('a reader that wants the rows that exist', () => {
  test('has them read for a name of its own, and begins where the relay says, whatever its `from`', async () => {
    const scns = await readThree({ from: 'earliest', tables: ['shop.states'] });
    expect(scns).toEqual([6, 7, 8]);
    const [begun, ...more] = relay.readerCalls;
    expect(begun).toMatch(/^PUT [\w-]{22} \{"tables":\["shop.states"\],"truncate":false\}$/);
    expect(relay.readings.map((query) => [query.get('from'), query.get('reader')])).toEqual([['5', nameIn(begun)]]);
    // Its name went with it.
    expect(more).toEqual([`DELETE ${nameIn(begun)}`]);
  });

  test('that names no tables wants all of them', async () => {
    await readThree({ tables: [] });
    expect(relay.readerCalls[0]).toBe(`PUT ${nameIn(relay.readerCalls[0])} {"truncate":false}`);
  });

  test('asks for nothing while `bootstrap` is never, and is told of a place that is gone', async () => {
    await readThree({ bootstrap: 'never', from: 'earliest' });
    expect(relay.readings[0]?.has('reader')).toBe(false);
    relay.faults.push(PURGED);
    await expect(firstBatch({ from: 2 })).rejects.toMatchObject({ code: 'SCN_PURGED' });
    expect(relay.readerCalls).toEqual([]);
  });

  test('asks again under the same name when the answer did not come', async () => {
    relay.readerFaults.push(
      { kind: 'answer', status: 502, type: 'text/html', body: '' },
      refusal(503, 'RELAY_CLOSING'),
      { kind: 'answer', status: 200, type: 'application/json', body: '{' },
    );
    expect(await readThree({ checkpoints: memoryCheckpoints() })).toEqual([6, 7, 8]);
    expect(relay.readerCalls).toHaveLength(4);
    expect(new Set(relay.readerCalls).size).toBe(1);
  });

  test('ends with what the relay refuses', async () => {
    relay.readerFaults.push(refusal(409, 'SNAPSHOT_UNSUPPORTED'));
    await expect(firstBatch({ bootstrap: 'auto' })).rejects.toMatchObject({ code: 'SNAPSHOT_UNSUPPORTED' });
    expect(relay.readings).toHaveLength(0);
  });

  test.each([
    ['{"created":"2026-11-20T00:00:00.000Z","after":"5","snapshot":1}'],
    ['{"created":"then","after":5,"snapshot":1}'],
    ['[]'],
  ])('takes no answer for a beginning that is none: %s', async (body) => {
    const odd = { kind: 'answer', status: 200, type: 'application/json', body } as const;
    relay.readerFaults.push(odd, odd, odd, odd, odd);
    await expect(firstBatch({ bootstrap: 'auto' })).rejects.toMatchObject({ code: 'PROTOCOL_VIOLATION' });
    expect(relay.readings).toHaveLength(0);
  });
});

describe('a reader whose store outlives it', () => {
  test('goes on under its name, behind its checkpoint, and begins nothing anew', async () => {
    const path = join(folder, 'checkpoint');
    expect(await readThree({ checkpoints: fileCheckpoints(path) })).toEqual([6, 7, 8]);
    const name = nameIn(relay.readerCalls[0]);
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ reader: name, scn: 8 });
    // Also when it no longer asks for rows: those that were read for it are its own.
    expect(await readThree({ checkpoints: fileCheckpoints(path), bootstrap: 'never' })).toEqual([9, 10, 11]);
    expect(await readThree({ checkpoints: fileCheckpoints(path) })).toEqual([12, 13, 14]);
    expect(relay.readings.map((query) => query.get('reader'))).toEqual([name, name, name]);
    expect(relay.readerCalls).toHaveLength(1);
  });

  test('has name and place before it gets anything, and keeps the name while it has committed nothing', async () => {
    const path = join(folder, 'checkpoint');
    const stream = client.stream('shop', { bootstrap: 'auto', checkpoints: fileCheckpoints(path) });
    const next = stream[Symbol.asyncIterator]().next();
    await expect.poll(() => relay.readings.length, PATIENTLY).toBe(1);
    const kept = JSON.parse(await readFile(path, 'utf8')) as object;
    expect(kept).toEqual({
      tidings: 'checkpoint',
      stream: 'shop',
      created: relay.createdMs,
      scn: 5,
      reader: nameIn(relay.readerCalls[0]),
    });
    await stream.close();
    await next;
  });

  test('whose place is no longer kept begins anew under another name, with tables emptied, and lets go of the former', async () => {
    const checkpoints = memoryCheckpoints();
    await readThree({ checkpoints });
    relay.faults.push(PURGED);
    expect(await readThree({ checkpoints })).toEqual([9, 10, 11]);
    const [first, second, third] = relay.readerCalls;
    expect(second).toBe(`PUT ${nameIn(second)} {"truncate":true}`);
    expect(nameIn(second)).not.toBe(nameIn(first));
    expect(third).toBe(`DELETE ${nameIn(first)}`);
    expect(relay.readings.slice(1).map((query) => [query.get('from'), query.get('reader')])).toEqual([
      ['8', nameIn(first)],
      ['8', nameIn(second)],
    ]);
    expect([await checkpoints.load(), await checkpoints.loadName()]).toEqual([11, nameIn(second)]);
  });

  test('that is overtaken while it reads begins anew as well, and what was not committed does not move it back', async () => {
    const checkpoints = memoryCheckpoints();
    const commits: (() => Promise<unknown>)[] = [];
    const scns: number[] = [];
    void appendAtReading(1, 3);
    for await (const batch of client.stream('shop', { bootstrap: 'auto', checkpoints })) {
      scns.push(...batch.changes.map(({ scn }) => scn));
      commits.push(() => batch.commit());
      if (scns.at(-1) === 8) {
        relay.faults.push({ kind: 'fail', code: 'SCN_PURGED' }, PURGED);
        const { port } = relay;
        await relay.stop();
        // Nobody saw these.
        relay.append(makeTransactions([4], { after: 8 }));
        await relay.listen(port);
        void appendAtReading(4, 1);
      }
      if (scns.at(-1) === 13) break;
    }
    expect(scns).toEqual([6, 7, 8, 13]);
    expect(await checkpoints.load()).toBe(12);
    await commits[0]?.();
    expect(await checkpoints.load()).toBe(12);
    await commits[1]?.();
    expect(await checkpoints.load()).toBe(13);
  });

  test('with `always` begins anew each time it starts, with tables emptied once it may have rows', async () => {
    const checkpoints = memoryCheckpoints();
    await readThree({ checkpoints, bootstrap: 'always' });
    await readThree({ checkpoints, bootstrap: 'always' });
    const [first, second, third, ...more] = relay.readerCalls;
    expect([first, second, third]).toEqual([
      `PUT ${nameIn(first)} {"truncate":false}`,
      `PUT ${nameIn(second)} {"truncate":true}`,
      `DELETE ${nameIn(first)}`,
    ]);
    expect(more).toEqual([]);
  });

  test('does not begin with the checkpoint file of another stream', async () => {
    const checkpoints = fileCheckpoints(join(folder, 'checkpoint'));
    await readThree({ checkpoints });
    relay.createdMs++;
    await expect(firstBatch({ bootstrap: 'always', checkpoints })).rejects.toMatchObject({ code: 'SCN_UNKNOWN' });
    const [, second, third] = relay.readerCalls;
    expect(third).toBe(`DELETE ${nameIn(second)}`);
    expect(await checkpoints.loadName()).toBe(nameIn(relay.readerCalls[0]));
  });

  test('must keep its name, or is refused', () => {
    const store: CheckpointStore = { load: () => Promise.resolve(null), save: () => Promise.resolve() };
    expect(() => client.stream('shop', { bootstrap: 'auto', checkpoints: store })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', hint: expect.stringContaining('loadName') as string }),
    );
    expect(() => client.stream('shop', { checkpoints: store })).not.toThrow();
  });
});
