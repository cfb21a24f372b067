import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import { runCommand } from '../support/cli-process.ts';
import { RelayProcess, type RelayProcessOptions } from '../support/relay/relay-process.ts';
import { describeServer } from '../support/servers/describe-server.ts';
import { findFreePort } from '../support/servers/free-port.ts';

const WAIT = { timeout: 30_000, interval: 50 };

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'tidings-mapping-check-'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

describeServer('mariadb', 'the mapping of a sink against the tables of its stream', (mariadb) => {
  let cases = 0;

  /** A relay with these sinks, files of lines each, of a database of its own with the table `orders`. */
  async function relayWith(
    sinks: (db: string) => Readonly<Record<string, object>>,
  ): Promise<{ readonly relay: RelayProcess; readonly db: string }> {
    const db = `shop${++cases}`;
    await mariadb().query(`CREATE DATABASE ${db}; CREATE TABLE ${db}.orders (id INT PRIMARY KEY, note VARCHAR(60))`);
    const folder = mkdtempSync(join(root, 'relay-'));
    const files = Object.entries(sinks(db)).map(([name, sink]) => [
      name,
      { type: 'file', path: join(folder, name), stream: 'shop', bootstrap: 'never', ...sink },
    ]);
    const options: RelayProcessOptions = {
      folder,
      streams: { shop: { source: { type: 'mysql', url: mariadb().url, tables: [`${db}.*`] }, snapshot: 'never' } },
      sinks: Object.fromEntries(files) as Readonly<Record<string, object>>,
    };
    const relay = await RelayProcess.create(options);
    onTestFailed(() => void process.stderr.write(relay.stderr));
    await relay.start();
    await relay.positioned('shop');
    return { relay, db };
  }

  async function restarted(relay: RelayProcess, edit: (config: string) => string = (config) => config): Promise<void> {
    relay.signal('SIGTERM');
    await relay.exit();
    writeFileSync(relay.config, edit(readFileSync(relay.config, 'utf8')));
    await relay.start();
  }

  test('a sink with rules that do not go with a table fails with all of them; others run on', async () => {
    const { relay, db } = await relayWith(() => ({ wrong: {}, right: { tables: { '*.orders': {}, 'later.*': {} } } }));
    await using _ = relay;
    await mariadb().query(`INSERT INTO ${db}.orders VALUES (1, 'a')`);
    await expect.poll(() => relay.sink('right'), WAIT).toMatchObject({ rows: 1 });
    const rules = JSON.stringify({
      [`${db}.orders`]: { where: 'nto = 1', columns: { x: 'y', n: { from: 'id', cast: 'json' } } },
    });
    await restarted(relay, (config) => config.replace('"bootstrap":"never"', `"bootstrap":"never","tables":${rules}`));
    await expect.poll(() => relay.sink('wrong'), WAIT).toMatchObject({ state: 'failed' });
    const { error } = await relay.sink('wrong');
    expect(error).toMatchObject({
      code: 'MAPPING_INVALID',
      message: expect.stringContaining(
        'the mapping of sink wrong does not go with the tables of stream shop: ',
      ) as string,
      hint: expect.stringContaining('`tidings preview --sink wrong`') as string,
    });
    expect(error?.message).toContain(`column "x": ${db}.orders has no column "y"`);
    expect(error?.message).toContain(`${db}.orders has no column "nto"`);
    expect(relay.stderr).toContain('later.* matches no table that is known');
    await mariadb().query(`INSERT INTO ${db}.orders VALUES (2, 'b')`);
    await expect.poll(() => relay.sink('right'), WAIT).toMatchObject({ state: 'running', rows: 1 });
  });

  test('a mapping for a column that was added while the relay stood still is taken without a hand', async () => {
    const { relay, db } = await relayWith((name) => ({ copy: { tables: { [`${name}.orders`]: {} } } }));
    await using _ = relay;
    await mariadb().query(`INSERT INTO ${db}.orders VALUES (1, 'a')`);
    await expect.poll(() => relay.sink('copy'), WAIT).toMatchObject({ rows: 1 });
    relay.signal('SIGTERM');
    await relay.exit();
    await mariadb().query(
      `ALTER TABLE ${db}.orders ADD city VARCHAR(20); INSERT INTO ${db}.orders VALUES (2, 'b', 'Ulm')`,
    );
    const config = readFileSync(relay.config, 'utf8');
    writeFileSync(relay.config, config.replace(`"${db}.orders":{}`, `"${db}.orders":{"columns":{"town":"city"}}`));
    await relay.start();
    await expect.poll(() => relay.sink('copy'), WAIT).toMatchObject({ state: 'running', rows: 1 });
  });

  test('run --check looks at them in the source, without a relay, and says when it could not', async () => {
    const port = await findFreePort();
    const { relay, db } = await relayWith((name) => ({
      fine: {},
      wrong: { tables: { [`${name}.orders`]: { where: 'nto = 1' } } },
      far: { relay: `http://127.0.0.1:${port}` },
    }));
    relay.signal('SIGTERM');
    await relay.exit();
    const { code, stdout } = await runCommand(['run', '--check', relay.config]);
    expect(code).toBe(1);
    expect(stdout).toContain('sink fine\nok       MAPPING  1 of 1 tables are mapped\n0 errors, 0 warnings, 1 ok\n');
    expect(stdout).toContain(
      `sink wrong\nerror    MAPPING_INVALID  ${db}.orders, rule ${db}.orders: ${db}.orders has no column "nto", at character 1\n`,
    );
    expect(stdout).toMatch(
      /sink far\nwarning {2}MAPPING_UNCHECKED {2}the mapping was not checked, as the stream's tables are not known: .*127\.0\.0\.1:\d+/,
    );
  });
});
