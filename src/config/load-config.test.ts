import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { connectorSchemas, sinkTypes, sourceTypes } from '../registry.ts';
import { type LoadedConfig, loadConfig } from './load-config.ts';
import { mistakeText } from './mistake.ts';

const schemas = await connectorSchemas({ sources: sourceTypes, sinks: sinkTypes });

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidings-config-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function load(name: string, text: string, env: Readonly<Record<string, string>> = {}): Promise<LoadedConfig> {
  await writeFile(join(folder, name), text);
  return loadConfig(join(folder, name), { env, schemas });
}

function lines({ mistakes }: LoadedConfig): string[] {
  return mistakes.map((mistake) => mistakeText('f', mistake));
}

test('paths begin at the file, and what is configured arrives where the relay looks for it', async () => {
  const { settings } = await load(
    'a.yaml',
    `data: data
http: { port: 0, stuckAfter: 1m }
streams:
  shop:
    source: { type: mysql, url: 'mysql://h', from: earliest, tables: ['shop.*'], heartbeatMs: 2s, replicas: ['mysql://r'] }
    partitions: 8
    retention: { maxAge: 1d, maxBytes: 1GiB, groupBytes: 0B }
    log: { segmentBytes: 1MiB, syncDelay: 5ms, compression: zstd, fsync: false }
    snapshot: initial
    onGap: snapshot
    snapshotLimits: { parallel: 4, rowsPerSecond: 50000, threadsRunning: 20, replicaLagSeconds: 10, hours: 22:00-05:30 }
`,
  );
  expect(settings?.directory).toBe(join(folder, 'data'));
  expect(settings?.http).toMatchObject({ port: 0, stuckAfterMs: 60_000 });
  expect(settings?.streams.get('shop')).toMatchObject({
    source: {
      type: 'mysql',
      from: 'earliest',
      options: { url: 'mysql://h', tables: ['shop.*'], heartbeatMs: 2000, replicas: ['mysql://r'] },
    },
    partitions: 8,
    retention: { maxAgeMs: 86_400_000, maxBytes: 1024 ** 3, groupBytes: 0 },
    log: { segmentBytes: 1024 ** 2, syncDelayMs: 5, compression: 'zstd', fsync: false },
    snapshots: {
      initial: true,
      onGap: 'snapshot',
      limits: { parallel: 4, rowsPerSecond: 50_000, threadsRunning: 20, replicaLagSeconds: 10, hours: '22:00-05:30' },
    },
  });
});

test('nothing that is not asked for is read of the rows that exist, and a gap is for a person', async () => {
  const { settings } = await load('n.yaml', "streams: { s: { source: { type: mysql, url: 'mysql://h' } } }");
  expect(settings?.streams.get('s')?.snapshots).toEqual({ initial: false, onGap: 'stop', limits: { parallel: 2 } });
});

test('tokens and passwords are told, so that nothing that is logged shows them', async () => {
  const { secrets } = await load(
    'b.yaml',
    `http: { tokens: [{ token: "\${T}", role: read }] }
streams: { s: { source: { type: mysql, url: 'mysql://u:\${P}@h', replicas: ['mysql://w:\${Q}@r', 'mysql://r2'] } } }
sinks:
  a: { type: mysql, stream: s, url: "mysql://u:\${A}@h/d", tables: { x: { columns: { mail: { hash: { key: "\${H}" } } } } } }
  b: { type: exec, stream: s, command: cat, relay: "https://u:\${B}@r", token: "\${C}" }`,
    { T: 'tok-1', P: 'p@ss', Q: 'watch-1', A: 'copy-1', B: 'far-1', C: 'tok-2', H: 'pepper' },
  );
  expect(secrets).toEqual(
    expect.arrayContaining(['tok-1', 'p@ss', 'p%40ss', 'watch-1', 'copy-1', 'far-1', 'tok-2', 'pepper']),
  );
});

test('what references put into settings of a module, into a command and into secrets of sinks is told, too; plain values stay', async () => {
  await writeFile(join(folder, 'secret.txt'), 'from-a-file\n');
  const text = `streams: { s: { source: { type: mysql, url: 'mysql://\${USER}@\${HOST}/d' } } }
sinks:
  a: { type: ./a.ts, stream: s, settings: { key: "\${K}", list: [{ deep: "Bearer \${D}" }], file: "\${file:secret.txt}", port: "\${PORT}", on: "\${ON}" } }
  b: { type: exec, stream: s, command: "push --token \${T}", to: "\${DB}_copy.{table}" }
  c: { type: exec, stream: s, command: cat, nonsense: "\${N}" }`;
  const env = {
    USER: 'usher',
    HOST: 'db.internal',
    K: 'k-1',
    D: 'deep',
    PORT: '8400',
    ON: 'true',
    T: 'tok-1',
    DB: 'shop',
    N: 'nil',
  };
  // Also of a configuration that is wrong: its mistakes are shown.
  const { settings, secrets } = await load('c.yaml', text, { ...env, K: 'key-1' });
  expect(settings).toBeNull();
  expect(secrets).toEqual(['key-1', 'deep', 'from-a-file', 'tok-1']);
});

describe('a module', () => {
  const body = "{ streams: { s: { source: { type: 'mysql', url: 'mysql://u:${P}@h' } } } }";

  test.each(['tidings.config.ts', 'c.mjs'])('is run as it is, and its references are put in: %s', async (name) => {
    const typed = name.endsWith('.ts') ? 'const config: object =' : 'const config =';
    const { settings } = await load(name, `${typed} ${body};\nexport default config;`, { P: 'x' });
    expect(settings?.streams.get('s')?.source.url).toBe('mysql://u:x@h');
  });

  test('without a default export says what to write', async () => {
    expect(lines(await load('d.mjs', `export const config = ${body};`))).toEqual([
      'f: d.mjs exports nothing: write export default defineConfig({ … })',
    ]);
  });

  test('that throws is a mistake of the file, not a crash', async () => {
    expect(lines(await load('e.mjs', "throw new Error('no such thing');"))).toEqual([
      'f: the module fails: no such thing',
    ]);
  });
});

test('a file that is not there is said to be so', async () => {
  const loaded = await loadConfig(join(folder, 'none.yaml'), { env: {}, schemas });
  expect(lines(loaded)).toEqual(['f: there is no such file']);
});

describe('certificates', () => {
  const yaml = (cert: string, key: string): string =>
    `http: { tls: { cert: ${JSON.stringify(cert)}, key: ${JSON.stringify(key)} } }
streams: { s: { source: { type: mysql, url: 'mysql://h' } } }`;
  const pem = (what: string): string => `-----BEGIN ${what}-----\nx\n-----END ${what}-----\n`;

  test('are files beside the configuration, or the text itself', async () => {
    await writeFile(join(folder, 'cert.pem'), pem('CERTIFICATE'));
    const { settings } = await load('t.yaml', yaml('cert.pem', '${KEY}'), { KEY: pem('PRIVATE KEY') });
    expect(settings?.http.tls).toEqual({ cert: pem('CERTIFICATE'), key: pem('PRIVATE KEY') });
  });

  test('that are missing or no PEM are mistakes, both at once', async () => {
    await writeFile(join(folder, 'key.der'), '0');
    expect(lines(await load('u.yaml', yaml('none.pem', 'key.der')))).toEqual([
      'f:1:16: http.tls.cert: is a file that cannot be read: ENOENT',
      'f:1:34: http.tls.key: is a file that is not in PEM form',
    ]);
  });
});

describe('the JSON Schema for editors', () => {
  const root = resolve(import.meta.dirname, '../..');

  test('takes what the parser takes and refuses mistakes of spelling and type', async () => {
    // The validator that fastify brings along: a dependency of its own for one test would be too much.
    const fastifyRequire = createRequire(createRequire(import.meta.url).resolve('fastify'));
    const { Ajv } = fastifyRequire('ajv') as {
      Ajv: new (options: object) => { compile(schema: object): (data: unknown) => boolean };
    };
    const schema = JSON.parse(readFileSync(join(root, 'docs/reference/tidings.schema.json'), 'utf8')) as object;
    const accepts = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);
    const page = readFileSync(join(root, 'docs/reference/config.md'), 'utf8');
    const examples = [...page.matchAll(/```yaml\n([^]*?)```/g)].map(([, text = '']) => text);
    expect(examples).toHaveLength(2);
    for (const example of examples) expect(accepts(parse(example))).toBe(true);
    const stream = "streams: { s: { source: { type: mysql, url: 'mysql://h' } } }";
    for (const right of [
      `${stream}\nhttp: { port: '\${PORT}', heartbeat: 15s }`,
      "streams: { s: { source: { type: mysql, url: x, eventBytesMax: 2MiB, heartbeatMs: 500 }, log: { fsync: '${F:-true}' } } }",
      "streams: { s: { source: { type: mysql, url: x }, snapshot: initial, snapshotLimits: { parallel: 4, hours: '22:00-05:30' } } }",
      "sinks: { a: { type: mysql, stream: s, relay: 'http://r', url: x, batch: { delay: 50ms }, tables: { a.b: skip, '*.*': [{ delete: { soft: { gone: true } } }] } } }",
      `${stream}\nsinks: { a: { type: exec, stream: s, command: cat, rename: { tables: [snake, { a: b }] }, options: { x: [1] } } }`,
      `${stream}\nsinks: { a: { type: ./my-sink.ts, stream: s, settings: { x: [1] } } }`,
      `${stream}\nsinks: { a: { type: module, module: ./my-sink.ts, stream: s } }`,
      `${stream}\nsinks: { a: { type: exec, stream: s, command: cat, tables: { a.b: { delete: '\${HOW}', columns: { c: { value: [1] } } } } } }`,
    ]) {
      expect({ right, accepted: accepts(parse(right)) }).toEqual({ right, accepted: true });
    }
    for (const wrong of [
      '[]',
      `${stream}\nhtpp: {}`,
      `${stream}\nhttp: { port: '8400' }`,
      `${stream}\nhttp: { port: 65536 }`,
      `${stream}\nhttp: { heartbeat: 15 }`,
      `${stream}\nhttp: { tokens: [{ token: a, role: root }] }`,
      'streams: { s: { source: { type: mysql } } }',
      'streams: { s: { source: { type: mysqll, url: x } } }',
      'streams: { a/b: { source: { type: mysql, url: x } } }',
      'streams: { s: { source: { type: mysql, url: x, tables: shop } } }',
      'streams: { s: { source: { type: mysql, url: x }, log: { compression: gzip } } }',
      'streams: { s: { source: { type: mysql, url: x }, onGap: go } }',
      'streams: { s: { source: { type: mysql, url: x }, snapshotLimits: { parallel: 17 } } }',
      `${stream}\nsinks: { a: { type: mysqll, stream: s, url: x } }`,
      `${stream}\nsinks: { a: { type: mysql, stream: s } }`,
      `${stream}\nsinks: { a: { type: ./my-sink.ts, stream: s, setings: {} } }`,
      `${stream}\nsinks: { a: { type: exec, stream: s, command: cat, tables: { a.b: { colums: {} } } } }`,
      `${stream}\nsinks: { a: { type: exec, stream: s, command: cat, tables: { a.b: skipp } } }`,
      `${stream}\nsinks: { a: { type: exec, stream: s, command: cat, batch: { delay: 50 } } }`,
    ]) {
      expect({ wrong, accepted: accepts(parse(wrong)) }).toEqual({ wrong, accepted: false });
    }
  });

  test('the examples of the page are right for the parser, too', async () => {
    const page = readFileSync(join(root, 'docs/reference/config.md'), 'utf8');
    const [least = '', more = ''] = [...page.matchAll(/```yaml\n([^]*?)```/g)].map(([, text = '']) => text);
    expect(lines(await load('least.yaml', least))).toEqual([]);
    await writeFile(join(folder, 'token'), 'abc\n');
    const pem = '-----BEGIN X-----';
    const local = more
      .replace('/run/secrets/search-token', join(folder, 'token'))
      .replace('/etc/tidings/cert.pem', pem)
      .replace('/etc/tidings/key.pem', pem)
      .replace('tls: { cert: -----BEGIN X-----, key: -----BEGIN X----- }', `tls: { cert: '${pem}', key: '${pem}' }`);
    expect(
      lines(await load('more.yaml', local, { TIDINGS_ADMIN_TOKEN: 'x', DB_PASSWORD: 'y', COPY_PASSWORD: 'z' })),
    ).toEqual([]);
  });
});

test('a file that is no UTF-8 is refused, as a configuration and behind a reference: no byte of a password is replaced', async () => {
  const stream = (url: string): string => `streams: { s: { source: { type: mysql, url: "${url}" } } }`;
  await writeFile(join(folder, 'latin1'), Buffer.from('p\xe4ss', 'latin1'));
  expect(lines(await load('binary.yaml', stream('mysql://u:${file:latin1}@h')))).toEqual([
    'f:1:40: streams.s.source.url: the file latin1 cannot be read: it is no text in UTF-8',
  ]);
  await writeFile(join(folder, 'latin1.yaml'), Buffer.from(`data: d\xe4ta\n${stream('mysql://h')}`, 'latin1'));
  expect(lines(await loadConfig(join(folder, 'latin1.yaml'), { env: {}, schemas }))).toEqual([
    'f: the file is no text in UTF-8',
  ]);
});

test('a byte order mark belongs neither to a configuration nor to a secret', async () => {
  await writeFile(join(folder, 'marked'), '\ufeffpass\n');
  const { settings } = await load(
    'marked.yaml',
    '\ufeffstreams: { s: { source: { type: mysql, url: "mysql://u:${file:marked}@h" } } }',
  );
  expect(settings?.streams.get('s')?.source.url).toBe('mysql://u:pass@h');
});
