import { expect, test } from 'vitest';
import { CliProcess, runCommand } from '../support/cli-process.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import { Walk } from '../support/walk.ts';

const seed = seedOfRun('tail');

interface Line {
  readonly op: string;
  readonly table: string;
  readonly key: Record<string, unknown>;
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
  readonly tx: string;
  readonly pos: string;
}

/** Transactions as lines tell them: each as `Walk.committed` says it. */
function transactionsOf(lines: readonly Line[]): { tx: string; changes: string[] }[] {
  const transactions: { tx: string; changes: string[] }[] = [];
  for (const { op, table, key, before, after, tx } of lines) {
    if (transactions.at(-1)?.tx !== tx) transactions.push({ tx, changes: [] });
    const states = [before?.['state'], after?.['state']].filter((state) => state !== undefined).join('>');
    transactions
      .at(-1)
      ?.changes.push(table === 'tx' ? `tx ${String(after?.['n'])}` : `${op} ${String(key['id'])} ${states}`);
  }
  return transactions;
}

describeServers(
  ['mariadb', 'mysql'],
  'tidings tail, when something happens to it',
  (server, flavour) => {
    const rowsOf = (cli: CliProcess): Line[] =>
      (cli.json as unknown as Line[]).filter(({ op }) => ['insert', 'update', 'delete'].includes(op));
    const tail = (url: string, from: string, ...more: readonly string[]): string[] => [
      'tail',
      url,
      '--tables',
      'walk.*',
      '--from',
      from,
      ...more,
    ];

    async function place(): Promise<string> {
      const [row] = await server().query(flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
      return `${String(row?.['File'])}:${String(row?.['Position'])}`;
    }

    test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
      'ended by %s under load it is taken up again at its last line, and nothing is missing',
      async (signal) => {
        const walk = await Walk.create(server(), new SeededRandom(seed));
        await using cli = new CliProcess(tail(server().url, await place()));
        const enough = new AbortController();
        const load = walk.runUntil(enough.signal);
        await cli.until(({ lines }) => lines.length > 150);
        cli.signal(signal);
        expect(await cli.exit()).toEqual(signal === 'SIGKILL' ? { code: null, signal } : { code: 0, signal: null });
        enough.abort();
        await load;
        await walk.close();
        const expected = await walk.committed();
        const first = rowsOf(cli);
        const next = await runCommand(tail(server().url, first.at(-1)?.pos ?? '', '--until', 'now'));
        const before = transactionsOf(first);
        const after = transactionsOf(rowsOf(next));
        // What was printed in part comes again, whole; told to stop, it stops between two transactions. (The last one comes again all the same where
        // its end came by itself, when its lines were out: they have its beginning then.)
        if (before.at(-1)?.tx === after[0]?.tx) {
          if (signal !== 'SIGKILL') expect(before.at(-1)).toEqual(after[0]);
          before.pop();
        }
        expect([...before, ...after].map(({ changes }) => changes)).toEqual(expected);
      },
    );

    test('Ctrl-C in the middle of a transaction prints it to its end', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed), { ids: 300 });
      const from = await place();
      await walk.run(1);
      await walk.runOne(300);
      await walk.run(1);
      await walk.close();
      await using proxy = await FaultProxy.start(server());
      proxy.script = () => ({ countFrom: 'dump', chunkBytes: 500, delayMs: 4 });
      await using cli = new CliProcess(tail(proxy.url(), from));
      await cli.until(({ lines }) => lines.length > 30);
      cli.signal('SIGINT');
      expect(await cli.exit()).toEqual({ code: 0, signal: null });
      const [one, two, three] = await walk.committed();
      const printed = transactionsOf(rowsOf(cli)).map(({ changes }) => changes);
      expect(printed).toEqual([one, two]);
      // The end may come by itself, when all lines are out: then the last one has the transaction's beginning.
      expect([cli.resumePosition, rowsOf(cli).at(-2)?.pos]).toContain(rowsOf(cli).at(-1)?.pos);
      const next = await runCommand(tail(server().url, cli.resumePosition, '--until', 'now'));
      expect(transactionsOf(rowsOf(next)).map(({ changes }) => changes)).toEqual([three]);
    });

    test('Ctrl-C twice in the middle of a transaction ends it at once, and its last line tells where that transaction begins', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed), { ids: 300 });
      const from = await place();
      await walk.run(1);
      await walk.runOne(300);
      await walk.close();
      await using proxy = await FaultProxy.start(server());
      // It stands still before the end, so that only the second Ctrl-C can end it.
      proxy.script = () => ({ countFrom: 'dump', chunkBytes: 500, afterBytes: 20_000, end: 'stall' });
      await using cli = new CliProcess(tail(proxy.url(), from));
      await cli.until(({ lines }) => lines.length > 30);
      cli.signal('SIGINT');
      await cli.until(({ stderr }) => stderr.includes('once more stops at once'));
      cli.signal('SIGINT');
      expect(await cli.exit()).toEqual({ code: null, signal: 'SIGINT' });
      const next = await runCommand(tail(server().url, rowsOf(cli).at(-1)?.pos ?? '', '--until', 'now'));
      const [, two] = await walk.committed();
      expect(transactionsOf(rowsOf(next)).map(({ changes }) => changes)).toEqual([two]);
    });

    test('Ctrl-C while the server does not answer ends it with 0', async () => {
      await using proxy = await FaultProxy.start(server());
      proxy.script = () => ({ afterBytes: 0, end: 'stall' });
      await using cli = new CliProcess(tail(proxy.url(), 'now'));
      await expect.poll(() => proxy.connections.length, { timeout: 10_000 }).toBe(1);
      cli.signal('SIGINT');
      expect(await cli.exit()).toEqual({ code: 0, signal: null });
    });

    test('a reader that goes away under load ends it quietly', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using cli = new CliProcess(tail(server().url, await place(), '--log-level', 'warn'));
      const enough = new AbortController();
      const load = walk.runUntil(enough.signal);
      await cli.until(({ lines }) => lines.length > 50);
      cli.closeStdout();
      expect(await cli.exit()).toEqual({ code: 0, signal: null });
      expect(cli.stderr).toBe('');
      enough.abort();
      await load;
      await walk.close();
    });

    test('a connection lost in the middle of a transaction is told, and its lines come again from the first', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed), { ids: 300 });
      const from = await place();
      await walk.run(1);
      await walk.runOne(300);
      await walk.run(1);
      await walk.close();
      await using proxy = await FaultProxy.start(server());
      proxy.script = () =>
        proxy.faulted === 0 ? { countFrom: 'dump', chunkBytes: 500, afterBytes: 15_000, end: 'reset' } : {};
      await using cli = new CliProcess(tail(proxy.url(), from, '--until', 'now'));
      expect(await cli.exit()).toEqual({ code: 0, signal: null });
      expect(cli.stderr).toContain('its lines come again from its first');
      const expected = await walk.committed();
      const changes = transactionsOf(rowsOf(cli)).flatMap((transaction) => transaction.changes);
      const again = changes.lastIndexOf(expected[1]?.[0] ?? '');
      expect(changes.slice(again)).toEqual(expected.slice(1).flat());
      const whole = expected.slice(0, 2).flat();
      expect(changes.slice(0, again)).toEqual(whole.slice(0, again));
      expect(again).toBeGreaterThan((expected[0]?.length ?? 0) + 1);
    });
  },
  { options: ['--binlog-row-metadata=FULL'] },
);
