import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import { RelayProcess } from '../support/relay/relay-process.ts';
import { describeServer } from '../support/servers/describe-server.ts';

const WAIT = { timeout: 30_000, interval: 50 };

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'tidings-stdout-'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

describeServer('mariadb', 'a sink that prints', (mariadb) => {
  test('stdout of tidings run has its lines and nothing else, until nobody reads them; other sinks run on', async () => {
    await mariadb().query('CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, note VARCHAR(60))');
    await using relay = await RelayProcess.create({
      folder: root,
      streams: { shop: { source: { type: 'mysql', url: mariadb().url, tables: ['shop.*'] }, snapshot: 'never' } },
      sinks: {
        rows: {
          type: 'stdout',
          stream: 'shop',
          bootstrap: 'never',
          lines: 'rows',
          metaPrefix: 'm_',
          exclude: ['note'],
        },
        changes: { type: 'stdout', stream: 'shop', bootstrap: 'never', to: 'printed.{table}', parallel: 1 },
        files: { type: 'file', stream: 'shop', bootstrap: 'never', path: join(root, 'files') },
      },
    });
    onTestFailed(() => void process.stderr.write(relay.stderr));
    await relay.start();
    await relay.positioned('shop');
    await mariadb().query(`INSERT INTO shop.orders VALUES (1, 'a'), (2, 'b'); DELETE FROM shop.orders WHERE id = 1`);
    await expect.poll(() => relay.stdout.split('\n').length - 1, WAIT).toBe(6);
    const lines = relay.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    const rows = lines.filter((line) => 'm_op' in line);
    const of = (id: number) => rows.filter((row) => row['id'] === id).map((row) => row['m_op']);
    expect([of(1), of(2)]).toEqual([['insert', 'delete'], ['insert']]);
    expect(rows[0]).toMatchObject({ m_database: 'shop', m_table: 'orders', m_scn: expect.any(Number) as number });
    expect(rows[0]).not.toHaveProperty('note');
    const changes = lines.filter((line) => 'op' in line);
    expect(changes.map(({ op, db, table }) => `${String(op)} ${String(db)}.${String(table)}`)).toEqual([
      'insert printed.orders',
      'insert printed.orders',
      'delete printed.orders',
    ]);
    expect(await relay.sink('rows')).toMatchObject({ state: 'running', promise: 'at-least-once', rows: 3 });

    relay.closeStdout();
    await mariadb().query(`INSERT INTO shop.orders VALUES (3, 'c')`);
    const failed = { state: 'failed', error: { code: 'OUTPUT_CLOSED', message: 'nobody reads the output any more' } };
    await expect.poll(() => relay.sink('rows'), WAIT).toMatchObject(failed);
    await expect.poll(() => relay.sink('changes'), WAIT).toMatchObject(failed);
    await expect.poll(() => relay.sink('files'), WAIT).toMatchObject({ state: 'running', rows: 4 });
    relay.signal('SIGTERM');
    expect(await relay.exit()).toEqual({ code: 0, signal: null });
  });
});
