import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResultSetHeader } from 'mysql2/promise';
import { expect, test } from 'vitest';
import { MysqlSource } from '../../src/sources/mysql/mysql-source.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { RelayProcess } from '../support/relay/relay-process.ts';
import { describeServer } from '../support/servers/describe-server.ts';
import type { TestServer } from '../support/servers/test-server.ts';

const seed = seedOfRun('a ring of two whose sinks are killed');
const SOAK = process.env['TIDINGS_SOAK'] === '1';
/** Of each sink. */
const KILLS = SOAK ? 30 : 3;
const PAUSE_MS = 5;
const CONFLICTS: ReadonlySet<unknown> = new Set([1213, 1205]);
/** A key and what it is moved by have the same parity, which says whose it is. */
const MOVE = 1_000_000;
const WAIT = { timeout: 60_000, interval: 50 };

/** One of the two databases: what is written there, and the sink that brings the other one's changes. */
class Side {
  readonly server: TestServer;
  readonly #parity: 0 | 1;
  readonly #random: SeededRandom;
  /** Its own rows. */
  readonly #ids: number[] = [];
  #nextId: number;
  #stop = false;
  /** Row changes of its own transactions. */
  changes = 0;
  /** Of these, what moved a key: elsewhere that may be a delete and an insert. */
  moves = 0;

  constructor(server: TestServer, parity: 0 | 1) {
    this.server = server;
    this.#parity = parity;
    this.#random = new SeededRandom(seed + parity);
    this.#nextId = 2 + parity;
  }

  /** Writes rows of its own: with a key, changed and moved and deleted; and without one. Until it is told to stop. */
  async load(): Promise<void> {
    const connection = await this.server.connection({ database: 'ring' });
    try {
      while (!this.#stop) {
        const ids = [...this.#ids];
        let [changes, moves] = [0, 0];
        const run = async (sql: string, params: readonly unknown[]): Promise<void> => {
          const [{ affectedRows }] = await connection.query<ResultSetHeader>(sql, [...params]);
          changes += affectedRows;
        };
        try {
          await connection.beginTransaction();
          for (let i = this.#random.below(4); i >= 0; i--) {
            await run('INSERT INTO t VALUES (?, ?, 1)', [this.#nextId, `${this.server.flavour} 🎁`]);
            ids.push(this.#nextId);
            this.#nextId += 2;
          }
          const at = this.#random.below(ids.length);
          const id = ids[at] ?? 0;
          await run('UPDATE t SET n = n + 1 WHERE id = ?', [id]);
          if (this.#random.below(4) === 0 && id < MOVE) {
            await run('UPDATE t SET id = id + ? WHERE id = ?', [MOVE, id]);
            ids[at] = id + MOVE;
            moves++;
          } else if (this.#random.below(4) === 0) {
            await run('DELETE FROM t WHERE id = ?', [id]);
            ids.splice(at, 1);
          }
          await run('INSERT INTO journal VALUES (?, ?)', [this.#parity, changes]);
          await connection.commit();
          this.#ids.splice(0, this.#ids.length, ...ids);
          this.changes += changes;
          this.moves += moves;
        } catch (error) {
          if (!CONFLICTS.has((error as { errno?: unknown }).errno)) throw error;
          await connection.rollback();
        }
        await sleep(PAUSE_MS);
      }
    } finally {
      await connection.end();
    }
  }

  stop(): void {
    this.#stop = true;
  }

  async rows(): Promise<readonly string[]> {
    const rows = await this.server.query(
      "SELECT CONCAT_WS('/', 't', id, who, n) AS line FROM ring.t UNION ALL SELECT CONCAT_WS('/', 'journal', side, n) FROM ring.journal",
    );
    return rows.map(({ line }) => String(line)).toSorted();
  }

  /** Grows with each commit of the sink into this side. */
  async written(): Promise<bigint> {
    const [row] = await this.server
      .query('SELECT CAST(SUM(scn) AS CHAR) AS scns FROM ring._tidings_checkpoint')
      .catch(() => []);
    return BigInt(String(row?.['scns'] ?? 0));
  }

  /** Row changes in its binlog: all of them, or those that no sink wrote. */
  async logged(from: string, { ignoreOrigin }: { readonly ignoreOrigin: boolean }): Promise<number> {
    let count = 0;
    const source = new MysqlSource({ url: this.server.url, tables: ['ring.*'], from, until: 'now', ignoreOrigin });
    for await (const batch of source.batches()) {
      for (const entry of batch.parts.flatMap(({ entries }) => entries)) {
        if (entry.type === 'rows') count += entry.rows().count;
      }
    }
    return count;
  }
}

describeServer('mariadb', 'a ring of MariaDB', (mariadb) => {
  describeServer('mysql', 'and MySQL', (mysql) => {
    test(
      'under load on both sides, its sinks killed again and again, ends with equal databases, each change on each side once, and nothing goes round',
      { timeout: SOAK ? 1_800_000 : 300_000 },
      async () => {
        const folder = await mkdtemp(join(tmpdir(), 'tidings-ring-'));
        const sides = { a: new Side(mariadb(), 1), b: new Side(mysql(), 0) };
        const from: Record<string, string> = {};
        for (const [name, { server }] of Object.entries(sides)) {
          await server.query(`CREATE DATABASE ring; CREATE TABLE ring.t (id INT PRIMARY KEY, who VARCHAR(20), n INT) CHARSET utf8mb4;
              CREATE TABLE ring.journal (side INT, n INT)`);
          from[name] = await place(server);
        }
        await using cleanup = new AsyncDisposableStack();
        cleanup.defer(() => rm(folder, { recursive: true, force: true }));
        const streamOf = ({ server }: Side): object => ({
          source: { type: 'mysql', url: server.url, tables: ['ring.*'], ignoreOrigin: true },
        });
        const relay = cleanup.use(
          await RelayProcess.create({
            folder: await mkdtemp(join(folder, 'relay-')),
            streams: { a: streamOf(sides.a), b: streamOf(sides.b) },
          }),
        );
        const sinkInto = async (target: Side, stream: string): Promise<RelayProcess> =>
          cleanup.use(
            await RelayProcess.create({
              folder: await mkdtemp(join(folder, 'sink-')),
              sinks: {
                [`of-${stream}`]: {
                  type: 'mysql',
                  stream,
                  relay: relay.url,
                  url: `${target.server.url}/ring`,
                  bootstrap: 'never',
                  retry: { delayMin: '10ms', delayMax: '100ms' },
                },
              },
            }),
          );
        const sinks = [
          { sink: await sinkInto(sides.b, 'a'), target: sides.b },
          { sink: await sinkInto(sides.a, 'b'), target: sides.a },
        ];
        await relay.start();
        await Promise.all([relay.positioned('a'), relay.positioned('b')]);
        const load = Promise.all([sides.a, sides.b].map((side) => side.load()));
        cleanup.defer(async () => {
          for (const side of [sides.a, sides.b]) side.stop();
          await load.catch(() => undefined);
        });
        await Promise.race([load, Promise.all(sinks.map((each) => killAgainAndAgain(each)))]);
        for (const side of [sides.a, sides.b]) side.stop();
        await load;

        for (const stream of ['a', 'b']) await expect.poll(() => lagOf(relay, stream), WAIT).toBe(0);
        const rows = await sides.a.rows();
        expect(await sides.b.rows()).toEqual(rows);
        expect(rows.filter((row) => row.startsWith('journal/0'))).not.toEqual([]);
        expect(rows.filter((row) => row.startsWith('journal/1'))).not.toEqual([]);
        for (const [name, side] of Object.entries(sides)) {
          const at = from[name] ?? '';
          const other = side === sides.a ? sides.b : sides.a;
          // What the sink wrote is known as such, whenever it was killed: it cannot go round.
          expect(await side.logged(at, { ignoreOrigin: true })).toBe(side.changes);
          // A batch writes the last state of a key only: fewer than the other side's changes, never more.
          const all = await side.logged(at, { ignoreOrigin: false });
          expect(all).toBeGreaterThan(side.changes);
          expect(all).toBeLessThanOrEqual(side.changes + other.changes + other.moves);
          process.stderr.write(
            `${name}: ${KILLS} kills of its sink, ${side.changes} changes of its own, ${all} in its binlog\n`,
          );
        }
      },
    );
  });
});

/** Each time when it has written something since it was started. Runs in the end. */
async function killAgainAndAgain({
  sink,
  target,
}: {
  readonly sink: RelayProcess;
  readonly target: Side;
}): Promise<void> {
  await sink.start();
  for (let kill = 0; kill < KILLS; kill++) {
    const before = await target.written();
    await expect.poll(async () => (await target.written()) > before, WAIT).toBe(true);
    sink.signal('SIGKILL');
    expect(await sink.exit()).toEqual({ code: null, signal: 'SIGKILL' });
    await sink.start();
  }
}

async function lagOf(relay: RelayProcess, stream: string): Promise<number | null> {
  const answer = await fetch(`${relay.url}/v1/streams/${stream}/groups/sink-of-${stream}`);
  const { lag } = (await answer.json()) as { readonly lag?: { readonly changes: number } };
  return lag?.changes ?? null;
}

async function place(server: TestServer): Promise<string> {
  const [row] = await server.query<{ File: string; Position: number }>(
    server.flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
  );
  return `${row?.File}:${row?.Position}`;
}
