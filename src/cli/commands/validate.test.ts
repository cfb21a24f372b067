import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testCli, type TestCliOptions } from '../../../test/support/cli-context.ts';
import { runCli } from '../run.ts';

let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidings-validate-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function tidings(
  args: readonly string[],
  options: TestCliOptions = {},
): Promise<{ code: number; out: string; err: string }> {
  const cli = testCli({ cwd: folder, ...options });
  const code = await runCli(args, cli.context);
  return { code, out: cli.stdout.text, err: cli.stderr() };
}

const file = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);

const RIGHT = `http: { port: 0, tokens: [{ token: sesame, role: admin }] }
streams: { shop: { source: { type: mysql, url: 'mysql://root:hunter2@db:3307/shop' } } }`;
const WRONG = "http: { prot: 0 }\nstreams: { shop: { source: { type: mysql, url: 'x://root:hunter2@h' } } }";

describe('tidings validate', () => {
  test('says what a right file means, without its secrets', async () => {
    await file('tidings.yaml', RIGHT);
    expect(await tidings(['validate'])).toEqual({
      code: 0,
      out: `tidings.yaml is right
  data    ./tidings-data
  serves  http://127.0.0.1:0, 1 token
  stream  shop: mysql, mysql://root:***@db:3307/shop
`,
      err: '',
    });
  });

  test('writes an address of IPv6 as a URL has it', async () => {
    await file('tidings.yaml', RIGHT.replace('port: 0', "port: 0, host: '::1'"));
    expect((await tidings(['validate'])).out).toContain('serves  http://[::1]:0, 1 token\n');
  });

  test('prints all mistakes and fails', async () => {
    await file('other.yml', WRONG);
    expect(await tidings(['validate', 'other.yml'])).toEqual({
      code: 1,
      out: `other.yml:1:9: http.prot: there is no such key; did you mean port?
other.yml:2:43: streams.shop.source.url: the URL's scheme is x, not mysql or mariadb
2 mistakes
`,
      err: '',
    });
  });

  test('has them as JSON, too', async () => {
    await file('tidings.yaml', WRONG);
    const { code, out } = await tidings(['validate', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      file: 'tidings.yaml',
      ok: false,
      mistakes: [{ path: 'http.prot', line: 1, column: 9 }, { path: 'streams.shop.source.url' }],
    });
  });

  test('takes the files in a fixed order, and a missing one is a mistake', async () => {
    await file('tidings.config.mjs', 'export default {};');
    expect((await tidings(['validate'])).out).toContain('tidings.config.mjs: streams: names no stream');
    await file('tidings.yml', RIGHT);
    expect((await tidings(['validate'])).out).toContain('tidings.yml is right');
    expect(await tidings(['validate', 'none.yaml'])).toMatchObject({
      code: 1,
      out: 'none.yaml: there is no such file\n1 mistake\n',
    });
  });
});

describe('tidings run', () => {
  test('refuses a configuration with mistakes, all of them at once, and starts nothing', async () => {
    await file('tidings.yaml', WRONG);
    const { code, out, err } = await tidings(['run']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toBe(`error CONFIG_INVALID: tidings.yaml has 2 mistakes
tidings.yaml:1:9: http.prot: there is no such key; did you mean port?
tidings.yaml:2:43: streams.shop.source.url: the URL's scheme is x, not mysql or mariadb
`);
  });

  test('--check looks at every source, and fails when one cannot be followed', async () => {
    await file('tidings.yaml', RIGHT);
    const finding = {
      level: 'error',
      code: 'BINLOG',
      message: 'refused root:hunter2 sesame',
      cure: 'log_bin = ON',
    } as const;
    const { code, out } = await tidings(['run', '--check'], { findings: [finding] });
    expect(code).toBe(1);
    expect(out).toContain('stream shop\nerror    BINLOG  refused');
    expect(out).not.toMatch(/hunter2|sesame/);
    expect((await tidings(['run', '--check'], { findings: [{ ...finding, level: 'ok' }] })).code).toBe(0);
  });

  test('--check asks with the settings of the configuration', async () => {
    await file(
      'tidings.yaml',
      "streams: { s: { source: { type: mysql, url: 'mysql://h', tables: [a.b], serverId: 7 } } }",
    );
    const cli = testCli({ cwd: folder });
    await runCli(['run', '--check'], cli.context);
    expect(cli.requests[0]).toMatchObject({ url: 'mysql://h', settings: { tables: ['a.b'], serverId: 7 } });
  });
});
