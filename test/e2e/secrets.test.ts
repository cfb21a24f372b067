import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand } from '../support/cli-process.ts';
import { RelayProcess } from '../support/relay/relay-process.ts';
import { describeServer } from '../support/servers/describe-server.ts';

const WAIT = { timeout: 30_000, interval: 50 };
const SECRETS = { KEY: 'sesame/"open"', FILE: 'four and twenty blackbirds', TOKEN: 'token-of-the-command' };

/** A sink that says its secrets wherever it can. */
const TELLTALE = `
export default ({ key, nested: [{ file }] }) => {
  const said = key + ' and ' + file;
  return {
    promise: 'at-least-once',
    open: async ({ log }) => log.warn({ said, error: new Error(said) }, 'opened with ' + said),
    prepare: async () => ({ serial: false }),
    write: async ({ rows }) => {
      if (rows.some(({ after }) => after?.id === 2)) throw new Error('cannot write with ' + said);
      throw Object.assign(new Error('refused'), {
        name: 'RowsRefused',
        areOthersDurable: false,
        rows: rows.map((_, index) => ({ index, error: new Error('refused for ' + said) })),
      });
    },
    truncate: async () => {},
    close: async () => {},
  };
};`;

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'tidings-secrets-'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

describeServer('mariadb', 'what references put into a configuration of sinks', (mariadb) => {
  test('is in no answer, log or error, whoever says it', async () => {
    await mariadb().query('CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY)');
    writeFileSync(join(root, 'telltale.mjs'), TELLTALE);
    writeFileSync(join(root, 'broken.mjs'), `throw new Error(process.env.KEY)`);
    writeFileSync(join(root, 'file.txt'), `${SECRETS.FILE}\n`);
    const common = { stream: 'shop', bootstrap: 'never', order: 'key' };
    const settings = { key: '${KEY}', nested: [{ file: '${file:file.txt}' }] };
    await using relay = await RelayProcess.create({
      folder: root,
      streams: { shop: { source: { type: 'mysql', url: mariadb().url, tables: ['shop.*'] }, snapshot: 'never' } },
      sinks: {
        telltale: { ...common, type: './telltale.mjs', settings },
        broken: { ...common, type: './broken.mjs', settings },
        command: { ...common, type: 'exec', command: 'echo "no ${TOKEN}" >&2; exit 126' },
      },
    });
    const { KEY, TOKEN } = SECRETS;
    const env = { KEY, TOKEN };
    await relay.start({ env });
    await relay.positioned('shop');
    await expect.poll(() => relay.sink('broken'), WAIT).toMatchObject({ state: 'failed' });
    await mariadb().query('INSERT INTO shop.orders VALUES (2)');
    await expect.poll(() => relay.sink('telltale'), WAIT).toMatchObject({ state: 'failed' });
    await expect.poll(() => relay.sink('command'), WAIT).toMatchObject({ state: 'failed' });

    const paths = [
      'sinks',
      'sinks/telltale',
      'sinks/broken',
      'sinks/command',
      'sinks/telltale/dead-letters',
      'streams',
    ];
    const answers = await Promise.all(paths.map(async (path) => (await fetch(`${relay.url}/v1/${path}`)).text()));
    const redriven = await fetch(`${relay.url}/v1/sinks/broken/redrive`, { method: 'POST' });
    const metrics = await (await fetch(`${relay.url}/metrics`)).text();
    const listed = await runCommand(['sinks', relay.url]);
    const checked = await runCommand(['run', '--check', relay.config], { env });
    const validated = await runCommand(['validate', relay.config], { env });
    relay.signal('SIGTERM');
    await relay.exit();
    const wrong = readFileSync(relay.config, 'utf8').replace('"exec"', '"exek"');
    writeFileSync(relay.config, wrong);
    const refused = await runCommand(['run', relay.config], { env });
    const shown = {
      answers: answers.join('\n') + (await redriven.text()) + metrics,
      log: relay.stderr,
      commands: [listed, checked, validated, refused].map(({ stdout, stderr }) => stdout + stderr).join('\n'),
    };
    // It was said, so that there was something to hide.
    expect(shown.answers).toContain('cannot write with *** and ***');
    expect(shown.answers).toContain('no ***');
    expect(shown.log).toContain('opened with *** and ***');
    const leaks = Object.entries(SECRETS).flatMap(([name, secret]) =>
      [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)].flatMap((form) =>
        Object.entries(shown).flatMap(([where, text]) => (text.includes(form) ? [`${name} in ${where}`] : [])),
      ),
    );
    expect(leaks).toEqual([]);
  });

  test.each([
    ['a timer', 'setTimeout(() => { throw new Error(said); }, 1)'],
    ['a promise that nobody awaits', 'void Promise.reject(new Error(said))'],
    ['a promise that is rejected with no error', 'void Promise.reject(said)'],
  ])('is not told either by an error of %s, which ends the relay', async (_, throwing) => {
    const folder = mkdtempSync(join(root, 'uncaught-'));
    writeFileSync(
      join(folder, 'careless.mjs'),
      `export default ({ key }) => {
        const said = 'left alone with ' + key;
        const nothing = async () => {};
        const open = async () => { ${throwing}; };
        return { promise: 'at-least-once', open, prepare: async () => ({ serial: false }), write: nothing, truncate: nothing, close: nothing };
      };`,
    );
    const careless = { type: './careless.mjs', stream: 'shop', bootstrap: 'never', settings: { key: '${KEY}' } };
    writeFileSync(
      join(folder, 'tidings.yaml'),
      JSON.stringify({
        http: { port: 0 },
        streams: { shop: { source: { type: 'mysql', url: mariadb().url, tables: ['shop.*'] } } },
        sinks: { careless },
      }),
    );
    const { code, stderr } = await runCommand(['run'], { cwd: folder, env: { KEY: SECRETS.KEY } });
    expect(code).toBe(1);
    expect(stderr).toContain('left alone with ***');
    expect(stderr).not.toContain(SECRETS.KEY);
    expect(stderr).toContain('Nothing could catch this error');
  });
});
