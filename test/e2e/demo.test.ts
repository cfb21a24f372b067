import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compareTable } from '../../scripts/demo/compare.ts';
import { Replica } from '../../scripts/demo/replica.ts';
import { batch, column, part, rowBatch, table } from '../support/changes.ts';
import { describeServer } from '../support/servers/describe-server.ts';

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
      env: { ...process.env, TMPDIR: folder },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    return { child, output: () => output, exit: once(child, 'close').then(([code]) => code as number | null) };
  }

  /** The command lines of all processes that have to do with this test's folder. */
  async function processes(): Promise<string[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
    return lines.filter((line) => line.includes(folder)).map((line) => line.replaceAll('\0', ' '));
  }

  async function expectNothingLeft(): Promise<void> {
    expect(await readdir(folder)).toEqual([]);
    expect(await processes()).toEqual([]);
  }

  test('the replayed changes give exactly the rows that SELECT shows, and nothing is left behind', async () => {
    const { exit, output } = start(LAUNCHER, ['--seconds', '3']);
    expect(await exit, `its output:\n${output()}`).toBe(0);
    const text = output();
    expect(text).not.toContain('\u001b');
    for (const name of ['customers', 'products', 'orders', 'order_lines']) {
      expect(text).toMatch(new RegExp(`^ +${name} +[\\d,]+ +[\\d,]+ +yes$`, 'm'));
    }
    expect(text).toMatch(/^ +Proved: replaying the changes gives all [\d,]+ rows, equal in every value\.$/m);
    expect(text.match(/ s +[\d,]+ changes\/s +[\d,]+ tx\/s +lag /g)?.length).toBeGreaterThanOrEqual(2);
    await expectNothingLeft();
  });

  test.each([
    { when: 'at its beginning', marker: 'Tidings demo' },
    { when: 'while the server starts and reading begins', marker: 'server' },
    { when: 'in the middle of the load', marker: 'changes/s' },
  ])('Ctrl-C $when leaves no process and no folder, and exits with 130', async ({ marker }) => {
    const { child, exit, output } = start(DEMO, ['--seconds', '30']);
    await expect.poll(output, { timeout: 30_000, interval: 5 }).toContain(marker);
    child.kill('SIGINT');
    expect(await exit, `its output:\n${output()}`).toBe(130);
    expect(output()).not.toContain('Error');
    await expectNothingLeft();
  });

  test('a second Ctrl-C ends it at once; what it had started goes by itself', async () => {
    const { child, exit, output } = start(DEMO, ['--seconds', '30']);
    await expect.poll(output, { timeout: 30_000, interval: 5 }).toContain('changes/s');
    child.kill('SIGINT');
    const again = setInterval(() => child.kill('SIGINT'), 1);
    expect(await exit, `its output:\n${output()}`).toBe(130);
    clearInterval(again);
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
  const orders = table('shop.orders', [column('id', 'int'), column('total', 'decimal')]);
  const insert = (id: number, total: string) => rowBatch(orders, 'insert', { after: [{ id, total }] });
  const update = rowBatch(orders, 'update', {
    before: [{ id: 1, total: '1.00' }],
    after: [{ id: 1, total: '1.50' }],
  });
  const remove = rowBatch(orders, 'delete', { before: [{ id: 2, total: '2.00' }] });
  const all = [insert(1, '1.00'), insert(2, '2.00'), update, remove, insert(3, '3.00')];
  const selected = [
    { id: 1, total: '1.50' },
    { id: 3, total: '3.00' },
  ];
  const proof = (entries: typeof all) => {
    const replica = new Replica();
    replica.apply(batch([part(entries)]));
    return compareTable('orders', { replica: replica.table('orders'), selected, key: ['id'] });
  };

  test('holds when nothing is missing', () => {
    expect(proof(all)).toEqual({ table: 'orders', rows: 2, changes: 5, identical: true, differences: [] });
  });

  test.each(all.map((_, dropped) => ({ dropped })))('fails when change $dropped is dropped', ({ dropped }) => {
    const { identical, differences } = proof(all.filter((_, i) => i !== dropped));
    expect(identical).toBe(false);
    expect(differences).not.toEqual([]);
  });

  test.each(all.map((_, twice) => ({ twice })))('fails when change $twice comes twice', ({ twice }) => {
    expect(proof([...all.slice(0, twice + 1), ...all.slice(twice)]).identical).toBe(false);
  });

  test('names the rows and columns that differ, and no values', () => {
    const { differences } = proof([insert(1, '9.99'), insert(4, '1.00')]);
    expect(differences).toEqual([
      '1 row SELECT shows, the changes do not yield: [3]',
      '1 row the changes yield, SELECT does not show: [4]',
      '1 row have other values: [1] in total',
    ]);
  });
});
