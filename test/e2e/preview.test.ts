import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFailed, test, vi } from 'vitest';
import { type CliExit, type CliProcess, runCommand } from '../support/cli-process.ts';
import { RelayProcess } from '../support/relay/relay-process.ts';
import { describeServer } from '../support/servers/describe-server.ts';
import { findFreePort } from '../support/servers/free-port.ts';

const WAIT = { timeout: 30_000, interval: 50 };
/** Nothing listens there: what wrote to it would fail. */
const NOWHERE = 'mysql://nobody:secret-of-nobody@127.0.0.1:1/copies';

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'tidings-preview-'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

const RULES = {
  'shop.orders': [
    {
      to: 'crm.sales',
      where: "status = 'paid'",
      columns: { id: 'id', amount: { from: 'total', cast: 'decimal(8,2)' } },
      include: [],
      options: { index: 'sales' },
    },
    { to: 'crm.everything' },
  ],
  'shop.log': { delete: 'ignore', key: ['line'] },
};

const PREVIEWED = `the mapping of sink crm
warning  MAPPING_UNMATCHED  shop.log matches no table that is known
0 errors, 1 warning, 0 ok

insert shop.orders 1  …
  after   id 1  status 'new'  total '9.90'
  → insert crm.everything 1
    after   id 1  status 'new'  total '9.90'
  left out by rule shop.orders[0]: it does not fulfil \`where\`

insert shop.orders 2  …
  after   id 2  status 'paid'  total 'much'
  error MAPPING_FAILED: a row of shop.orders, rule shop.orders[0]: column "amount": the text is no DECIMAL(8,2)
    Change the rule that the message names, then redrive the dead letter; or edit or drop it.

insert shop.log 1  …
  after   line 1  text 'first'
  → upsert shop.log 1
    after   line 1  text 'first'

update shop.orders 1  …
  before  id 1  status 'new'  total '9.90'
  after   id 1  status 'paid'  total '9.90'
  → upsert crm.sales 1
    after   id 1  amount '9.90'
    options  {"index":"sales"}
  → update crm.everything 1
    before  id 1  status 'new'  total '9.90'
    after   id 1  status 'paid'  total '9.90'

delete shop.log 1  …
  before  line 1  text 'first'
  left out by rule shop.log: \`delete: ignore\`

delete shop.orders 1  … (its key moved away)
  before  id 1  status 'paid'  total '9.90'
  → delete crm.sales 1
    before  id 1  amount '9.90'
    options  {"index":"sales"}
  → delete crm.everything 1
    before  id 1  status 'paid'  total '9.90'

insert shop.orders 7  … (its key moved here)
  after   id 7  status 'paid'  total '9.90'
  → insert crm.sales 7
    after   id 7  amount '9.90'
    options  {"index":"sales"}
  → insert crm.everything 7
    after   id 7  status 'paid'  total '9.90'

truncate shop.log  …
  empties no target

8 changes: 8 rows, 1 left out, 1 error
`;

describeServer('mariadb', 'tidings preview', (mariadb) => {
  let relay: RelayProcess;
  let folder = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(root, 'relay-'));
    await mariadb().query(`CREATE DATABASE shop;
      CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(20) NOT NULL, total VARCHAR(20));
      CREATE TABLE shop.log (line INT PRIMARY KEY, text VARCHAR(40));
      CREATE TABLE shop.noise (id INT PRIMARY KEY AUTO_INCREMENT, n INT)`);
    relay = await RelayProcess.create({
      folder,
      streams: {
        shop: { source: { type: 'mysql', url: mariadb().url, tables: ['shop.*'] }, partitions: 8, snapshot: 'never' },
        quiet: { source: { type: 'mysql', url: mariadb().url, tables: ['quiet.*'] }, snapshot: 'never' },
      },
    });
    await relay.start();
    await relay.positioned('shop');
    await mariadb().query(`INSERT INTO shop.orders VALUES (1, 'new', '9.90'), (2, 'paid', 'much');
      INSERT INTO shop.log VALUES (1, 'first');
      UPDATE shop.orders SET status = 'paid' WHERE id = 1;
      DELETE FROM shop.log WHERE line = 1;
      UPDATE shop.orders SET id = 7 WHERE id = 1;
      TRUNCATE TABLE shop.log`);
    await mariadb().query(`INSERT INTO shop.noise (n) SELECT seq FROM shop.seq_1_to_5000`);
    await vi.waitUntil(async () => {
      const { first, last } = await relay.stream('shop');
      return (last ?? 0) - (first ?? 0) > 5000;
    }, WAIT);
  });
  afterAll(async () => {
    await relay[Symbol.asyncDispose]();
  });

  /** A configuration as somebody edits it: beside the one that the relay runs with, for the same relay. */
  function edited(sink: object, more: object = {}): string {
    onTestFailed(() => void process.stderr.write(relay.stderr));
    const path = join(mkdtempSync(join(root, 'edited-')), 'tidings.yaml');
    const { port } = new URL(relay.url);
    writeFileSync(
      path,
      JSON.stringify({
        http: { port: Number(port) },
        streams: {
          shop: { source: { type: 'mysql', url: mariadb().url } },
          quiet: { source: { type: 'mysql', url: mariadb().url } },
        },
        sinks: { crm: { type: 'mysql', url: NOWHERE, stream: 'shop', ...sink } },
        ...more,
      }),
    );
    return path;
  }

  function preview(config: string, ...args: readonly string[]): Promise<CliProcess & CliExit> {
    return runCommand(['preview', config, '--sink', 'crm', ...args]);
  }

  test('shows each change and what becomes of it: rows, what is left out and by which rule, and what cannot be mapped', async () => {
    const { code, stdout, stderr } = await preview(edited({ tables: RULES }));
    expect(stderr).toBe('');
    const text = stdout.replaceAll(/  scn \d+  \d{4}-\d\d-\d\dT[\d:.]+Z/g, '  …');
    expect(text).toBe(PREVIEWED);
    expect(code).toBe(1);
    // Nobody has heard of the sink.
    expect(await (await fetch(`${relay.url}/v1/streams/shop/groups`)).json()).toEqual([]);
  });

  test('as JSON it says the same, a line for each change, with the values in full', async () => {
    const { code, json } = await preview(
      edited({ tables: RULES }),
      '--format',
      'json',
      '--tables',
      'shop.orders',
      '--limit',
      '3',
    );
    expect(code).toBe(0);
    const change = { db: 'shop', table: 'orders', ts: expect.any(String), scn: expect.any(Number) };
    const row = { db: 'crm', table: 'everything', options: {} };
    const sale = { db: 'crm', table: 'sales', options: { index: 'sales' } };
    const [paid, key] = [{ id: 1, status: 'paid', total: '9.90' }, { id: 1 }];
    const seven = { ...paid, id: 7 };
    const nothing = { leftOut: [], empties: [], error: null };
    expect(json).toEqual([
      {
        change: { ...change, op: 'update', key, before: { ...paid, status: 'new' }, after: paid },
        rows: [
          { ...sale, op: 'upsert', key, before: null, after: { id: 1, amount: '9.90' } },
          { ...row, op: 'update', key, before: { ...paid, status: 'new' }, after: paid },
        ],
        ...nothing,
      },
      {
        change: { ...change, op: 'delete', key, before: paid, after: null, moved: 'from' },
        rows: [
          { ...sale, op: 'delete', key, before: { id: 1, amount: '9.90' }, after: null },
          { ...row, op: 'delete', key, before: paid, after: null },
        ],
        ...nothing,
      },
      {
        change: { ...change, op: 'insert', key: { id: 7 }, before: null, after: seven, moved: 'to' },
        rows: [
          { ...sale, op: 'insert', key: { id: 7 }, before: null, after: { id: 7, amount: '9.90' } },
          { ...row, op: 'insert', key: { id: 7 }, before: null, after: seven },
        ],
        ...nothing,
      },
    ]);
    const after = json[0]?.['change'] as { readonly scn: number };
    const behind = await preview(
      edited({ order: 'transaction' }),
      '--format',
      'json',
      '--from',
      String(after.scn),
      '--limit',
      '2',
    );
    // With whole transactions an update that moves the key is one change.
    expect(behind.json.map((each) => (each['change'] as { readonly op: string }).op)).toEqual(['delete', 'update']);
  });

  test('hooks run in it, and what they let go is theirs', async () => {
    const config = edited({ hooks: './hooks.ts', tables: { 'shop.orders': {} } });
    writeFileSync(
      join(dirname(config), 'hooks.ts'),
      `export const before = (change) => (change.after?.status === 'new' ? null : change);
       export const after = (row) => ({ ...row, after: row.after && { ...row.after, total: row.after.total === 'much' ? 5 : 'x' } });`,
    );
    const { stdout } = await preview(config, '--limit', '3', '--from', 'earliest');
    expect(stdout).toContain(`  left out by the hook "before"\n`);
    expect(stdout).toContain(
      'error FORMAT_VALUE: a value of shop.orders.total (varchar) has no exact form in this format',
    );
    expect(stdout).toContain(
      `  → update shop.orders 1\n    before  id 1  status 'new'  total '9.90'\n    after   id 1  status 'paid'  total 'x'\n`,
    );
    expect(stdout).toContain('\n3 changes: 1 row, 1 left out, 1 error\n');
  });

  test('rules that do not go with the tables are told all at once, and what other rules make is shown', async () => {
    const tables = {
      'shop.orders': [{ where: 'stauts = 1', columns: { a: 'x' } }],
      'shop.noise': {},
      'shop.later': {},
    };
    const { code, stdout } = await preview(edited({ tables }), '--limit', '2');
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^error {4}MAPPING_INVALID {2}shop\.orders, rule shop\.orders: column "a": shop\.orders has no column "x"/m,
    );
    expect(stdout).toMatch(
      /^error {4}MAPPING_INVALID {2}shop\.orders, rule shop\.orders: shop\.orders has no column "stauts"/m,
    );
    expect(stdout).toContain(
      'warning  MAPPING_UNMATCHED  shop.later matches no table that is known\n2 errors, 1 warning, 0 ok\n',
    );
    expect(stdout).toMatch(
      /\n {2}→ insert shop\.noise 5000\n {4}after {3}id 5000 {2}n 5000\n\n2 changes: 2 rows, 0 left out, 0 errors\n$/,
    );
  });

  test('a mapping that is wrong in itself, a sink that is none and a relay that is not there are refused', async () => {
    const wrong = await preview(
      edited({ tables: { 'shop.orders': { where: 'x', delete: 'maybe' }, 'a.b': { to: '{' } } }),
    );
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('tidings.yaml has 3 mistakes\n');
    for (const path of ['["shop.orders"].where', '["shop.orders"].delete', '["a.b"].to']) {
      expect(wrong.stderr).toContain(`sinks.crm.tables${path}: `);
    }
    const other = await runCommand(['preview', edited({}), '--sink', 'cmr']);
    expect({ code: other.code, stderr: other.stderr }).toEqual({
      code: 2,
      stderr: 'error CONFIG_INVALID: the configuration has no sink "cmr"\n  The sinks are: crm.\n',
    });
    const port = await findFreePort();
    const away = await preview(edited({}, { http: { port } }));
    expect(away.code).toBe(1);
    expect(away.stderr).toContain('error CONNECTION_FAILED: ');
    expect(away.stderr).toContain('that the relay runs: tidings run starts one.');
    expect(away.stderr).not.toContain('secret-of-nobody');
    const elsewhere = await preview(
      edited({ relay: `http://127.0.0.1:${port}` }),
      '--relay',
      relay.url,
      '--limit',
      '1',
    );
    expect(elsewhere.stdout).toContain('1 change: 1 row, 0 left out, 0 errors\n');
  });

  test('a stream without changes says so', async () => {
    const { code, stdout } = await preview(edited({ stream: 'quiet' }));
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'stream quiet has no changes yet\n' });
  });
});
