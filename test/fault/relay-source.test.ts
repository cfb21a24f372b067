import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import type { StreamOptions } from '../../src/core/consumer.ts';
import { type FaultEnd, FaultProxy } from '../support/fault-proxy.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { RelayProcess } from '../support/relay/relay-process.ts';
import { caughtUp, promote, replicaOf } from '../support/relay/replica.ts';
import { RunningRelay, type RunningRelayOptions } from '../support/relay/running-relay.ts';
import { StreamReader } from '../support/relay/stream-reader.ts';
import { TemporaryDirectory } from '../support/relay/temporary-directory.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import type { TestServer } from '../support/servers/test-server.ts';
import { Walk } from '../support/walk.ts';

const seed = seedOfRun('a relay whose source fails');
const SOAK = process.env['TIDINGS_SOAK'] === '1';
const AWAY_MS = SOAK ? 60_000 : 2000;
/** The changes of a large transaction, and how long a row's filling is: with the images before, some 10 MB of binlog. */
const LARGE = { changes: 1500, padBytes: 4000 };
const PATIENTLY = { timeout: 30_000 };

const TABLES = ['walk.*'];

function streamOf(url: string, directory: string): RunningRelayOptions {
  // Small segments, so that a large transaction lies in many.
  return { directory, streams: { walk: { source: { url, tables: TABLES }, log: { segmentBytes: 512 * 1024 } } } };
}

/** Both a reader that followed all the time and one that comes afterwards have every transaction of the server once, in commit order. */
async function expectExact(walk: Walk, follower: StreamReader, url: string, server?: TestServer): Promise<void> {
  const expected = await walk.committed(server);
  await follower.untilAll(expected);
  follower.expectExactly(expected);
  (await StreamReader.readAll(url, 'walk')).expectExactly(expected);
}

async function dumpThreads(server: TestServer): Promise<number> {
  const threads = await server.query<{ Command: string }>('SHOW PROCESSLIST');
  return threads.filter(({ Command }) => Command.startsWith('Binlog Dump')).length;
}

describeServers(
  ['mariadb', 'mysql'],
  'a relay',
  (server, flavour) => {
    test(
      'whose source goes away under load says so, serves what it has, and goes on by itself: nothing lost, nothing twice',
      { timeout: AWAY_MS + 120_000 },
      async () => {
        using directory = new TemporaryDirectory();
        const walk = await Walk.create(server(), new SeededRandom(seed));
        await using relay = await RunningRelay.start(streamOf(server().url, directory.path));
        await relay.positioned();
        await using reader = new StreamReader(relay.url, 'walk');
        const enough = new AbortController();
        const load = walk.runUntil(enough.signal);
        await reader.until(({ lastTransaction }) => lastTransaction > 20);
        expect(await relay.readiness()).toMatchObject({ status: 200, ready: true });

        await server().shutdown();
        const status = (): string => relay.stream('walk').status().state;
        await expect.poll(status, PATIENTLY).toBe('waiting');
        const awayMs = Date.now();
        const endMs = performance.now() + AWAY_MS;
        while (performance.now() < endMs) {
          const { status: httpStatus, reasons } = await relay.readiness();
          expect(httpStatus).toBe(503);
          expect(reasons).toMatchObject([
            { stream: 'walk', code: expect.stringMatching(/^CONNECTION_(LOST|FAILED)$/) as string },
          ]);
          await sleep(100);
        }
        const { error } = relay.stream('walk').status();
        expect(error).toMatchObject({ code: 'CONNECTION_FAILED', retry: 'backoff' });
        expect(error?.hint).not.toBe('');
        // Since it went away, not since it was last tried.
        expect(error?.sinceMs).toBeLessThanOrEqual(awayMs);
        // Consumers have nothing to do with it: also one that comes now gets what there is.
        const meanwhile = await StreamReader.readAll(relay.url, 'walk');
        expect(meanwhile.lastTransaction).toBe(reader.lastTransaction);

        const before = reader.lastTransaction;
        await server().start();
        await reader.until(({ lastTransaction }) => lastTransaction > before + 20);
        expect(await relay.readiness()).toMatchObject({ status: 200, ready: true });
        enough.abort();
        await load;
        await walk.close();
        await expectExact(walk, reader, relay.url);
        expect(relay.stream('walk').status()).toMatchObject({ state: 'running', error: null });
      },
    );

    test('that is started while its source is away serves its log, and follows the source when it comes', async () => {
      using directory = new TemporaryDirectory();
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using relay = await RunningRelay.start(streamOf(server().url, directory.path));
      await relay.positioned();
      await using reader = new StreamReader(relay.url, 'walk');
      await walk.run(10);
      await reader.untilAll(await walk.committed());
      await relay.stop();
      await walk.run(10);
      await walk.close();
      const expected = await walk.committed();
      await server().shutdown();
      await relay.start();
      expect((await StreamReader.readAll(relay.url, 'walk')).lastTransaction).toBe(10);
      await expect
        .poll(() => relay.readiness(), PATIENTLY)
        .toMatchObject({ ready: false, reasons: [{ code: 'CONNECTION_FAILED' }] });
      await server().start();
      await reader.untilAll(expected);
      await expectExact(walk, reader, relay.url);
    });

    test('whose source has not answered yet is starting: it is neither ready nor has it lost anything', async () => {
      using directory = new TemporaryDirectory();
      await using proxy = await FaultProxy.start(server());
      proxy.script = () => ({ afterBytes: 0, end: 'stall' });
      await using relay = await RunningRelay.start(streamOf(proxy.url(), directory.path));
      await expect.poll(() => proxy.faulted, PATIENTLY).toBe(1);
      expect(relay.stream('walk').status()).toMatchObject({ state: 'starting', error: null, connections: 0 });
      expect(await relay.readiness()).toMatchObject({ status: 503, reasons: [{ stream: 'walk', code: 'STARTING' }] });
    });

    test('whose source falls silent is not ready, before the connection is given up and until there is a new one', async () => {
      using directory = new TemporaryDirectory();
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using proxy = await FaultProxy.start(server());
      // A heartbeat every half second: the stall is noticed after five.
      const streams = { walk: { source: { url: proxy.url(), tables: TABLES, heartbeatMs: 500 } } };
      await using relay = await RunningRelay.start({
        directory: directory.path,
        streams,
        http: { silentAfterMs: 1500 },
      });
      await relay.positioned();
      await using reader = new StreamReader(relay.url, 'walk');
      await walk.run(3);
      await reader.untilAll(await walk.committed());
      (await proxy.dump()).end('stall');
      await walk.run(3);
      await expect
        .poll(() => relay.readiness(), { ...PATIENTLY, interval: 20 })
        .toMatchObject({ status: 503, reasons: [{ stream: 'walk', code: 'SILENT' }] });
      await expect.poll(() => relay.readiness(), PATIENTLY).toMatchObject({ status: 200 });
      await walk.close();
      await expectExact(walk, reader, relay.url);
    });

    describe('in the middle of a large transaction', () => {
      test('whose connection to the source is cut, however it ends, has the transaction in its log once', async () => {
        using directory = new TemporaryDirectory();
        const walk = await Walk.create(server(), new SeededRandom(seed), LARGE);
        await using proxy = await FaultProxy.start(server());
        const cuts: readonly { readonly afterBytes: number; readonly end: FaultEnd }[] = [
          { afterBytes: 1_500_000, end: 'close' },
          { afterBytes: 4_000_000, end: 'reset' },
          { afterBytes: 7_000_000, end: 'stall' },
        ];
        proxy.script = () => {
          const cut = cuts[proxy.faulted];
          return cut === undefined ? {} : { ...cut, countFrom: 'dump' };
        };
        await using relay = await RunningRelay.start(streamOf(proxy.url(), directory.path));
        await relay.positioned();
        await using reader = new StreamReader(relay.url, 'walk');
        await walk.run(5);
        await walk.runOne(LARGE.changes);
        await walk.run(5);
        await walk.close();
        await expectExact(walk, reader, relay.url);
        expect(proxy.faulted).toBe(cuts.length);
        expect(relay.stream('walk').status().connections).toBe(cuts.length + 1);
      });

      test('that is stopped and started again has the transaction once, and nobody has seen a part of it before its end', async () => {
        using directory = new TemporaryDirectory();
        const walk = await Walk.create(server(), new SeededRandom(seed), LARGE);
        await using proxy = await FaultProxy.start(server());
        // Slowly, so that there is a middle to be stopped in.
        proxy.script = () => ({ chunkBytes: 32 * 1024, delayMs: 4, countFrom: 'dump' });
        const source = { type: 'mysql', url: proxy.url(), tables: TABLES };
        await using relay = await RelayProcess.create({
          folder: directory.path,
          streams: { walk: { source, log: { segmentBytes: '512KiB' } } },
        });
        await relay.start();
        await relay.positioned('walk');
        await using reader = new StreamReader(relay.url, 'walk');
        await walk.run(5);
        await reader.untilAll(await walk.committed());
        const dump = await proxy.dump();
        const before = dump.dumpBytesPassed;
        await walk.runOne(LARGE.changes);
        await expect.poll(() => dump.dumpBytesPassed - before, PATIENTLY).toBeGreaterThan(4_000_000);
        relay.signal('SIGTERM');
        expect(await relay.exit()).toEqual({ code: 0, signal: null });
        expect(dump.dumpBytesPassed - before).toBeLessThan(LARGE.changes * LARGE.padBytes * 1.5);
        expect(reader.lastTransaction).toBe(5);

        proxy.script = () => ({});
        await relay.start();
        await walk.run(5);
        await walk.close();
        await expectExact(walk, reader, relay.url);
      });
    });

    test('that is started again with the URL of a replica goes on there by GTIDs, and its consumer notices nothing', async () => {
      using directory = new TemporaryDirectory();
      await using replica = await replicaOf(server(), flavour);
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using relay = await RunningRelay.start(streamOf(server().url, directory.path));
      await relay.positioned();
      await using reader = new StreamReader(relay.url, 'walk');
      await walk.run(20);
      await reader.untilAll(await walk.committed());
      await relay.stop();
      // What the former primary commits while no relay runs comes from the replica's log.
      await walk.run(20);
      await caughtUp(replica, server(), flavour);
      await promote(replica, flavour);
      walk.moveTo(replica);
      await walk.run(20);
      await relay.start(streamOf(replica.url, directory.path));
      await walk.run(20);
      await walk.close();
      await expectExact(walk, reader, relay.url, replica);
    });

    test('is one reader to the source, however many consumers it has', async () => {
      using directory = new TemporaryDirectory();
      const walk = await Walk.create(server(), new SeededRandom(seed));
      // Those of the tests before may take a moment to notice that nobody listens.
      await expect
        .poll(
          async () => {
            await walk.run(1);
            return dumpThreads(server());
          },
          { ...PATIENTLY, interval: 200 },
        )
        .toBe(0);
      await using relay = await RunningRelay.start(streamOf(server().url, directory.path));
      await relay.positioned();
      const first = walk.last + 1;
      await using client = connect(relay.url);
      /** How many transactions each has seen: fifteen plain readers, and the five members of a group together. */
      const arrived: number[] = Array.from({ length: 16 }, () => 0);
      const consume = async (index: number): Promise<void> => {
        const place = Math.min(index, 15);
        const options: StreamOptions = { from: 'earliest', commit: 'auto' };
        const member: StreamOptions = place < 15 ? {} : { group: 'g', member: `m${index}` };
        for await (const batch of client.stream('walk', { ...options, ...member })) {
          const seen = batch.changes.filter(({ table, after }) => table.name === 'tx' && Number(after?.['n']) >= first);
          arrived[place] = (arrived[place] ?? 0) + seen.length;
        }
      };
      const consumers = Array.from({ length: 20 }, (_, index) => consume(index));
      await walk.run(10);
      await expect.poll(() => arrived, PATIENTLY).toEqual(Array.from({ length: 16 }, () => 10));
      expect(await dumpThreads(server())).toBe(1);
      await client.close();
      await Promise.all(consumers);
      await walk.close();
    });
  },
  { owned: true },
);
