import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compareTable } from '../../scripts/demo/compare.ts';
import type { HandedChange, HandedEntry } from '../../scripts/demo/handed.ts';
import { LagMeter } from '../../scripts/demo/lag-meter.ts';
import { type Arrival, Replica } from '../../scripts/demo/replica.ts';
import { compareCopy, readTable, tableContent } from '../../scripts/demo/table-sum.ts';
import type { Row } from '../../src/core/change.ts';
import { COMPILE_CACHE } from '../support/cli-process.ts';
import { describeServer, describeServers } from '../support/servers/describe-server.ts';

const DEMO = resolve(import.meta.dirname, '../../scripts/demo.ts');
const LAUNCHER = resolve(import.meta.dirname, '../../scripts/demo.mjs');

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exit: Promise<number | null>;
}

// Only to skip where there is no server: the demo starts its own.
describeServer('mariadb', 'npm run demo', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidings-demo-test-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  function start(program: string, args: readonly string[]): Run {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: folder, NODE_COMPILE_CACHE: COMPILE_CACHE },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    return { child, output: () => output, exit: once(child, 'close').then(([code]) => code as number | null) };
  }

  /** The command lines of all processes that have to do with this test's folder: by their arguments, or started from the demo. */
  async function processes(): Promise<string[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const found = await Promise.all(
      pids.map(async (pid) => {
        const read = (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
        const line = await read('cmdline');
        return line !== '' && (line + (await read('environ'))).includes(folder) ? [line.replaceAll('\0', ' ')] : [];
      }),
    );
    return found.flat();
  }

  async function expectNothingLeft(): Promise<void> {
    expect(await readdir(folder)).toEqual([]);
    expect(await processes()).toEqual([]);
  }

  test('relay, consumer and sink are killed under load, the results are proved exact, and nothing is left behind', async () => {
    const { exit, output } = start(LAUNCHER, ['--seconds', '3']);
    expect(await exit, `its output:\n${output()}`).toBe(0);
    const text = output();
    expect(text).not.toContain('\u001b');
    expect(text).toMatch(/^ +relay +http:\/\/127\.0\.0\.1:\d+, /m);
    expect(text).toMatch(/ a and b, each a process: 32 and 32 partitions$/m);
    const count = (line: RegExp): number => Number(line.exec(text)?.[1]?.replaceAll(',', ''));
    const stocked = count(/^ +rows +the shop has ([\d,]+) rows already, /m);
    expect(stocked).toBeGreaterThan(20_000);
    const killedAt = count(
      /^ +killed +the relay \(SIGKILL\) in the middle of load and snapshot, of which ([\d,]+) rows/m,
    );
    expect(killedAt).toBeGreaterThan(0.3 * stocked);
    // It was not over: what is read later comes from the restarted relay.
    const read = count(/^ +read +the snapshot is over: ([\d,]+) rows read in [\d.]+ s, /m);
    expect(read).toBeGreaterThan(0.9 * stocked);
    expect(killedAt).toBeLessThan(read);
    expect(text).toMatch(/^ +The snapshot brought [\d,]+ rows in [\d.]+ s, beside the load; [\d,]+ rows were changed/m);
    expect(text).toMatch(/^ +[\d,]+ were read again after the kill\.$/m);
    expect(text.indexOf('the snapshot is over')).toBeGreaterThan(text.indexOf('changes flow again'));
    const meanwhile =
      /^ +back +changes flow again [\d.]+ s after the kill; ([\d,]+) transactions were committed meanwhile$/m;
    expect(Number(meanwhile.exec(text)?.[1]?.replaceAll(',', ''))).toBeGreaterThan(0);
    const unacknowledged =
      /^ +killed +consumer b \(SIGKILL\) in the middle of a batch: ([\d,]+) of its [\d,]+ changes applied, none committed$/m;
    const again = /([\d,]+) rows and changes came again after the kills and changed nothing\.$/m;
    const [atLeast, came] = [unacknowledged, again].map((line) => Number(line.exec(text)?.[1]?.replaceAll(',', '')));
    expect(atLeast).toBeGreaterThan(0);
    expect(came).toBeGreaterThanOrEqual(atLeast ?? Number.NaN);
    expect(text).toMatch(/^ +back +its \d+ partitions flow to a [\d.]+ s after the kill; b is started again$/m);
    expect(text).toMatch(/^ +back +b has a share again [\d.]+ s after its start$/m);
    for (const name of ['customers', 'products', 'orders', 'order_lines']) {
      expect(text).toMatch(new RegExp(`^ +${name} +[\\d,]+ +[\\d,]+ +[\\d,]+ +[\\d,]+ +yes$`, 'm'));
    }
    expect(text).toMatch(/^ +Proved: .* all [\d,]+ rows, equal in every value\.$/m);
    expect(
      text.match(/ s +[\d,]+ rows, +[\d,]+ changes\/s +[\d,]+ tx\/s +lag .* a \d+, b \d+$/gm)?.length,
    ).toBeGreaterThanOrEqual(2);
    const open = count(
      /^ +killed +the sink \(SIGKILL\) in the middle of (\d+) transactions in the second database, (?:[\d,]+|their) rows written and not/m,
    );
    expect(open).toBeGreaterThanOrEqual(2);
    expect(text).toMatch(/^ +back +the second database is written again [\d.]+ s after the kill; /m);
    for (const name of ['customers', 'products', 'orders', 'order_lines', 'till']) {
      expect(text).toMatch(new RegExp(`^ +${name} +([\\d,]+) +([0-9a-f]{16}) +\\1 +\\2 +yes$`, 'm'));
    }
    expect(text).toMatch(/^ +Proved: relay and sink were killed, and the second database is equal to the first/m);
    expect(count(/The table till has no key, and each of its ([\d,]+) rows$/m)).toBeGreaterThan(0);
    await expectNothingLeft();
  });

  test.each([
    { when: 'at its beginning', marker: 'Tidings demo' },
    { when: 'while the rows are written', marker: 'server   ' },
    { when: 'while relay and consumers start', marker: 'rows     ' },
    { when: 'in the middle of the load', marker: 'changes/s' },
    { when: 'while the relay is down', marker: 'killed   the relay' },
    { when: 'while the sink is down', marker: 'killed   the sink' },
  ])('Ctrl-C $when leaves no process and no folder, and exits with 130', async ({ marker }) => {
    const { child, exit, output } = start(DEMO, ['--seconds', '6']);
    await expect.poll(output, { timeout: 60_000, interval: 5 }).toContain(marker);
    child.kill('SIGINT');
    expect(await exit, `its output:\n${output()}`).toBe(130);
    expect(output()).not.toContain('Error');
    await expectNothingLeft();
  });

  test('a second Ctrl-C ends it at once; what it had started goes by itself', async () => {
    const { child, exit, output } = start(DEMO, ['--seconds', '30']);
    await expect.poll(output, { timeout: 60_000, interval: 5 }).toContain('changes/s');
    child.kill('SIGINT');
    const again = setInterval(() => child.kill('SIGINT'), 1);
    expect(await exit, `its output:\n${output()}`).toBe(130);
    clearInterval(again);
    await expect.poll(processes, { timeout: 10_000 }).toEqual([]);
    await expect.poll(() => readdir(folder), { timeout: 10_000 }).toEqual([]);
  });

  test('SIGKILL ends databases, relay, sink and consumers with it, and their folders go', async () => {
    const { child, exit, output } = start(DEMO, ['--seconds', '30']);
    await expect.poll(output, { timeout: 60_000, interval: 5 }).toContain('changes/s');
    const members = (await processes()).filter((line) => line.includes('member.ts'));
    expect(members).toHaveLength(2);
    // The relay may just have been killed.
    await expect
      .poll(async () => (await processes()).filter((line) => line.includes('main.ts run')), { timeout: 60_000 })
      .toHaveLength(2);
    child.kill('SIGKILL');
    await exit;
    await expect.poll(processes, { timeout: 10_000 }).toEqual([]);
    await expect.poll(() => readdir(folder), { timeout: 10_000 }).toEqual([]);
  });

  test('an option that makes no sense exits with 2 and says how it is used', async () => {
    const { exit, output } = start(DEMO, ['--seconds', 'many']);
    expect(await exit).toBe(2);
    expect(output()).toContain('Usage: npm run demo');
  });
});

describe("the demo's proof", () => {
  const change = (scn: number, before: Row | null, after: Row | null, moved = false): HandedChange => {
    const id = (after ?? before)?.['id'] ?? null;
    const place = { scn, table: 'orders', key: { id }, partition: 0 };
    return { type: 'change', ...place, before, after, moved, snapshot: false };
  };
  const insert = (scn: number, id: number, total: string) => change(scn, null, { id, total });
  const update = change(13, { id: 1, total: '1.00' }, { id: 1, total: '1.50' });
  const remove = change(14, { id: 2, total: '2.00' }, null);
  const moved = {
    from: change(16, { id: 3, total: '3.00' }, null, true),
    to: change(16, null, { id: 4, total: '3.00' }, true),
  };
  const all: readonly HandedEntry[] = [
    insert(11, 1, '1.00'),
    insert(12, 2, '2.00'),
    update,
    remove,
    insert(15, 3, '3.00'),
    moved.from,
    moved.to,
  ];
  const selected = [
    { id: 1, total: '1.50' },
    { id: 4, total: '3.00' },
  ];
  const replay = (entries: readonly HandedEntry[]) => {
    const replica = new Replica();
    return { replica, arrivals: entries.map((entry): Arrival => replica.apply(entry)) };
  };
  /** Without a snapshot nothing may be missing from the first change on. */
  const proof = (entries: readonly HandedEntry[], rows: readonly Row[] = selected, snapshotEnd = 0) => {
    const { replica } = replay(entries);
    return compareTable('orders', { replica: replica.table('orders'), selected: rows, key: ['id'], snapshotEnd });
  };

  test('holds when nothing is missing', () => {
    const counts = { rows: 2, snapshotRows: 0, changes: 7, again: 0 };
    expect(proof(all)).toEqual({ table: 'orders', ...counts, identical: true, differences: [] });
  });

  test('holds in whatever order the changes of different keys come', () => {
    const mixed = [6, 1, 0, 4, 3, 2, 5].flatMap((i) => all[i] ?? []);
    expect(proof(mixed)).toMatchObject({ changes: 7, identical: true });
  });

  test.each(all.map((_, dropped) => ({ dropped })))('fails when change $dropped is dropped', ({ dropped }) => {
    const { identical, differences } = proof(all.filter((_, i) => i !== dropped));
    expect(identical).toBe(false);
    expect(differences).not.toEqual([]);
  });

  test.each(all.map((_, first) => ({ first })))(
    'holds when everything from change $first on comes again, and counts it',
    ({ first }) => {
      const again = all.slice(first);
      expect(proof([...all, ...again])).toMatchObject({ changes: 7, again: again.length, identical: true });
      const { replica, arrivals } = replay([...all, ...again]);
      expect(replica.again).toBe(again.length);
      expect(arrivals).toEqual([...all.map(() => 'new'), ...again.map(() => 'again')]);
    },
  );

  test.each(all.map((_, twice) => ({ twice })))('fails when change $twice is in the stream twice', ({ twice }) => {
    const doubled = all.flatMap((entry, i) => {
      const scn = 10 * entry.scn;
      return i === twice
        ? [
            { ...entry, scn },
            { ...entry, scn: scn + 1 },
          ]
        : [{ ...entry, scn }];
    });
    expect(proof(doubled).identical).toBe(false);
  });

  test('fails when a change comes first behind a later one of its key, also if the rows are the same in the end', () => {
    const walk = [insert(11, 1, '1'), change(12, { id: 1, total: '1' }, { id: 1, total: '2' })];
    const back = change(13, { id: 1, total: '2' }, { id: 1, total: '1' });
    const last = change(14, { id: 1, total: '1' }, { id: 1, total: '2' });
    const rows = [{ id: 1, total: '2' }];
    expect(proof([...walk, back, last], rows).identical).toBe(true);
    const { identical, differences } = proof([...walk, last, back], rows);
    expect(identical).toBe(false);
    expect(differences).toContain('1 changes came behind a later one of the same key');
  });

  test('a truncation counts once, and leaves what other consumers have brought from behind it', () => {
    const truncate: HandedEntry = { type: 'truncate', scn: 17, table: 'orders' };
    const behind = insert(18, 1, '9.00');
    const early = insert(10, 7, '7.00');
    expect(replay([truncate, truncate]).arrivals).toEqual(['new', 'again']);
    const rows = [{ id: 1, total: '9.00' }];
    // The second consumer is further than the first, then the other way round.
    expect(proof([...all, truncate, behind, early, truncate], rows)).toMatchObject({ identical: true, changes: 9 });
    expect(proof([early, ...all, truncate, truncate, behind], rows)).toMatchObject({ identical: true, changes: 9 });
  });

  test('a schema change counts once, however many consumers bring it', () => {
    const { replica, arrivals } = replay([1, 2, 1, 2].map((scn) => ({ type: 'schema', scn })));
    expect(arrivals).toEqual(['new', 'new', 'again', 'again']);
    expect(replica.schemaChanges).toBe(2);
  });

  test('names the rows and columns that differ, and no values', () => {
    const { differences } = proof([insert(11, 1, '9.99'), insert(12, 5, '1.00')]);
    expect(differences).toEqual([
      '1 row SELECT shows, what came does not yield: [4]',
      '1 row what came yields, SELECT does not show: [5]',
      '1 row have other values: [1] in total',
    ]);
  });
});

describe("the demo's proof of a snapshot", () => {
  const change = (scn: number, id: number, before: string | null, after: string | null): HandedChange => {
    const row = (total: string | null): Row | null => (total === null ? null : { id, total });
    const place = { scn, table: 'orders', key: { id }, partition: 0 };
    return { type: 'change', ...place, before: row(before), after: row(after), moved: false, snapshot: false };
  };
  const read = (scn: number, id: number, total: string): HandedChange => ({
    ...change(scn, id, null, total),
    snapshot: true,
  });
  const rows = [
    { id: 1, total: '1.50' },
    { id: 2, total: '2.00' },
    { id: 4, total: '4.50' },
    { id: 6, total: '6.00' },
  ];
  /** The snapshot ends with 18. */
  const all = [
    read(11, 1, '1.00'),
    read(12, 2, '2.00'),
    read(13, 3, '3.00'),
    change(14, 1, '1.00', '1.50'),
    // The snapshot has not come to these two.
    change(15, 4, '4.00', '4.50'),
    change(16, 5, '5.00', null),
    change(17, 6, null, '6.00'),
    read(18, 6, '6.00'),
    change(19, 3, '3.00', null),
  ];
  const proof = (entries: readonly HandedEntry[], snapshotEnd = 18) => {
    const replica = new Replica();
    for (const entry of entries) replica.apply(entry);
    return compareTable('orders', { replica: replica.table('orders'), selected: rows, key: ['id'], snapshotEnd });
  };

  test('holds for rows that were read, changed afterwards, changed before, or deleted', () => {
    const counts = { rows: 4, snapshotRows: 4, changes: 5, again: 0 };
    expect(proof(all)).toEqual({ table: 'orders', ...counts, identical: true, differences: [] });
  });

  test('holds when rows are read again as they stand, and counts them', () => {
    const again = [...all.slice(0, 4), read(14.1, 1, '1.50'), read(14.2, 2, '2.00'), ...all.slice(4)];
    expect(proof(again)).toMatchObject({ snapshotRows: 4, changes: 5, again: 2, identical: true });
  });

  test.each([
    { what: 'a row that was read is missing', entries: all.filter(({ scn }) => scn !== 12) },
    { what: 'a row is older than a change before it', entries: [...all, read(20, 1, '1.00')] },
    {
      what: 'a row is newer than the changes before it',
      entries: [...all, read(20, 1, '1.75'), change(21, 1, '1.75', '1.50')],
    },
    { what: 'a row that was deleted comes back', entries: [...all, read(20, 3, '3.00'), change(21, 3, '3.00', null)] },
    { what: 'a row overtakes a change that comes behind it', entries: [read(17.5, 6, '6.00'), ...all] },
  ])('fails when $what', ({ entries }) => {
    const { identical, differences } = proof(entries);
    expect(identical).toBe(false);
    expect(differences).not.toEqual([]);
  });

  test('fails when a row that the snapshot should have brought is first heard of behind its end', () => {
    const { identical, differences } = proof(all, 15);
    expect(identical).toBe(false);
    expect(differences).toEqual(['1 changes of rows that the snapshot should have brought, and had not']);
  });
});

describe("the demo's proof of the copy", () => {
  const values = (...row: readonly (string | null)[]): (Buffer | null)[] =>
    row.map((value) => (value === null ? null : Buffer.from(value)));
  const columns = ['id', 'name', 'note'];
  const rows = [values('1', 'Ada', null), values('2', 'Grace', ''), values('2', 'Grace', '')];
  const compare = (other: readonly (readonly (Buffer | null)[])[], names: readonly string[] = columns) =>
    compareCopy('t', { here: tableContent(columns, rows), there: tableContent(names, other) });

  test('holds in whatever order the rows come and the columns stand', () => {
    const turned = rows.toReversed().map(([id = null, name = null, note = null]) => [note, id, name]);
    expect(compare(turned, ['note', 'id', 'name'])).toMatchObject({ isEqual: true, missing: 0, surplus: 0 });
  });

  test.each([
    { what: 'a row is missing', there: rows.slice(1), missing: 1, surplus: 0 },
    {
      what: 'a row that is there twice is there three times',
      there: [...rows, ...rows.slice(2)],
      missing: 0,
      surplus: 1,
    },
    { what: 'a value differs', there: [values('1', 'Ade', null), ...rows.slice(1)], missing: 1, surplus: 1 },
    { what: 'NULL is an empty text', there: [values('1', 'Ada', ''), ...rows.slice(1)], missing: 1, surplus: 1 },
    {
      what: 'a letter is in the next column',
      there: [...rows.slice(0, 2), values('2', 'Grac', 'e')],
      missing: 1,
      surplus: 1,
    },
    { what: 'there are no rows', there: [], missing: 3, surplus: 0 },
  ])('fails when $what', ({ there, missing, surplus }) => {
    expect(compare(there)).toMatchObject({ isEqual: false, missing, surplus });
  });

  test('fails when a column has another name', () => {
    expect(compare(rows, ['id', 'name', 'notes']).isEqual).toBe(false);
  });

  describeServers(['mariadb', 'mysql'], 'sums on', (server) => {
    test('do not depend on the server, its collations and the place of a column', async () => {
      await server().query(`CREATE DATABASE sums; CREATE TABLE sums.t (
        id INT PRIMARY KEY, kind ENUM('web', 'phone'), total DECIMAL(12,2), placed DATETIME(6), note TEXT
      ) DEFAULT CHARSET = utf8mb4`);
      await server().query(
        "INSERT INTO sums.t VALUES (2, 'web', 7.5, '2026-01-02 03:04:05.6', 'é 🎁'), (10, NULL, -0.01, NULL, NULL), (3, 'phone', 0, '2026-01-02', '')",
      );
      const expected = tableContent(
        ['id', 'kind', 'total', 'placed', 'note'],
        [
          values('2', 'web', '7.50', '2026-01-02 03:04:05.600000', 'é 🎁'),
          values('3', 'phone', '0.00', '2026-01-02 00:00:00.000000', ''),
          values('10', null, '-0.01', null, null),
        ],
      );
      const connection = await server().connection({ database: 'sums' });
      try {
        expect(await readTable(connection, 't')).toEqual(expected);
        await connection.query("ALTER TABLE t MODIFY kind ENUM('web', 'phone') AFTER note");
        expect(await readTable(connection, 't')).toEqual(expected);
      } finally {
        await connection.end();
      }
    });
  });
});

describe('what npm has installed', () => {
  const INSTALLED = resolve(import.meta.dirname, '../../scripts/demo/installed.mjs');
  const lock = {
    '': {},
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/b': { version: '2.0.0', integrity: 'sha512-b', optional: true },
  };
  const { 'node_modules/a': a } = lock;

  test.each([
    { what: 'what the lock names, without what is for other machines', installed: { 'node_modules/a': a }, isIt: true },
    { what: 'another version of a package', installed: { 'node_modules/a': { ...a, version: '0.9.0' } }, isIt: false },
    { what: 'other contents of a package', installed: { 'node_modules/a': { ...a, integrity: 'no' } }, isIt: false },
    { what: 'less than the lock names', installed: {}, isIt: false },
    { what: 'not known', installed: null, isIt: false },
  ])(
    'is taken for installed ($isIt) when it is $what, whatever the times of the files',
    async ({ installed, isIt }) => {
      const root = await mkdtemp(join(tmpdir(), 'tidings-installed-'));
      try {
        await mkdir(join(root, 'node_modules/.bin'), { recursive: true });
        await writeFile(join(root, 'node_modules/.bin/node'), '');
        const record = installed === null ? '{' : JSON.stringify({ packages: installed });
        await writeFile(join(root, 'node_modules/.package-lock.json'), record);
        await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages: lock }));
        const { isInstalled } = (await import(INSTALLED)) as { isInstalled: (root: string) => boolean };
        expect(isInstalled(root)).toBe(isIt);
      } finally {
        await rm(root, { recursive: true, force: true });
      }
    },
  );
});

describe("the demo's lag", () => {
  test('leaves out what was on its way during an outage', () => {
    const lag = new LagMeter();
    lag.sent(1);
    lag.seen(1);
    lag.sent(2);
    lag.outageBegins();
    lag.seen(2);
    lag.sent(3);
    lag.outageEnds();
    lag.seen(3);
    lag.sent(4);
    lag.seen(4);
    expect(lag.take()).toMatchObject({ count: 4 });
    expect(lag.outsideOutages()).toMatchObject({ count: 2 });
  });
});
