import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { type Fault, makeTransactions, RawRelay } from '../../test/support/stream/raw-relay.ts';
import { systemClock } from '../base/clock.ts';
import type { CheckpointStore, ConsumerBatch, StreamOptions } from '../core/consumer.ts';
import { createChangeStream } from './change-stream.ts';
import { connect, type RelayClient } from './connect.ts';
import { fileCheckpoints } from './file-checkpoints.ts';
import { HttpRequests } from './http-requests.ts';
import { HttpTransport } from './http-transport.ts';

const SOON = { delayMinMs: 0, delayMaxMs: 0 };
/** The machine may have other things to do. */
const PATIENTLY = { timeout: 15_000 };
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function startRelay(tls?: { key: string; cert: string }): Promise<RawRelay> {
  const relay = await RawRelay.start(tls);
  closing.push(() => relay.stop());
  return relay;
}

function connectTo(relay: RawRelay, options: Parameters<typeof connect>[1] = {}): RelayClient {
  const client = connect(relay.url, { reconnect: SOON, ...options });
  closing.push(() => client.close());
  return client;
}

/** Remembers every checkpoint that was stored. */
function recordingStore(checkpoint: number | null = null): CheckpointStore & { saved: number[] } {
  const saved: number[] = [];
  return {
    saved,
    load: () => Promise.resolve(saved.at(-1) ?? checkpoint),
    save(scn) {
      saved.push(scn);
      return Promise.resolve();
    },
  };
}

function scnsOf(batch: ConsumerBatch): number[] {
  return batch.changes.map(({ scn }) => scn);
}

async function readAll(relay: RawRelay, options: StreamOptions = {}): Promise<number[]> {
  const scns: number[] = [];
  const client = connectTo(relay, { verify: true });
  for await (const batch of client.stream('shop', { from: 'earliest', untilEnd: true, ...options })) {
    scns.push(...scnsOf(batch));
    await batch.commit();
  }
  return scns;
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}

describe('connections that fail', () => {
  test('wherever answers are cut off, at any byte, each change comes once and in order, and commits lie at transaction ends', async () => {
    const relay = await startRelay();
    const plan = fc.record({
      sizes: fc.array(fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }), {
        minLength: 1,
        maxLength: 8,
      }),
      cuts: fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 8 }),
      pieceBytes: fc.integer({ min: 10, max: 2000 }),
      sendsProgress: fc.boolean(),
      commits: fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ sizes, cuts, commits, ...manner }) => {
        relay.batches.length = 0;
        relay.faults.length = 0;
        Object.assign(relay, manner);
        for (const batch of sizes) relay.append(makeTransactions(batch, { after: relay.last }));
        relay.faults.push(...cuts.map((afterBytes): Fault => ({ kind: 'cut', afterBytes })));
        const ends = new Set([0, ...relay.batches.map(({ last }) => last)]);
        const checkpoints = recordingStore();
        const scns: number[] = [];
        let confirmed = 0;
        let batches = 0;
        const stream = connectTo(relay).stream('shop', { from: 'earliest', untilEnd: true, checkpoints });
        for await (const batch of stream) {
          scns.push(...scnsOf(batch));
          expect(checkpoints.saved.filter((scn) => scn > confirmed)).toEqual([]);
          if (commits[batches++ % commits.length] === false) continue;
          confirmed = batch.scn;
          await batch.commit();
          expect(checkpoints.saved.at(-1)).toBe(confirmed);
        }
        expect(scns).toEqual(upTo(relay.last));
        expect(checkpoints.saved.filter((scn) => scn > confirmed || !ends.has(scn))).toEqual([]);
        expect(checkpoints.saved).toEqual(checkpoints.saved.toSorted((a, b) => a - b));
      }),
      { numRuns: Number(process.env['CLIENT_RUNS'] ?? 40) },
    );
  });

  test('a bit that was flipped on the way is found by the checksum, and the batch is read again', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([40]));
    const bytes = relay.batches[0]?.bytes.length ?? 0;
    // Five in a row without anything good in between would be somebody's fault.
    for (const part of [0.2, 0.4, 0.6, 0.8]) {
      relay.faults.push({ kind: 'flip', atByte: relay.helloBytes + Math.floor(bytes * part) });
    }
    expect(await readAll(relay)).toEqual(upTo(40));
    expect(relay.readings.length).toBe(5);
  });

  test('bytes that are damaged again and again stop the reading instead of repeating it for ever', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([40]));
    for (let i = 0; i < 20; i++) relay.faults.push({ kind: 'flip', atByte: 400 });
    await expect(readAll(relay)).rejects.toMatchObject({ code: 'PROTOCOL_VIOLATION' });
    expect(relay.readings.length).toBe(5);
  });

  test('a relay that is busy or being replaced is asked again; one that refuses is not', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([3]));
    relay.faults.push({ kind: 'answer', status: 503, type: 'text/html', body: '<h1>no</h1>' });
    relay.faults.push({
      kind: 'answer',
      status: 503,
      type: 'application/problem+json',
      body: JSON.stringify({ code: 'RELAY_CLOSING', detail: 'the relay is being stopped', hint: '' }),
    });
    expect(await readAll(relay)).toEqual([1, 2, 3]);
    relay.faults.push({
      kind: 'answer',
      status: 410,
      type: 'application/problem+json',
      body: JSON.stringify({ code: 'SCN_PURGED', detail: 'the log begins at 100', hint: 'Take a snapshot.' }),
    });
    await expect(readAll(relay)).rejects.toMatchObject({
      code: 'SCN_PURGED',
      message: 'the log begins at 100',
      hint: 'Take a snapshot.',
      details: { status: 410 },
    });
    relay.faults.push({ kind: 'answer', status: 401, type: 'text/plain', body: 'who are you?' });
    await expect(readAll(relay)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  describe('a place that is refused', () => {
    const path = join(tmpdir(), `tidings-place-${process.pid}.checkpoint`);
    const refuse = (relay: RawRelay, code: string): void => {
      const body = JSON.stringify({ code, detail: 'no such place', hint: '' });
      relay.faults.push({ kind: 'answer', status: 410, type: 'application/problem+json', body });
    };
    /** @param stream whose checkpoint it is */
    const read = async (
      relay: RawRelay,
      { stream = 'shop', ...options }: StreamOptions & { readonly stream?: string } = {},
    ): Promise<void> => {
      await writeFile(path, JSON.stringify({ tidings: 'checkpoint', stream, created: 1_700_000_000_000, scn: 5 }));
      closing.push(() => rm(path, { force: true }));
      await readAll(relay, { checkpoints: fileCheckpoints(path), ...options });
    };

    test.each(['SCN_PURGED', 'SCN_UNKNOWN'])(
      'with %s is said to be one of the former stream, if it is',
      async (code) => {
        const relay = await startRelay();
        relay.createdMs = 1_800_000_000_000;
        for (const bootstrap of ['never', 'auto'] as const) {
          refuse(relay, code);
          await expect(read(relay, { bootstrap })).rejects.toMatchObject({
            code: 'SCN_UNKNOWN',
            message: `the checkpoint file ${path} is one of a former stream shop, made 2023-11-14T22:13:20.000Z: the stream was made anew 2027-01-15T08:00:00.000Z`,
          });
        }
        // Nobody has rows read for a checkpoint that means nothing.
        expect(relay.readerCalls).toEqual([]);
      },
    );

    test('is said to be one of another stream, if it is', async () => {
      const relay = await startRelay();
      refuse(relay, 'SCN_PURGED');
      await expect(read(relay, { stream: 'crm' })).rejects.toMatchObject({
        code: 'CHECKPOINT_INVALID',
        message: `the checkpoint file ${path} is one of stream crm, not of shop`,
      });
    });

    test('of the stream that is read is what the relay says it is', async () => {
      const relay = await startRelay();
      refuse(relay, 'SCN_PURGED');
      await expect(read(relay)).rejects.toMatchObject({ code: 'SCN_PURGED', message: 'no such place' });
    });

    test('is told as one of the former stream to a reader that was at work when the stream was made anew', async () => {
      const relay = await startRelay();
      relay.append(makeTransactions([2]));
      const batches = connectTo(relay).stream('shop', { from: 'earliest' })[Symbol.asyncIterator]();
      await batches.next();
      const { port } = relay;
      await relay.stop();
      relay.createdMs++;
      refuse(relay, 'SCN_PURGED');
      await relay.listen(port);
      await expect(batches.next()).rejects.toMatchObject({
        code: 'SCN_UNKNOWN',
        message: expect.stringContaining('it was made anew') as string,
      });
    });
  });

  test.each(['', '{"code":"SCN_PURGED","det'])(
    'a refusal that is cut off behind %j is asked for again',
    async (body) => {
      const relay = await startRelay();
      relay.append(makeTransactions([3]));
      relay.faults.push({ kind: 'answer', status: 404, type: 'application/problem+json', body });
      expect(await readAll(relay)).toEqual([1, 2, 3]);
    },
  );

  test('a relay that was away comes back, and reading goes on behind the last change, not at the checkpoint', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([2, 2]));
    const seen: number[] = [];
    for await (const batch of connectTo(relay).stream('shop', { from: 'earliest' })) {
      seen.push(...scnsOf(batch));
      if (batch.scn === 4) {
        const { port } = relay;
        await relay.stop();
        relay.append(makeTransactions([3], { after: 4 }));
        await relay.listen(port);
      }
      if (batch.scn === 7) break;
    }
    expect(seen).toEqual(upTo(7));
    expect(relay.readings.at(-1)?.get('from')).toBe('4');
  });

  test('over TLS the same holds, if the certificate is trusted', async () => {
    const [key, cert] = await Promise.all(
      ['key', 'crt'].map((kind) => readFile(`test/fixtures/tls/localhost.${kind}`, 'utf8')),
    );
    const relay = await startRelay({ key: key ?? '', cert: cert ?? '' });
    relay.append(makeTransactions([40]));
    relay.faults.push({ kind: 'cut', afterBytes: relay.helloBytes + 300 });
    const scns: number[] = [];
    const client = connectTo(relay, { tls: { ca: cert ?? '', servername: 'localhost' } });
    for await (const batch of client.stream('shop', { from: 'earliest', untilEnd: true })) scns.push(...scnsOf(batch));
    expect(scns).toEqual(upTo(40));
    expect(relay.readings.length).toBe(2);
    await expect(readAll(relay)).rejects.toMatchObject({ code: 'TLS_FAILED' });
  });

  test('a connection of which nothing comes any more is given up', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([2]));
    relay.append(makeTransactions([2], { after: 2 }));
    relay.faults.push({ kind: 'stall', afterBytes: 500 });
    const seen: number[] = [];
    const client = connectTo(relay, { idleTimeoutMs: 50 });
    for await (const batch of client.stream('shop', { from: 'earliest', untilEnd: true })) seen.push(...scnsOf(batch));
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(relay.readings.length).toBe(2);
  });
});

describe('the place in the stream', () => {
  test('`latest` is one place, also when the connection is lost before the first change', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([5]));
    relay.faults.push({ kind: 'cut', afterBytes: relay.helloBytes });
    const checkpoints = recordingStore();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const batch of connectTo(relay).stream('shop', { checkpoints })) {
        seen.push(...scnsOf(batch));
        break;
      }
    })();
    await expect.poll(() => relay.readings.length, PATIENTLY).toBe(2);
    relay.append(makeTransactions([2], { after: 5 }));
    await reading;
    expect(seen).toEqual([6, 7]);
    // It is kept from the beginning: after a restart of this process `latest` would be another place.
    expect(checkpoints.saved).toEqual([5]);
  });

  test('the checkpoint wins over `from`, and reading begins inside of a batch when it lies there', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([3, 3]));
    relay.append(makeTransactions([2], { after: 6 }));
    const checkpoints = recordingStore(3);
    expect(await readAll(relay, { checkpoints })).toEqual([4, 5, 6, 7, 8]);
    expect(relay.readings[0]?.get('from')).toBe('3');
  });

  test.each(['3', 3n])('a checkpoint that a driver yields as %o is the same place', async (loaded) => {
    const relay = await startRelay();
    relay.append(makeTransactions([4, 4]));
    const checkpoints = {
      load: () => Promise.resolve(loaded),
      save: () => Promise.resolve(),
    } as object as CheckpointStore;
    expect(await readAll(relay, { checkpoints })).toEqual([4, 5, 6, 7, 8]);
  });

  test.each([Number.NaN, 'SCN 3', '', { scn: 3 }, -1, 2 ** 53])(
    'a store that loads what is no SCN is refused, not begun anew behind: %o',
    async (loaded) => {
      const relay = await startRelay();
      relay.append(makeTransactions([4]));
      const checkpoints = { load: () => Promise.resolve(loaded), save: () => Promise.resolve() } as CheckpointStore;
      await expect(readAll(relay, { checkpoints })).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' });
    },
  );

  test('a stream that was made anew under the same name is not gone on with', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([4]));
    const stream = connectTo(relay).stream('shop', { from: 'earliest' });
    const read = async (): Promise<void> => {
      for await (const _ of stream) {
        const { port } = relay;
        await relay.stop();
        relay.createdMs += 1;
        await relay.listen(port);
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'SCN_UNKNOWN' });
  });

  test('a log that ends before what was dealt with is not gone on with', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([4]));
    await expect(readAll(relay, { checkpoints: recordingStore(90) })).rejects.toMatchObject({ code: 'SCN_UNKNOWN' });
  });
});

describe('commits', () => {
  test('a batch that ends inside a transaction moves the checkpoint only as far as the last transaction end', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([2]));
    relay.append(makeTransactions([3], { after: 2 }), { open: true });
    const checkpoints = recordingStore();
    const stream = connectTo(relay).stream('shop', { from: 'earliest', checkpoints });
    let reads = 0;
    for await (const batch of stream) {
      reads++;
      await batch.commit();
      if (batch.scn === 5) {
        expect(checkpoints.saved.at(-1)).toBe(2);
        relay.append([{ committedAtUs: 9, continues: true, changes: [{ scn: 6, id: 1, state: 1 }] }]);
      } else if (batch.scn === 6) {
        expect(checkpoints.saved.at(-1)).toBe(6);
        break;
      }
    }
    expect(reads).toBeGreaterThanOrEqual(2);
  });

  test('of several commits at once each resolves when its change is durable; writes never overlap and never go back', async () => {
    const relay = await startRelay();
    for (let i = 0; i < 5; i++) relay.append(makeTransactions([2], { after: i * 2 }));
    const saves: { scn: number; done: () => void }[] = [];
    let running = 0;
    const checkpoints: CheckpointStore = {
      load: () => Promise.resolve(null),
      save: async (scn) => {
        expect(++running).toBe(1);
        await new Promise<void>((resolve) => saves.push({ scn, done: resolve }));
        running--;
      },
    };
    const stream = connectTo(relay).stream('shop', { from: 'earliest', untilEnd: true, checkpoints });
    const batches: ConsumerBatch[] = [];
    const commits: Promise<unknown>[] = [];
    const reading = (async () => {
      for await (const batch of stream) {
        batches.push(batch);
        commits.push(batch.commit());
        if (batches.length === 1) continue;
        // An older one again: nothing goes back.
        commits.push((batches[0] as ConsumerBatch).commit());
      }
    })();
    const written: number[] = [];
    while (written.at(-1) !== 10) {
      await expect.poll(() => saves.length, PATIENTLY).toBeGreaterThan(0);
      const [{ scn, done } = { scn: 0, done: (): void => {} }] = saves.splice(0, 1);
      written.push(scn);
      done();
    }
    await Promise.all([...commits, reading]);
    expect(written).toEqual([...new Set(written)].toSorted((a, b) => a - b));
  });

  test('a store that fails fails the commit, and the next one tries again', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([1]));
    let broken = true;
    const saved: number[] = [];
    const checkpoints: CheckpointStore = {
      load: () => Promise.resolve(0),
      save(scn) {
        if (broken) return Promise.reject(new Error('the disk is full'));
        saved.push(scn);
        return Promise.resolve();
      },
    };
    for await (const batch of connectTo(relay).stream('shop', { untilEnd: true, checkpoints })) {
      await expect(batch.commit()).rejects.toThrow('the disk is full');
      broken = false;
      await batch.commit();
    }
    expect(saved).toEqual([1]);
  });

  test('with `commit: auto` a batch is committed when the next is asked for, and one that was left in the middle is not', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([2]));
    const checkpoints = recordingStore(0);
    const options: StreamOptions = { checkpoints, commit: 'auto' };
    for await (const batch of connectTo(relay).stream('shop', options)) {
      if (batch.scn === 4) break;
      expect(checkpoints.saved).toEqual([]);
      relay.append(makeTransactions([2], { after: 2 }));
    }
    expect(checkpoints.saved).toEqual([2]);
    for await (const batch of connectTo(relay).stream('shop', { ...options, untilEnd: true })) {
      expect(batch.count).toBe(2);
    }
    expect(relay.readings.at(-1)?.get('from')).toBe('2');
  });
});

describe('ending', () => {
  test('leaving the loop, close() and the signal end a reading that waits, and leave no connection open', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([1]));
    const endings: ((end: AbortController, stream: { close(): Promise<void> }) => void)[] = [
      (end) => end.abort(),
      (_end, stream) => void stream.close(),
    ];
    for (const ending of endings) {
      const end = new AbortController();
      const client = connectTo(relay);
      const stream = client.stream('shop', { from: 'earliest', signal: end.signal });
      let batches = 0;
      for await (const _ of stream) {
        batches++;
        setImmediate(() => ending(end, stream));
      }
      expect(batches).toBe(1);
      await client.close();
      await expect.poll(() => relay.connections, PATIENTLY).toBe(0);
    }
    const client = connectTo(relay);
    for await (const _ of client.stream('shop', { from: 'earliest' })) break;
    await client.close();
    await expect.poll(() => relay.connections, PATIENTLY).toBe(0);
  });

  test.each(['load', 'save'])('a stream whose store does not come back from %s can be closed', async (name) => {
    const relay = await startRelay();
    relay.append(makeTransactions([3]));
    const called = Promise.withResolvers<void>();
    const never = (): Promise<never> => {
      called.resolve();
      return new Promise(() => {});
    };
    const checkpoints = { load: () => Promise.resolve(null), save: () => Promise.resolve(), [name]: never };
    const requests = new HttpRequests({ url: new URL(relay.url), timeoutMs: 5000 });
    const transport = new HttpTransport({ requests, stream: 'shop', idleTimeoutMs: 5000, verify: null });
    const clock = { ...systemClock, sleep: () => new Promise<void>((resolve) => setImmediate(resolve)) };
    const stream = createChangeStream(transport, { from: 'earliest', commit: 'auto', checkpoints }, { clock });
    const first = stream[Symbol.asyncIterator]().next();
    await called.promise;
    await stream.close();
    expect((await first).done).toBe(true);
    requests.close();
  });

  test('a stream that is closed while a relay is away ends at once', async () => {
    const relay = await startRelay();
    const { url } = relay;
    await relay.stop();
    closing.pop();
    const client = connect(url, { reconnect: { delayMinMs: 60_000, delayMaxMs: 60_000 } });
    const stream = client.stream('shop');
    const next = stream[Symbol.asyncIterator]().next();
    await new Promise((resolve) => setImmediate(resolve));
    await stream.close();
    expect(await next).toEqual({ done: true, value: undefined });
    await client.close();
  });

  test('a stream is read once', async () => {
    const relay = await startRelay();
    const stream = connectTo(relay).stream('shop', { untilEnd: true });
    for await (const _ of stream);
    expect(() => stream[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: 'SOURCE_ALREADY_READING' }));
  });
});

describe('batches', () => {
  test('each transaction says where the source would be read again, and none that of a later one', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([2, 1]));
    relay.append(makeTransactions([1], { after: 3 }));
    const places: string[][] = [];
    for await (const { parts } of connectTo(relay).stream('shop', { from: 'earliest', untilEnd: true })) {
      places.push(...parts.map(({ transaction, end }) => [String(transaction.start), String(end)]));
    }
    expect(places).toEqual([
      ['', ''],
      ['', 'after-3'],
      ['after-3', 'after-4'],
    ]);
  });

  test('changes stay, and what was not made of a batch before the next was asked for is refused', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([2]));
    const batches: ConsumerBatch[] = [];
    const kept: (readonly unknown[])[] = [];
    for await (const batch of connectTo(relay).stream('shop', { from: 'earliest' })) {
      batches.push(batch);
      kept.push(batch.changes);
      if (batches.length === 2) break;
      relay.append(makeTransactions([1], { after: 2 }));
    }
    const [first] = batches;
    expect(first?.changes).toBe(kept[0]);
    expect(first?.changes.map(({ scn, committedAtUs, key, after }) => ({ scn, committedAtUs, key, after }))).toEqual([
      { scn: 1, committedAtUs: 1000, key: { id: 1 }, after: { id: 1, state: 0 } },
      { scn: 2, committedAtUs: 1000, key: { id: 2 }, after: { id: 2, state: 0 } },
    ]);
    expect(() => first?.parts).toThrow(expect.objectContaining({ code: 'BATCH_EXPIRED' }));
  });

  test('a schema change is among the entries, with its SCN, and not among the changes', async () => {
    const relay = await startRelay();
    relay.append(makeTransactions([2], { after: 1 }).map((transaction) => ({ ...transaction, schemaScn: 1 })));
    for await (const batch of connectTo(relay).stream('shop', { from: 'earliest', untilEnd: true })) {
      expect(batch.entries.map((entry) => [entry.scn, 'type' in entry ? entry.type : entry.kind])).toEqual([
        [1, 'schema'],
        [2, 'insert'],
        [3, 'insert'],
      ]);
      expect(scnsOf(batch)).toEqual([2, 3]);
      expect(batch.count).toBe(2);
    }
  });

  test('small batches come joined, and a chunk that is being worked on is not overwritten by what comes in', async () => {
    const relay = await startRelay();
    for (let i = 0; i < 4000; i++) relay.append(makeTransactions([3], { after: i * 3, ids: 1000 }));
    const scns: number[] = [];
    let batches = 0;
    for await (const batch of connectTo(relay).stream('shop', { from: 'earliest', untilEnd: true })) {
      // More comes in while this one waits to be decoded.
      if (batches++ % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      scns.push(...scnsOf(batch));
    }
    expect(scns).toEqual(upTo(12_000));
    expect(batches).toBeLessThan(2000);
  });

  test('the token and the filters reach the relay', async () => {
    const relay = await startRelay();
    const client = connectTo(relay, { token: 'secret' });
    const options: StreamOptions = {
      tables: ['shop.orders', '/^a{1,2}$/'],
      ops: ['insert', 'delete'],
      columns: { 'shop.orders': ['id', 'a b', 'c`d'] },
      where: { 'shop.orders': "status = 'paid'" },
      from: new Date('2026-11-20T09:15:02.123Z'),
      untilEnd: true,
    };
    for await (const _ of client.stream('shop', options));
    const [query] = relay.readings;
    expect(query?.getAll('tables')).toEqual(['shop.orders', '/^a{1,2}$/']);
    expect(query?.get('ops')).toBe('insert,delete');
    expect(query?.get('columns')).toBe('shop.orders:id,`a b`,`c``d`');
    expect(query?.get('where')).toBe("shop.orders:status = 'paid'");
    expect(query?.get('from')).toBe('2026-11-20T09:15:02.123Z');
    expect(relay.headers[0]?.authorization).toBe('Bearer secret');
  });
});
