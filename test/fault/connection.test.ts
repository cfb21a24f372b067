import { describe, expect, test, vi } from 'vitest';
import { type FaultEnd, FaultProxy, type Faults } from '../support/fault-proxy.ts';
import { drain, Follower } from '../support/follower.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import { Walk } from '../support/walk.ts';

const seed = seedOfRun('connection faults');

/** Not in every pass a server sends its last bytes, which are no events. */
const END_BYTES = 200;

describeServers(
  ['mariadb', 'mysql'],
  'a connection that breaks',
  (server, flavour) => {
    async function start(): Promise<string> {
      const [row] = await server().query(flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
      return `${String(row?.['File'])}:${String(row?.['Position'])}`;
    }

    /** Reads a stretch of the binlog through connections that break so, one after the other; those after them are sound. */
    async function drainThrough(
      from: string,
      faults: readonly Faults[],
    ): Promise<{ recorder: Awaited<ReturnType<typeof drain>>; broken: number; bytes: number }> {
      await using proxy = await FaultProxy.start(server());
      proxy.script = () => faults[proxy.faulted] ?? {};
      const recorder = await drain({ url: proxy.url(), from, waitForServer: true });
      return {
        recorder,
        broken: proxy.faulted,
        bytes: Math.max(...proxy.connections.map((each) => each.dumpBytesPassed)),
      };
    }

    describe('while it reads', () => {
      test(
        'loses nothing and repeats nothing, wherever it is cut: every byte of a stretch, and 80 places more',
        { timeout: 120_000 },
        async () => {
          const random = new SeededRandom(seed);
          const walk = await Walk.create(server(), random);
          // Definitions are read through the same bad connections then.
          await server().query('SET GLOBAL binlog_row_metadata = MINIMAL');
          const from = await start();
          await walk.run(40);
          await walk.close();
          await server().query('SET GLOBAL binlog_row_metadata = FULL');
          const expected = await walk.committed();
          const whole = await drainThrough(from, []);
          whole.recorder.expectExactly(expected);
          const windowStart = 200 + random.below(whole.bytes - 1000);
          const stretch = Array.from({ length: 160 }, (_, i) => windowStart + i);
          const places = [...stretch, ...random.sample(80, 1, whole.bytes - END_BYTES)];
          const ends: readonly FaultEnd[] = ['close', 'reset'];
          let second = 0;
          const cutTwice = async (at: number): Promise<void> => {
            // Once here, then somewhere behind it; bytes of one in three places come one by one, so that transactions are handed over in parts.
            const chunks: Faults = random.below(3) === 0 ? { chunkBytes: 1 } : {};
            const cuts = [at, random.below(whole.bytes)].map((afterBytes): Faults => ({
              ...chunks,
              afterBytes,
              countFrom: 'dump',
              end: ends[random.below(2)] ?? 'close',
            }));
            const { recorder, broken } = await drainThrough(from, cuts);
            expect(broken).toBeGreaterThanOrEqual(1);
            second += broken - 1;
            recorder.expectExactly(expected);
          };
          await concurrently(places, 4, cutTwice);
          expect(second).toBeGreaterThan(20);
        },
      );

      test.each([1, 3, 1000])(
        'reads a stream that comes in chunks of %i bytes, without a reconnect',
        async (chunkBytes) => {
          const walk = await Walk.create(server(), new SeededRandom(seed));
          const from = await start();
          await walk.run(20);
          await walk.close();
          await using proxy = await FaultProxy.start(server());
          proxy.script = () => ({ chunkBytes });
          await using follower = new Follower({ url: proxy.url(), from, until: 'now' });
          await follower.finished;
          follower.recorder.expectExactly(await walk.committed());
          expect(follower.reconnects).toEqual([]);
          expect(follower.recorder.cutOff).toBe(0);
        },
      );

      test('a transaction handed over in part comes again whole and marked, though the next connection breaks before it begins', async () => {
        const walk = await Walk.create(server(), new SeededRandom(seed), { ids: 400 });
        const from = await start();
        await walk.runOne(400);
        await walk.close();
        await using proxy = await FaultProxy.start(server());
        const faults: readonly Faults[] = [
          { chunkBytes: 1000, countFrom: 'dump', afterBytes: 10_000 },
          // What comes before the first event of the transaction.
          { countFrom: 'dump', afterBytes: 150 },
          { countFrom: 'dump', afterBytes: 20 },
        ];
        proxy.script = () => faults[proxy.faulted] ?? {};
        const recorder = await drain({ url: proxy.url(), from });
        expect(proxy.faulted).toBe(3);
        expect(recorder.cutOff).toBe(1);
        expect(recorder.seen.at(-1)).toMatchObject({ restarted: true, complete: true });
        recorder.expectExactly(await walk.committed());
      });

      test.each(['stall', 'half-open'] as const)(
        'a connection that goes silent (%s) is noticed by its missing heartbeats, and another one made',
        async (end) => {
          const walk = await Walk.create(server(), new SeededRandom(seed));
          await using proxy = await FaultProxy.start(server());
          await using follower = await Follower.start({ url: proxy.url() });
          await walk.run(5);
          await follower.seen(walk.last);
          (await proxy.dump()).end(end);
          await walk.run(5);
          await follower.seen(walk.last);
          expect(follower.reconnects).toEqual(['STREAM_STALLED']);
          await walk.close();
          follower.recorder.expectExactly(await walk.committed());
        },
      );

      test('a reader that was away for good by the network is no rival of itself: its server id is free again', async () => {
        const walk = await Walk.create(server(), new SeededRandom(seed));
        await using proxy = await FaultProxy.start(server());
        await using follower = await Follower.start({ url: proxy.url(), serverId: 4_000_000_001 });
        // The server never hears of it: its old dump thread stays, and it still believes to feed us.
        for (let i = 0; i < 2; i++) {
          (await proxy.dump()).end('stall');
          await walk.run(1);
          await follower.seen(walk.last);
        }
        await walk.close();
        expect(follower.reconnects).toEqual(['STREAM_STALLED', 'STREAM_STALLED']);
      });

      test('an idle server whose heartbeats come is no stall, and what it writes later arrives on the same connection', async () => {
        const walk = await Walk.create(server(), new SeededRandom(seed));
        await using proxy = await FaultProxy.start(server());
        await using follower = await Follower.start({ url: proxy.url() });
        const dump = await proxy.dump();
        const quietFrom = dump.dumpBytesPassed;
        // 30 heartbeats: three times what would count as a stall.
        await vi.waitFor(() => expect(dump.dumpBytesPassed).toBeGreaterThan(quietFrom + 30 * 40), { timeout: 20_000 });
        await walk.run(1);
        await follower.seen(walk.last);
        await walk.close();
        expect(follower.reconnects).toEqual([]);
      });

      test('a slow line with delays is read without a reconnect', async () => {
        const walk = await Walk.create(server(), new SeededRandom(seed));
        const from = await start();
        await walk.run(10);
        await walk.close();
        const { recorder, broken } = await drainThrough(from, [{ delayMs: 5, chunkBytes: 1500 }]);
        expect(broken).toBe(0);
        recorder.expectExactly(await walk.committed());
      });
    });

    describe('that is encrypted', () => {
      test('loses nothing and repeats nothing, wherever it is cut', { timeout: 60_000 }, async ({ skip }) => {
        // MariaDB makes no certificate by itself.
        if (flavour === 'mariadb') skip();
        const random = new SeededRandom(seed);
        const walk = await Walk.create(server(), random);
        const from = await start();
        await walk.run(30);
        await walk.close();
        const expected = await walk.committed();
        const passes = async (faults: readonly Faults[]): Promise<{ broken: number; bytes: number }> => {
          await using proxy = await FaultProxy.start(server());
          proxy.script = () => faults[proxy.faulted] ?? {};
          const recorder = await drain({ url: `${proxy.url()}?tls=on`, from, waitForServer: true });
          recorder.expectExactly(expected);
          return { broken: proxy.faulted, bytes: Math.max(...proxy.connections.map((each) => each.bytesPassed)) };
        };
        const { bytes } = await passes([]);
        await concurrently(random.sample(30, 0, Math.floor(bytes * 0.95)), 4, async (afterBytes) => {
          const fault: Faults = { afterBytes, end: random.below(2) === 0 ? 'close' : 'reset' };
          expect((await passes([fault, fault])).broken).toBeGreaterThanOrEqual(1);
        });
      });
    });

    test('reading the definitions of many tables leaves no connection behind on the server', async () => {
      const count = 40;
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await server().query('SET GLOBAL binlog_row_metadata = MINIMAL');
      await using follower = await Follower.start({ url: server().url });
      for (let i = 0; i < count; i++) {
        await server().query(`CREATE TABLE walk.t${i} (id INT PRIMARY KEY); INSERT INTO walk.t${i} VALUES (1)`);
      }
      await walk.run(1);
      await follower.seen(walk.last);
      await walk.close();
      await server().query('SET GLOBAL binlog_row_metadata = FULL');
      const threads = await server().query<{ Command: string }>('SHOW PROCESSLIST');
      expect(threads.filter(({ Command }) => Command.startsWith('Binlog Dump')).length).toBeLessThan(count / 4);
    });

    describe('while it connects', () => {
      test('tries again, wherever in the handshake or the questions it is cut', { timeout: 120_000 }, async () => {
        const random = new SeededRandom(seed);
        const walk = await Walk.create(server(), random);
        const from = await start();
        await walk.run(5);
        await walk.close();
        const expected = await walk.committed();
        await using sound = await FaultProxy.start(server());
        await drain({ url: sound.url(), from });
        const setUp = Math.max(...sound.connections.map((each) => each.bytesPassed - each.dumpBytesPassed));
        const places = [...random.sample(12, 0, 200), ...random.sample(30, 200, Math.floor(setUp * 0.9))];
        await concurrently(places, 4, async (afterBytes) => {
          const end: FaultEnd = random.below(2) === 0 ? 'close' : 'reset';
          const sending = random.below(4) === 0;
          const fault: Faults = sending ? { afterSentBytes: random.below(300), end } : { afterBytes, end };
          const { recorder, broken } = await drainThrough(from, [fault, fault]);
          expect(broken).toBe(2);
          recorder.expectExactly(expected);
        });
      });

      test('a server that stops answering while it is connected to is given up after a while, and tried again', async () => {
        const random = new SeededRandom(seed);
        const walk = await Walk.create(server(), random);
        const from = await start();
        await walk.run(3);
        await walk.close();
        const expected = await walk.committed();
        await concurrently([0, 40, 1000, 10_000, 'dump'] as const, 5, async (afterBytes) => {
          await using proxy = await FaultProxy.start(server());
          const fault: Faults =
            afterBytes === 'dump' ? { countFrom: 'dump', afterBytes: 0, end: 'stall' } : { afterBytes, end: 'stall' };
          proxy.script = () => (proxy.faulted === 0 ? fault : {});
          const recorder = await drain({ url: proxy.url(), from, waitForServer: true, answerTimeoutMs: 1000 });
          expect(proxy.faulted).toBe(1);
          recorder.expectExactly(expected);
        });
      });
    });
  },
  { options: ['--binlog-row-metadata=FULL'] },
);

async function concurrently<T>(items: readonly T[], workers: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
        await work(item);
      }
    }),
  );
}
