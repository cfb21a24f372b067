import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { runCommand } from '../support/cli-process.ts';
import { RelayProcess, type RelayProcessOptions } from '../support/relay/relay-process.ts';
import { describeServer } from '../support/servers/describe-server.ts';
import { findFreePort } from '../support/servers/free-port.ts';
import type { SelectedRow, TestServer } from '../support/servers/test-server.ts';
import { completeFiles, readRows } from '../support/sinks/read-files.ts';

const WAIT = { timeout: 30_000, interval: 50 };

let root = '';
let cases = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'tidings-sinks-'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

/** A folder for one relay, with the files that its configuration names. */
function folderWith(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(root, 'relay-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** A running relay with these sinks. What it has logged is told when the test fails. */
async function start(options: RelayProcessOptions): Promise<RelayProcess> {
  const relay = await RelayProcess.create(options);
  onTestFailed(() => void process.stderr.write(relay.stderr));
  await relay.start();
  return relay;
}

/** What `tidings <command> <url> …` prints; it has to end well. */
async function tidings(relay: RelayProcess, command: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand([...command.split(' '), relay.url, ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

async function ended(relay: RelayProcess, signal: NodeJS.Signals): Promise<void> {
  relay.signal(signal);
  await relay.exit();
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
/** Values of an INSERT. */
const rowsOf = (from: number, to: number, note = 'new'): string =>
  numbers(from, to)
    .map((id) => `(${id}, '${note} ${id}')`)
    .join(', ');
const ids = (rows: readonly SelectedRow[]): number[] => rows.map(({ id }) => Number(id)).toSorted((a, b) => a - b);

describeServer('mariadb', 'sinks of a relay from the command line', (mariadb) => {
  describeServer('mysql', 'to and from', (mysql) => {
    /** A new database of the source with the table `orders`. */
    const database = async (source: TestServer): Promise<string> => {
      const name = `shop${++cases}`;
      await source.query(
        `CREATE DATABASE ${name}; CREATE TABLE ${name}.orders (id INT PRIMARY KEY, note VARCHAR(60) NOT NULL)`,
      );
      return name;
    };
    const streams = (source: TestServer, db: string): Readonly<Record<string, object>> => ({
      shop: { source: { type: 'mysql', url: source.url, tables: [`${db}.*`] }, partitions: 8 },
    });
    const all = (server: TestServer, table: string): Promise<SelectedRow[]> =>
      server.query(`SELECT * FROM ${table} ORDER BY 1`).catch(() => []);
    /** Resolves when both tables hold the same rows. */
    const same = async (source: TestServer, target: TestServer, table: string, copy = table): Promise<void> => {
      await expect.poll(() => all(target, copy), WAIT).toEqual(await all(source, table));
    };

    describe.each([
      ['MariaDB to MySQL', mariadb, mysql],
      ['MySQL to MariaDB', mysql, mariadb],
    ] as const)('%s', (_, sourceOf, targetOf) => {
      test('a copy has the rows that were there, and follows what becomes of them', async () => {
        const [source, target] = [sourceOf(), targetOf()];
        const db = await database(source);
        await source.query(`INSERT INTO ${db}.orders VALUES ${rowsOf(1, 500)}`);
        const sink = { type: 'mysql', url: `${target.url}/copies`, stream: 'shop' };
        await using relay = await start({
          folder: folderWith(),
          streams: streams(source, db),
          sinks: { copy: sink },
        });
        await same(source, target, `${db}.orders`);
        await source.query(`INSERT INTO ${db}.orders VALUES ${rowsOf(501, 600)};
          UPDATE ${db}.orders SET note = 'changed' WHERE id % 3 = 0;
          DELETE FROM ${db}.orders WHERE id % 7 = 0;
          UPDATE ${db}.orders SET id = id + 1000 WHERE id % 5 = 0`);
        await same(source, target, `${db}.orders`);
        await source.query(`ALTER TABLE ${db}.orders ADD COLUMN city VARCHAR(20) NULL;
          INSERT INTO ${db}.orders VALUES (9001, 'with a city', 'Kassel');
          UPDATE ${db}.orders SET city = 'Bonn' WHERE id < 100`);
        await same(source, target, `${db}.orders`);
        await source.query(
          `TRUNCATE TABLE ${db}.orders; INSERT INTO ${db}.orders VALUES (1, 'first', 'Ulm'), (2, 'second', NULL)`,
        );
        await same(source, target, `${db}.orders`);
        expect(await tidings(relay, 'sinks')).toMatch(/\ncopy +mysql +shop +transactional +running +\d+ +0 +0\.0 s/);
      });
    });

    test('rows are renamed, cast, chosen, spread over several targets and changed by hooks', async () => {
      const [source, target] = [mariadb(), mysql()];
      const db = await database(source);
      await source.query(`CREATE TABLE ${db}.people (person_id INT PRIMARY KEY, full_name VARCHAR(40), income VARCHAR(20), active INT);
        INSERT INTO ${db}.people VALUES (1, 'ada', '10.50', 1), (2, 'bob', '7', 0), (3, 'spam', '1', 1)`);
      const hooks = `
        export const before = (change) => (change.after?.full_name === 'spam' ? null : change);
        export const after = async (row) =>
          row.target.table.name === 'contacts' && row.after !== null
            ? { ...row, after: { ...row.after, name: String(row.after.name).toUpperCase() } }
            : row;`;
      const rules = [
        {
          to: `${db}_crm.contacts`,
          where: 'active = 1',
          columns: { id: 'person_id', name: 'full_name', income: { from: 'income', cast: 'decimal(10,2)' } },
          include: [],
        },
        { to: `${db}_crm.everybody`, rename: 'camel', exclude: ['income'] },
      ];
      const sink = { type: 'mysql', url: `${target.url}/copies`, stream: 'shop', hooks: './hooks.ts' };
      await using relay = await start({
        folder: folderWith({ 'hooks.ts': hooks }),
        streams: streams(source, db),
        sinks: { crm: { ...sink, tables: { [`${db}.people`]: rules } } },
      });
      const contacts = (): Promise<SelectedRow[]> => all(target, `${db}_crm.contacts`);
      await expect.poll(contacts, WAIT).toEqual([{ id: 1, name: 'ADA', income: '10.50' }]);
      await source.query(`INSERT INTO ${db}.people VALUES (4, 'dan', '3', 1), (5, 'spam', '1', 1);
        UPDATE ${db}.people SET active = 1 - active WHERE person_id < 3`);
      await expect.poll(contacts, WAIT).toEqual([
        { id: 2, name: 'BOB', income: '7.00' },
        { id: 4, name: 'DAN', income: '3.00' },
      ]);
      await expect
        .poll(() => all(target, `${db}_crm.everybody`), WAIT)
        .toEqual([
          { personId: 1, fullName: 'ada', active: 0 },
          { personId: 2, fullName: 'bob', active: 1 },
          { personId: 4, fullName: 'dan', active: 1 },
        ]);
      expect(relay.stderr).not.toContain('"level":"error"');
    });

    test('a row that the target refuses is set aside with its key, over a crash, until it is healed', async () => {
      const [source, target] = [mysql(), mariadb()];
      const db = await database(source);
      await target.query(
        `CREATE DATABASE IF NOT EXISTS copies; CREATE DATABASE ${db}; CREATE TABLE ${db}.orders (id INT PRIMARY KEY, note VARCHAR(12) NOT NULL)`,
      );
      const sink = { type: 'mysql', url: `${target.url}/copies`, stream: 'shop', schema: 'ignore', bootstrap: 'never' };
      const options = { folder: folderWith(), streams: streams(source, db), sinks: { copy: sink } };
      await using relay = await start(options);
      await relay.positioned('shop');
      await source.query(
        `INSERT INTO ${db}.orders VALUES (1, 'fine'), (2, 'far too long for it'), (3, 'fine'), (4, 'much too long for it')`,
      );
      // Of one batch only the last state of a key is written: the refused one has to come alone.
      await expect.poll(() => relay.sink('copy'), WAIT).toMatchObject({ deadLetters: 2, blockedKeys: 2 });
      await source.query(
        `UPDATE ${db}.orders SET note = 'short' WHERE id = 2; UPDATE ${db}.orders SET note = 'well' WHERE id = 3`,
      );
      await expect
        .poll(() => all(target, `${db}.orders`), WAIT)
        .toEqual([
          { id: 1, note: 'fine' },
          { id: 3, note: 'well' },
        ]);
      await expect.poll(() => relay.sink('copy'), WAIT).toMatchObject({ deadLetters: 3, blockedKeys: 2 });
      await ended(relay, 'SIGKILL');
      await relay.start();
      await expect.poll(() => relay.sink('copy'), WAIT).toMatchObject({ state: 'running', deadLetters: 3 });

      const list = await tidings(relay, 'dead-letters list', '--sink', 'copy');
      expect(list).toMatch(new RegExp(`^ +1 +${db}\\.orders +insert .*SINK_ROW_REFUSED.*note`, 'm'));
      expect(list).toContain('an earlier change of its key');
      expect(list).not.toContain('too long for it');
      const letters = JSON.parse(await tidings(relay, 'dead-letters list', '--sink', 'copy', '--json')) as {
        readonly id: number;
        readonly change: { readonly key: { readonly id: number }; readonly op: string };
      }[];
      const letterOf = (key: number): string =>
        String(letters.find(({ change }) => change.key.id === key && change.op === 'insert')?.id);
      expect(await tidings(relay, 'dead-letters show', letterOf(2), '--sink', 'copy')).toContain('far too long for it');
      await tidings(relay, 'dead-letters edit', letterOf(2), '--sink', 'copy', '--after', '{"note":"cut"}');
      expect(await tidings(relay, 'dead-letters redrive', letterOf(2), '--sink', 'copy')).toBe('2 written, 0 left\n');
      await tidings(relay, 'dead-letters drop', letterOf(4), '--sink', 'copy');
      await source.query(`INSERT INTO ${db}.orders VALUES (5, 'fine')`);
      await expect
        .poll(() => all(target, `${db}.orders`), WAIT)
        .toEqual([
          { id: 1, note: 'fine' },
          { id: 2, note: 'short' },
          { id: 3, note: 'well' },
          { id: 5, note: 'fine' },
        ]);
      expect(await relay.sink('copy')).toMatchObject({ state: 'running', deadLetters: 0, blockedKeys: 0 });
    });

    test('rows wait while a sink is paused, also over a restart', async () => {
      const [source, target] = [mariadb(), mysql()];
      const db = await database(source);
      const sink = { type: 'mysql', url: `${target.url}/copies`, stream: 'shop' };
      const file = { type: 'file', path: './files', stream: 'shop', rotate: { afterMs: 100 } };
      const folder = folderWith();
      await using relay = await start({ folder, streams: streams(source, db), sinks: { copy: sink, file } });
      await source.query(`INSERT INTO ${db}.orders VALUES (1, 'before')`);
      await same(source, target, `${db}.orders`);
      await tidings(relay, 'pause', '--sink', 'copy');
      await ended(relay, 'SIGTERM');
      await relay.start();
      await source.query(`INSERT INTO ${db}.orders VALUES (2, 'meanwhile')`);
      // The other sink has it: it was there to be written.
      const written = (): Promise<SelectedRow[]> => rowsOfFiles(join(folder, 'files'));
      await expect.poll(async () => ids(await written()), WAIT).toEqual([1, 2]);
      expect(await tidings(relay, 'sinks')).toMatch(/\ncopy +mysql +shop +- +paused /);
      expect(ids(await all(target, `${db}.orders`))).toEqual([1]);
      await tidings(relay, 'resume', '--sink', 'copy');
      await same(source, target, `${db}.orders`);
    });

    test('a target that cannot be reached or logged in to holds up nothing but its own sink, and says what to do', async () => {
      const [source, target] = [mariadb(), mysql()];
      const db = await database(source);
      const login = target.url.replace('root@', `${db}:right@`);
      const port = await findFreePort();
      const folder = folderWith();
      await using relay = await start({
        folder,
        streams: streams(source, db),
        sinks: {
          copy: { type: 'mysql', url: `${target.url}/copies`, stream: 'shop' },
          locked: { type: 'mysql', url: `${login}/copies`, stream: 'shop' },
          down: {
            type: 'mysql',
            url: `mysql://root@127.0.0.1:${port}/copies`,
            stream: 'shop',
            retry: { delayMax: '500ms' },
          },
        },
      });
      await source.query(`INSERT INTO ${db}.orders VALUES (1, 'for the one that works')`);
      await same(source, target, `${db}.orders`);
      await expect.poll(() => relay.sink('locked'), WAIT).toMatchObject({ state: 'failed' });
      await expect.poll(() => relay.sink('down'), WAIT).toMatchObject({ state: 'waiting' });
      const told = await tidings(relay, 'sinks');
      expect(told).toMatch(/\nlocked: [A-Z_]+: .+\n {2}\S/);
      expect(told).toMatch(/\ndown: [A-Z_]+: .+\n {2}\S/);
      expect(told + relay.stderr).not.toContain('right');
      await target.query(`CREATE USER ${db}@'%' IDENTIFIED BY 'right'; GRANT ALL ON *.* TO ${db}@'%'`);
      await tidings(relay, 'resume', '--sink', 'locked');
      await expect.poll(() => relay.sink('locked'), WAIT).toMatchObject({ state: 'running', error: null });
      // The one that is down comes up: nobody has to do anything.
      const proxy = createServer((socket) => {
        const server = connect(target.port, target.host);
        for (const [from, to] of [
          [socket, server],
          [server, socket],
        ] as const) {
          from.on('error', () => to.destroy()).pipe(to);
        }
      });
      await new Promise<void>((resolve) => {
        proxy.listen(port, '127.0.0.1', resolve);
      });
      await expect.poll(() => relay.sink('down'), WAIT).toMatchObject({ state: 'running', error: null });
      await ended(relay, 'SIGTERM');
      proxy.close();
    });

    async function rowsOfFiles(directory: string): Promise<SelectedRow[]> {
      const files = await Promise.all(completeFiles(directory).map((path) => readRows(path)));
      return files.flat() as SelectedRow[];
    }

    test.each(['ndjson', 'avro', 'parquet'])('files of %s have each change once after a crash', async (format) => {
      const source = mariadb();
      const db = await database(source);
      const folder = folderWith();
      const sink = { type: 'file', path: './files', format, stream: 'shop', rotate: { bytes: 4096, afterMs: 200 } };
      await using relay = await start({
        folder,
        streams: streams(source, db),
        sinks: { lake: { ...sink, bootstrap: 'never', batch: { rows: 100 } } },
      });
      const files = join(folder, 'files');
      await relay.positioned('shop');
      await source.query(`INSERT INTO ${db}.orders VALUES ${rowsOf(1, 2000)}`);
      await expect
        .poll(() => relay.sink('lake').then(({ rows }) => rows), { timeout: 30_000, interval: 5 })
        .toBeGreaterThan(0);
      await ended(relay, 'SIGKILL');
      await relay.start();
      await source.query(`INSERT INTO ${db}.orders VALUES ${rowsOf(2001, 2500)}`);
      await expect.poll(async () => (await rowsOfFiles(files)).length, WAIT).toBeGreaterThanOrEqual(2500);
      expect(ids(await rowsOfFiles(files))).toEqual(numbers(1, 2500));
      expect(completeFiles(files).every((path) => path.startsWith(join(files, db, 'orders')))).toBe(true);
    });

    test('a command gets the rows as lines, and a sink of the user as objects', async () => {
      const source = mysql();
      const db = await database(source);
      await source.query(`INSERT INTO ${db}.orders VALUES ${rowsOf(1, 50)}`);
      const keep = `while IFS= read -r line; do
        case $line in
          '{"op":"progress"'*) scn=\${line##*:}; echo "ack \${scn%\\}}" ;;
          *) printf '%s\\n' "$line" >> exec.ndjson ;;
        esac
      done`;
      const folder = folderWith({
        'keep.sh': keep,
        'my-sink.ts': `
          import { appendFileSync } from 'node:fs';
          import type { Sink, SinkBatch } from 'tidings';
          export default ({ file }: { readonly file: string }): Sink => ({
            promise: 'at-least-once',
            open: async () => {},
            prepare: async () => ({ serial: false }),
            write: async ({ rows }: SinkBatch) => {
              for (const { after } of rows) appendFileSync(file, JSON.stringify(after) + '\\n');
            },
            truncate: async () => {},
            close: async () => {},
          });`,
      });
      const own = join(folder, 'own.ndjson');
      const lines = { command: `cd ${folder} && sh keep.sh`, lines: 'rows' };
      await using relay = await start({
        folder,
        streams: streams(source, db),
        sinks: {
          told: { type: 'exec', stream: 'shop', parallel: 1, ...lines },
          own: { type: './my-sink.ts', stream: 'shop', settings: { file: own } },
        },
      });
      await source.query(`INSERT INTO ${db}.orders VALUES (51, 'one more')`);
      for (const file of [join(folder, 'exec.ndjson'), own]) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        await expect.poll(() => ids(readLines(file)), WAIT).toEqual(numbers(1, 51));
      }
      expect(await relay.sink('own')).toMatchObject({ state: 'running', promise: 'at-least-once' });
    });

    test('a relay with sinks alone follows the stream of another one', async () => {
      const [source, target] = [mariadb(), mysql()];
      const db = await database(source);
      await source.query(`INSERT INTO ${db}.orders VALUES ${rowsOf(1, 50)}`);
      await using far = await start({ folder: folderWith(), streams: streams(source, db) });
      const sink = { type: 'mysql', url: `${target.url}/copies`, relay: far.url };
      await using relay = await start({
        folder: folderWith(),
        sinks: { copy: { ...sink, stream: 'shop' }, lost: { ...sink, stream: 'nowhere' } },
      });
      await same(source, target, `${db}.orders`);
      await source.query(`INSERT INTO ${db}.orders VALUES (51, 'one more')`);
      await same(source, target, `${db}.orders`);
      await expect.poll(() => tidings(relay, 'sinks'), WAIT).toMatch(/\nlost: STREAM_UNKNOWN: .+\n {2}\S/);
    });

    test('a target that was restored from a backup is named, and gets what it lacks once the group is set back', async () => {
      const [source, target] = [mariadb(), mysql()];
      const db = await database(source);
      await using far = await start({ folder: folderWith(), streams: streams(source, db) });
      await far.positioned('shop');
      const name = `restored${++cases}`;
      const sink = { type: 'mysql', url: `${target.url}/${name}`, relay: far.url, stream: 'shop' };
      await using relay = await start({ folder: folderWith(), sinks: { [name]: sink } });
      const tables = [`${db}.orders`, `${name}._tidings_checkpoint`];
      await source.query(`INSERT INTO ${db}.orders VALUES ${rowsOf(1, 30)}`);
      await same(source, target, `${db}.orders`);
      await ended(relay, 'SIGTERM');
      for (const table of tables) {
        await target.query(
          `CREATE TABLE ${table}_backup LIKE ${table}; INSERT INTO ${table}_backup SELECT * FROM ${table}`,
        );
      }
      await relay.start();
      await source.query(`INSERT INTO ${db}.orders VALUES ${rowsOf(31, 50)}; DELETE FROM ${db}.orders WHERE id < 5`);
      await same(source, target, `${db}.orders`);
      await ended(relay, 'SIGTERM');
      for (const table of tables) {
        await target.query(`DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM ${table}_backup`);
      }
      await relay.start();
      await expect
        .poll(() => relay.sink(name), WAIT)
        .toMatchObject({ state: 'failed', error: { code: 'SINK_BEHIND' } });
      expect(ids(await all(target, `${db}.orders`))).toEqual(numbers(1, 30));
      await tidings(far, 'checkpoint set', '--stream', 'shop', '--group', `sink-${name}`, '--to', 'earliest');
      await tidings(relay, 'resume', '--sink', name);
      await same(source, target, `${db}.orders`);
    });

    test('a sink that begins at the latest change without the rows before goes on there after a restart', async () => {
      const [source, target] = [mariadb(), mysql()];
      const db = await database(source);
      await source.query(`INSERT INTO ${db}.orders VALUES (1, 'too early')`);
      const sink = { type: 'mysql', url: `${target.url}/copies`, stream: 'shop', bootstrap: 'never', from: 'latest' };
      const options = { folder: folderWith(), streams: streams(source, db), sinks: { copy: sink } };
      await using relay = await start(options);
      await relay.positioned('shop');
      await expect.poll(() => relay.sink('copy'), WAIT).toMatchObject({ state: 'running' });
      await ended(relay, 'SIGKILL');
      await source.query(`INSERT INTO ${db}.orders VALUES (2, 'while it was down')`);
      await relay.start();
      await source.query(`INSERT INTO ${db}.orders VALUES (3, 'later')`);
      await expect.poll(async () => ids(await all(target, `${db}.orders`)), WAIT).toEqual([2, 3]);
    });

    test('a table without a key gets its rows', async () => {
      const [source, target] = [mysql(), mariadb()];
      const db = await database(source);
      await source.query(`CREATE TABLE ${db}.log (id INT NOT NULL, note VARCHAR(60))`);
      await source.query(`INSERT INTO ${db}.log VALUES ${rowsOf(1, 3)}`);
      const sink = { type: 'mysql', url: `${target.url}/copies`, stream: 'shop' };
      await using relay = await start({ folder: folderWith(), streams: streams(source, db), sinks: { copy: sink } });
      await expect.poll(async () => ids(await all(target, `${db}.log`)), WAIT).toEqual([1, 2, 3]);
      expect(relay.stderr).not.toContain('"level":"error"');
    });

    test('SIGTERM ends in good order with rows on their way, each of which has its effect once', async () => {
      const [source, target] = [mysql(), mariadb()];
      const db = await database(source);
      // Without a key a row that is written twice is there twice.
      await source.query(`CREATE TABLE ${db}.log (id INT NOT NULL, note VARCHAR(60))`);
      const sink = {
        type: 'mysql',
        url: `${target.url}/copies`,
        stream: 'shop',
        bootstrap: 'never',
        batch: { rows: 20 },
      };
      await using relay = await start({ folder: folderWith(), streams: streams(source, db), sinks: { copy: sink } });
      await relay.positioned('shop');
      await source.query(`INSERT INTO ${db}.log VALUES ${rowsOf(1, 3000)}`);
      await expect
        .poll(async () => (await all(target, `${db}.log`)).length, { timeout: 30_000, interval: 5 })
        .toBeGreaterThan(0);
      relay.signal('SIGTERM');
      // It fails when the end takes longer than ten seconds.
      expect(await relay.exit()).toEqual({ code: 0, signal: null });
      expect(relay.stderr).not.toMatch(/"level":"error"|did not end in good order/);
      await relay.start();
      await source.query(`INSERT INTO ${db}.log VALUES ${rowsOf(3001, 3010)}`);
      await expect.poll(async () => ids(await all(target, `${db}.log`)).at(-1), WAIT).toBe(3010);
      expect(ids(await all(target, `${db}.log`))).toEqual(numbers(1, 3010));
    });
  });
});

function readLines(file: string): SelectedRow[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as SelectedRow);
  } catch {
    return [];
  }
}
