import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { CliProcess } from '../support/cli-process.ts';
import { describeServer } from '../support/servers/describe-server.ts';
import { completeFiles } from '../support/sinks/read-files.ts';

const EXAMPLES = resolve(import.meta.dirname, '../../examples');
const WAIT = { timeout: 30_000, interval: 50 };

describeServer('mariadb', 'the examples of sinks, as they are', (source) => {
  let folder = '';

  beforeAll(async () => {
    await source().query(`CREATE DATABASE shop; USE shop;
      CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(40), password VARCHAR(40));
      CREATE TABLE orders (id INT PRIMARY KEY, total DECIMAL(10,2))`);
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidings-example-'));
    await source().query('DELETE FROM shop.customers; DELETE FROM shop.orders');
    await source().query(`INSERT INTO shop.customers VALUES (1, 'Ada', 'secret'), (2, 'Bob', 'secret')`);
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  afterAll(async () => {
    await source().query('DROP DATABASE IF EXISTS crm; DROP DATABASE IF EXISTS copy; DROP DATABASE IF EXISTS tidings');
  });

  /** Resolves when the rows that exist already are on their way, and more were written. */
  async function run(example: string, env: Readonly<Record<string, string>> = {}): Promise<CliProcess> {
    const relay = new CliProcess(['run'], {
      cwd: join(EXAMPLES, example),
      env: { SOURCE_URL: source().url, PORT: '0', DATA: join(folder, 'data'), ...env },
    });
    onTestFailed(() => void process.stderr.write(relay.stderr));
    await relay.until(({ stderr }) => stderr.includes('"message":"a snapshot is over"'));
    await source()
      .query(`INSERT INTO shop.orders VALUES (7, 10.50); UPDATE shop.customers SET name = 'Eve' WHERE id = 2;
      DELETE FROM shop.customers WHERE id = 1`);
    return relay;
  }

  test('mysql-sink: other tables of a server have the rows', async () => {
    await using relay = await run('mysql-sink', { TARGET_URL: `${source().url}/tidings` });
    const rows = (table: string): Promise<object[]> =>
      source()
        .query(`SELECT * FROM ${table}`)
        .catch(() => []);
    await expect.poll(() => rows('crm.contacts'), WAIT).toEqual([{ id: 2, full_name: 'Eve' }]);
    await expect.poll(() => rows('copy.orders'), WAIT).toEqual([{ id: 7, total: '10.50' }]);
    expect(relay.stderr).not.toContain('"level":"error"');
  });

  test('file-sink: files have the changes', async () => {
    const files = join(folder, 'files');
    await using relay = await run('file-sink', { FILES: files });
    await expect.poll(() => namesIn(files), WAIT).toEqual(['customers', 'orders']);
    const text = (): string =>
      completeFiles(files)
        .map((path) => readFileSync(path, 'utf8'))
        .join('');
    await expect.poll(() => text().match(/"name":"\w+"/g)?.length, WAIT).toBeGreaterThanOrEqual(3);
    expect(text()).toContain('"total":"10.50"');
    expect(relay.stderr).not.toContain('"level":"error"');
  });

  test('exec-sink: the command has appended the rows', async () => {
    const out = join(folder, 'rows.ndjson');
    await using relay = await run('exec-sink', { OUT: out });
    await expect.poll(() => textOf(out), WAIT).toMatch(/"name":"Eve"[^]*"id":1/);
    expect(textOf(out)).toContain('"total":"10.50"');
    expect(relay.stderr).not.toContain('"level":"error"');
  });

  test('stdout-sink: the lines are on stdout, without what is left out', async () => {
    await using relay = await run('stdout-sink');
    await relay.until(
      ({ stdout }) => /"name":"Eve"[^]*"_op":"delete"/.test(stdout) && stdout.includes('"total":"10.50"'),
    );
    expect(relay.stdout).not.toContain('secret');
    for (const line of relay.lines) expect(JSON.parse(line)).toHaveProperty('_scn');
    expect(relay.stderr).not.toContain('"level":"error"');
  });

  test('own-sink: each row is a document', async () => {
    const documents = join(folder, 'documents');
    await using relay = await run('own-sink', { FOLDER: documents });
    await expect.poll(() => namesIn(join(documents, 'shop.customers')), WAIT).toEqual(['2.json']);
    await expect
      .poll(() => textOf(join(documents, 'shop.customers', '2.json')), WAIT)
      .toBe('{"id":2,"name":"Eve","password":"secret"}');
    await source().query('UPDATE shop.customers SET id = 3 WHERE id = 2');
    await expect.poll(() => namesIn(join(documents, 'shop.customers')), WAIT).toEqual(['3.json']);
    await source().query('TRUNCATE TABLE shop.customers');
    await expect.poll(() => namesIn(join(documents, 'shop.customers')), WAIT).toEqual([]);
    expect(relay.stderr).not.toContain('"level":"error"');
  });
});

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => !name.startsWith('_'))
      .toSorted();
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
