import { createServer, type Server, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { mysqlEvents } from '../../src/sources/mysql/mysql-events.ts';
import { MysqlSource } from '../../src/sources/mysql/mysql-source.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { Follower } from '../support/follower.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import { Walk } from '../support/walk.ts';

/** No answer is waited for: that would take ten seconds. */
const AT_ONCE_MS = 5000;

const seed = seedOfRun('endings');

/** What keeps a process alive, as far as it is ours: sockets, timers, name lookups. */
function held(): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    if (/TCP|Pipe|Timeout|Immediate|GETADDRINFO|TLS/i.test(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

describeServers(
  ['mariadb', 'mysql'],
  'an iteration that ends',
  (server, flavour) => {
    /** Runs it between two looks at what is open; whatever it opened must be gone when it resolves. */
    async function leavesNothing(run: () => Promise<void>): Promise<void> {
      await server().query('DO 1');
      const before = held();
      await run();
      // A socket that was destroyed is closed with the next turn of the event loop.
      for (let turn = 0; turn < 3; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      const after = held();
      for (const [kind, count] of Object.entries(after)) {
        expect({ kind, more: Math.max(0, count - (before[kind] ?? 0)) }).toEqual({ kind, more: 0 });
      }
    }

    async function place(): Promise<string> {
      const [row] = await server().query(flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
      return `${String(row?.['File'])}:${String(row?.['Position'])}`;
    }

    const options = { tables: ['walk.*'], heartbeatMs: 100 } as const;

    test('by leaving the loop holds neither socket nor timer any more, and the batch that was left is not counted as done', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed));
      const from = await place();
      await walk.run(5);
      await walk.close();
      await leavesNothing(async () => {
        const source = new MysqlSource({ ...options, url: server().url, from });
        for await (const batch of source.batches()) {
          if (batch.parts.length > 0) break;
        }
        await using again = new Follower({ url: server().url, from: String(source.position), until: 'now' });
        await again.finished;
        again.recorder.expectExactly(await walk.committed());
      });
    });

    test('by close() while it waits for the server ends at once and without an error', async () => {
      await leavesNothing(async () => {
        const follower = await Follower.start({ url: server().url });
        await Promise.all([follower.source.close(), follower.source.close()]);
        await follower.finished;
      });
    });

    test('by its signal while it waits for the server ends at once and without an error', async () => {
      await leavesNothing(async () => {
        const abort = new AbortController();
        const follower = await Follower.start({ url: server().url, signal: abort.signal });
        abort.abort();
        await follower.finished;
        // Closing it afterwards, or before it was ever read, does no harm.
        await follower.source.close();
        await new MysqlSource({ ...options, url: server().url }).close();
        const never = new Follower({ url: server().url, signal: abort.signal });
        await never.finished;
      });
    });

    test('by an error in the consumer ends the connection', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed));
      const from = await place();
      await walk.run(3);
      await walk.close();
      await leavesNothing(async () => {
        const source = new MysqlSource({ ...options, url: server().url, from });
        const read = async (): Promise<void> => {
          for await (const { parts } of source.batches()) if (parts.length > 0) throw new Error('out of order');
        };
        await expect(read()).rejects.toThrow('out of order');
      });
    });

    test('by close() while it connects does not wait for a server that does not answer', async () => {
      const { silent, port, sockets } = await silentServer();
      await leavesNothing(async () => {
        const follower = new Follower({ url: `mysql://root@127.0.0.1:${port}`, waitForServer: true });
        await expect.poll(() => sockets.size).toBe(1);
        const startedMs = performance.now();
        await follower.source.close();
        await follower.finished;
        expect(performance.now() - startedMs).toBeLessThan(AT_ONCE_MS);
        await expect.poll(() => sockets.size).toBe(0);
      });
      silent.close();
    });

    test('by close() in the middle of the questions before the dump ends at once', async () => {
      await using proxy = await FaultProxy.start(server());
      proxy.script = () => ({ afterBytes: 3000, end: 'stall' });
      const follower = new Follower({ url: proxy.url() });
      await expect.poll(() => proxy.faulted).toBe(1);
      const startedMs = performance.now();
      await follower.source.close();
      await follower.finished;
      expect(performance.now() - startedMs).toBeLessThan(AT_ONCE_MS);
    });

    test('by close() in the pause before it connects again ends at once', async () => {
      await using proxy = await FaultProxy.start(server());
      const follower = await Follower.start({
        url: proxy.url(),
        reconnect: { delayMinMs: 60_000, delayMaxMs: 60_000 },
      });
      await proxy.stopListening();
      await expect.poll(() => follower.reconnects.length).toBe(1);
      await follower.source.close();
      await follower.finished;
    });

    test('by a handler that throws says which, keeps the position before the transaction, and closes everything', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed));
      const from = await place();
      await walk.run(6);
      await walk.close();
      const expected = await walk.committed();
      await leavesNothing(async () => {
        const events = mysqlEvents(server().url, { ...options, from });
        const seen: unknown[] = [];
        events.on('tx_write', (pk) => {
          if (pk === 4) throw new Error('the cache is full');
          seen.push(pk);
        });
        await expect(events.run()).rejects.toMatchObject({
          code: 'EVENT_HANDLER_FAILED',
          cause: { message: 'the cache is full' },
        });
        expect(seen).toEqual([1, 2, 3]);
        await using rest = new Follower({ url: server().url, from: String(events.position), until: 'now' });
        await rest.finished;
        rest.recorder.expectExactly(expected.slice(3));
      });
    });

    test('by a handler that rejects later, while others run, loses no transaction behind the position', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed));
      const from = await place();
      await walk.run(12);
      await walk.close();
      const expected = await walk.committed();
      const events = mysqlEvents(server().url, { ...options, from, concurrency: 4 });
      const done = new Set<unknown>();
      events.on('tx_write', async (pk) => {
        await new Promise((resolve) => setImmediate(resolve));
        if (pk === 7) throw new Error('refused');
        done.add(pk);
      });
      await expect(events.run()).rejects.toMatchObject({ code: 'EVENT_HANDLER_FAILED' });
      const position = events.position === null ? from : String(events.position);
      await using rest = new Follower({ url: server().url, from: position, until: 'now' });
      await rest.finished;
      const behind = rest.recorder.complete;
      expect(behind).toEqual(expected.slice(expected.length - behind.length));
      // I4: whatever was not handled comes again.
      const first = expected.length - behind.length + 1;
      expect(first).toBeLessThanOrEqual(7);
      for (let n = 1; n < first; n++) expect(done).toContain(n);
    });

    test('and is begun again goes on behind the last batch that was left', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed));
      const from = await place();
      await walk.run(10);
      await walk.close();
      const expected = await walk.committed();
      const source = new MysqlSource({ ...options, url: server().url, from, until: 'now' });
      const seen: unknown[] = [];
      for (let run = 0; run < 3; run++) {
        for await (const { parts } of source.batches()) {
          if (parts.length > 0 && run === 0) break;
          for (const entry of parts.flatMap((part) => part.entries)) {
            if (entry.type === 'rows' && entry.table.name === 'tx') seen.push(...(entry.keys() ?? []));
          }
        }
      }
      expect(seen).toEqual(expected.map((_, index) => index + 1));
    });
  },
  { options: ['--binlog-row-metadata=FULL'] },
);

/** Accepts connections and says nothing. */
async function silentServer(): Promise<{ silent: Server; port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    sockets.add(socket);
    // Else nobody would notice that the other side has gone.
    socket.resume();
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  return { silent, port: (silent.address() as { port: number }).port, sockets };
}
