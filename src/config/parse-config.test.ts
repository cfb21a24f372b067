import { describe, expect, test } from 'vitest';
import { connectorSchemas, sinkTypes, sourceTypes } from '../registry.ts';
import { mistakeText } from './mistake.ts';
import { parseConfig, type ParseResult } from './parse-config.ts';
import { readYaml } from './read-yaml.ts';
import { RULES } from './rules.ts';

const schemas = await connectorSchemas({ sources: sourceTypes, sinks: sinkTypes });

interface World {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

function parse(yaml: string, { env = {}, files = {} }: World = {}): ParseResult {
  const { value, mistakes, misleading, locate } = readYaml(yaml);
  if (mistakes.length > 0) return { config: null, mistakes, secrets: [] };
  const readFile = (path: string): string => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
    return text;
  };
  return parseConfig(value, { env, directory: '/etc/tidings', readFile, schemas, locate, misleading, rules: RULES });
}

function mistakes(yaml: string, world?: World): string[] {
  return parse(yaml, world).mistakes.map((mistake) => mistakeText('f', mistake));
}

/** The first stream's source, of a configuration that is right. */
function source(yaml: string, world?: World): Readonly<Record<string, unknown>> {
  const { config, mistakes: wrong } = parse(yaml, world);
  expect(wrong).toEqual([]);
  return config?.streams['s']?.source ?? {};
}

const STREAM = "streams: { s: { source: { type: mysql, url: 'mysql://h' } } }";

test('a few lines are a configuration: everything else has its default', () => {
  expect(parse(STREAM).config).toEqual({
    data: './tidings-data',
    http: {
      host: '127.0.0.1',
      port: 8400,
      tokens: [],
      connectionsMax: 1000,
      stuckAfter: 300_000,
      heartbeat: 15_000,
      silentAfter: 60_000,
    },
    streams: {
      s: {
        source: {
          type: 'mysql',
          url: 'mysql://h',
          from: 'now',
          statements: false,
          ignoreOrigin: false,
          statementChanges: 'stop',
          heartbeatMs: 1000,
          answerTimeoutMs: 60_000,
          eventBytesMax: 1024 ** 3,
          reconnect: { delayMinMs: 100, delayMaxMs: 30_000 },
        },
        partitions: 64,
        retention: { maxAge: 604_800_000, maxBytes: 64 * 1024 ** 3, groupBytes: 64 * 1024 ** 3 },
        log: { segmentBytes: 256 * 1024 ** 2, compression: 'none', syncDelay: 0, fsync: true },
        snapshot: 'never',
        onGap: 'stop',
        snapshotLimits: { parallel: 2 },
      },
    },
    sinks: {},
  });
});

describe('sinks', () => {
  const common = {
    stream: 's',
    order: 'key',
    parallel: 4,
    batch: { bytes: 4 * 1024 ** 2, delay: 0 },
    onRowError: 'park',
    parkedMax: 10_000,
    bootstrap: 'auto',
    from: 'earliest',
    retry: { delayMin: 200, delayMax: 30_000 },
    hookTimeout: 30_000,
  };

  test.each([
    [
      'type: mysql, url: mysql://h/d',
      {
        type: 'mysql',
        url: 'mysql://h/d',
        schema: 'evolve',
        dropColumns: false,
        answerTimeoutMs: 60_000,
        statementBytesMax: 262_144,
      },
    ],
    [
      'type: file, path: out',
      {
        type: 'file',
        path: 'out',
        format: 'ndjson',
        lines: 'rows',
        partition: '{database}/{table}',
        rotate: { bytes: 128 * 1024 ** 2, afterMs: 600_000 },
        openFilesMax: 200,
        zeroDates: 'refuse',
        metaPrefix: '_',
      },
    ],
    ['type: exec, command: cat', { type: 'exec', command: 'cat', lines: 'json', graceMs: 10_000, metaPrefix: '_' }],
    ['type: stdout, lines: rows', { type: 'stdout', lines: 'rows', metaPrefix: '_' }],
    ['type: module, module: ./a.ts', { type: 'module', module: './a.ts', settings: {}, takesPatches: false }],
    ['type: ./a.ts, settings: { x: 1 }', { type: 'module', module: './a.ts', settings: { x: 1 }, takesPatches: false }],
    ['type: ../lib/a.js', { type: 'module', module: '../lib/a.js', settings: {}, takesPatches: false }],
    ['type: /opt/a.mjs', { type: 'module', module: '/opt/a.mjs', settings: {}, takesPatches: false }],
    ['type: "file:///opt/a.mjs"', { type: 'module', module: 'file:///opt/a.mjs', settings: {}, takesPatches: false }],
  ])('%s: everything else has its default', (text, own) => {
    const { config, mistakes: wrong } = parse(`${STREAM}\nsinks: { copy: { stream: s, ${text} } }`);
    expect(wrong).toEqual([]);
    expect(config?.sinks['copy']).toEqual({ ...common, ...own });
  });

  test('the streams of another relay need none of this one', () => {
    const { config, mistakes: wrong } = parse(
      'sinks: { far: { type: exec, command: cat, stream: shop, relay: "https://r:8400", token: abc } }',
    );
    expect(wrong).toEqual([]);
    expect(config?.streams).toEqual({});
    expect(config?.sinks['far']).toMatchObject({ relay: 'https://r:8400', token: 'abc' });
  });

  test('durations, sizes and references are understood in a mapping, too', () => {
    const text = 'hookTimeout: 5s, tables: { a.b: { columns: { c: { from: c, mask: { start: "${N}" } } } } }';
    const { config, mistakes: wrong } = parse(
      `${STREAM}\nsinks: { copy: { stream: s, type: exec, command: cat, ${text} } }`,
      { env: { N: '3' } },
    );
    expect(wrong).toEqual([]);
    expect(config?.sinks['copy']).toMatchObject({
      hookTimeout: 5000,
      tables: { 'a.b': { columns: { c: { mask: { start: 3 } } } } },
    });
  });

  test('no key of a type is one that all sinks have, or one of the mapping', () => {
    const keys = new Set(['type', ...Object.keys(common), ...Object.keys(schemas.mapping.shape), 'relay', 'token']);
    expect(schemas.sinks.size).toBeGreaterThan(3);
    for (const [type, { shape }] of schemas.sinks) {
      for (const key of Object.keys(shape)) expect(keys, `${key} of ${type}`).not.toContain(key);
    }
    const shared = new Set(['type', 'relay', 'token', ...Object.keys(common)].filter((key) => key !== 'hookTimeout'));
    for (const key of Object.keys(schemas.mapping.shape)) expect(shared).not.toContain(key);
  });

  test.each([
    ['{ stream: s }', 'type: is missing; it takes mysql, file, exec, stdout, module'],
    [
      '{ type: mysqll, stream: s }',
      'type: found "mysqll"; allowed: mysql, file, exec, stdout, module; did you mean mysql?',
    ],
    ['{ type: 5, stream: s }', 'type: found 5; allowed: mysql, file, exec, stdout, module'],
    ['{ type: exec, command: cat }', 'stream: is missing; it takes text'],
    ['{ type: exec, command: cat, stream: ss }', 'stream: is no stream of this relay (s); did you mean s?'],
    [
      '{ type: exec, command: cat, stream: other }',
      'stream: is no stream of this relay (s); name the relay that has it with `relay`',
    ],
    ['{ type: exec, command: cat, stream: s, token: x }', 'token: is for another relay: `relay` is missing'],
    [
      '{ type: exec, command: cat, stream: s, order: transaction, parallel: 4 }',
      'parallel: does not go with `order: transaction`, which has one lane',
    ],
    ['{ type: exec, command: cat, stream: s, from: yesterday }', 'from: is no place in a stream'],
    [
      '{ type: exec, command: cat, stream: s, relay: r:8400 }',
      'relay: found a text; allowed: http://host:port, or https://host:port',
    ],
    ['{ type: ./a.ts, stream: s, setings: {} }', 'setings: there is no such key; did you mean settings?'],
    ['{ type: exec, comand: cat, command: cat, stream: s }', 'comand: there is no such key; did you mean command?'],
    [
      '{ type: mysql, url: mysql://h, stream: s }',
      'url: the URL of the MySQL sink names no database for its checkpoints',
    ],
  ])('%s: %s', (sink, message) => {
    expect(
      mistakes(`${STREAM}\nsinks:\n  a:\n    ${sink}`).map((line) => line.replace(/^f:\d+:\d+: sinks\.a\./, '')),
    ).toEqual([message]);
  });

  test('what is wrong in a mapping is said with its line and its path', () => {
    const yaml = `${STREAM}
sinks:
  a:
    type: exec
    command: cat
    stream: s
    rename: { tables: snak }
    tables:
      a.b.c: skip
      shop.gone: skipp
      shop.lines: { colums: {} }
      shop.orders:
        columns:
          total: { expr: 'price *' }
          note: { from: n, cast: decimall }
          foo: { form: n }
        where: 'a >'
        delete: sofft
`;
    const found = mistakes(yaml);
    expect(found.map((line) => line.split(': ', 2).join(': '))).toEqual([
      'f:7:15: sinks.a.rename.tables',
      'f:9:7: sinks.a.tables["a.b.c"]',
      'f:10:7: sinks.a.tables["shop.gone"]',
      'f:11:21: sinks.a.tables["shop.lines"].colums',
      'f:14:20: sinks.a.tables["shop.orders"].columns.total.expr',
      'f:15:28: sinks.a.tables["shop.orders"].columns.note.cast',
      'f:16:18: sinks.a.tables["shop.orders"].columns.foo.form',
      'f:17:9: sinks.a.tables["shop.orders"].where',
      'f:18:9: sinks.a.tables["shop.orders"].delete',
    ]);
    expect(found[0]).toContain('found "snak"; allowed: camel, pascal, snake, lower, upper, a map of names');
    expect(found[0]).toContain('did you mean snake?');
    expect(found[1]).toContain('"a.b.c" is no table pattern');
    expect(found[2]).toContain('found "skipp"; allowed: a rule, a list of rules, or skip; did you mean skip?');
    expect(found[3]).toContain('did you mean columns?');
    expect(found[4]).toContain('found the end, at character 8');
    expect(found[5]).toContain('"decimall" is no type, at character 1. Did you mean decimal?');
    expect(found[6]).toContain('did you mean from?');
    expect(found[8]).toContain('found "sofft"; allowed: delete, ignore, or soft with columns');
  });

  test('rules that contradict each other are found when each is right by itself', () => {
    const mapping = 'tables: { a.b: { columns: { c: { from: c, expr: d } } } }';
    expect(mistakes(`${STREAM}\nsinks: { a: { type: exec, command: cat, stream: s, ${mapping} } }`)).toEqual([
      'f:2:80: sinks.a.tables["a.b"].columns.c: a value has one origin. Give one of from, value and expr.',
    ]);
  });
});

test('in the rules of a mapping nothing is left out: NULL is a value where it may be one, and a mistake elsewhere', () => {
  const rule = (text: string): string[] =>
    mistakes(`${STREAM}\nsinks: { a: { type: exec, command: cat, stream: s, tables: { ${text} } } }`);
  expect(rule('shop.orders: ')).toEqual([]);
  expect(rule('a.b: { columns: { c: { value: null }, d: { from: d, default: null } } }')).toEqual([]);
  for (const text of ['{ hash: }', '{ mask: }', '{ from: }', 'null']) {
    expect(rule(`a.b: { columns: { c: ${text} } }`)).not.toEqual([]);
  }
  const soft = 'delete: { soft: { gone: true, n: null } }';
  const { config } = parse(
    `${STREAM}\nsinks: { a: { type: exec, command: cat, stream: s, ${soft}, tables: { a.b: } } }`,
  );
  expect(JSON.stringify(config?.sinks)).toContain('"n":null');
  expect(JSON.stringify(config?.sinks)).toContain('"a.b"');
});

test('a key whose value is commented out is as good as none', () => {
  expect(mistakes(`http:\n#  port: 1\n${STREAM}`)).toEqual([]);
});

describe('each mistake names its line, its path, what was found and what is allowed', () => {
  test.each([
    ['', ['f: the configuration is empty: it needs at least streams or sinks']],
    ['- a', ['f: the configuration is not a map of keys and values: it needs at least streams or sinks']],
    ['{}', ['f: streams: names no stream, and there are no sinks: a relay needs at least one of them']],
    ['streams: {}', ['f:1:1: streams: names no stream, and there are no sinks: a relay needs at least one of them']],
    ['streams: []', ['f:1:1: streams: found an empty list; allowed: a map']],
    [`${STREAM}\nhtpp: {}`, ['f:2:1: htpp: there is no such key; did you mean http?']],
    [`${STREAM}\nsources: {}`, ['f:2:1: sources: there is no such key; known here: data, http, streams, sinks']],
    [`${STREAM}\nsinks: { a: {} }`, ['f:2:10: sinks.a.type: is missing; it takes mysql, file, exec, stdout, module']],
    [
      `${STREAM}\nhttp: 5`,
      [
        'f:2:1: http: found 5; allowed: a map with host, port, tokens, tls, connectionsMax, stuckAfter, heartbeat, silentAfter',
      ],
    ],
    [`${STREAM}\nhttp: { port: '8400' }`, ['f:2:9: http.port: found "8400"; allowed: a whole number from 0 to 65535']],
    [`${STREAM}\nhttp: { port: 84.5 }`, ['f:2:9: http.port: found 84.5; allowed: a whole number from 0 to 65535']],
    [`${STREAM}\nhttp: { port: 65536 }`, ['f:2:9: http.port: found 65536; allowed: a whole number from 0 to 65535']],
    [
      `${STREAM}\nhttp: { heartbeat: 15 }`,
      ['f:2:9: http.heartbeat: found 15; allowed: a duration such as 500ms, 30s, 12h or 7d, from 100ms to 1h'],
    ],
    [
      `${STREAM}\nhttp: { heartbeat: 2h }`,
      ['f:2:9: http.heartbeat: found "2h"; allowed: a duration such as 500ms, 30s, 12h or 7d, from 100ms to 1h'],
    ],
    [
      `${STREAM}\nhttp: { host: 0.0.0.0 }`,
      [
        'f:2:9: http.host: would be open to everybody who can reach it: give at least one token under http.tokens, or listen on 127.0.0.1',
      ],
    ],
    [
      `${STREAM}\nhttp: { tls: { cert: c } }`,
      ['f:2:9: http.tls.key: is missing; it takes a file in PEM form, or the PEM text'],
    ],
    [
      `${STREAM}\nhttp: { tokens: [{ token: abc, role: reed }] }`,
      ['f:2:32: http.tokens[0].role: found "reed"; allowed: read, operate, admin; did you mean read?'],
    ],
    ['streams: { s: {} }', ['f:1:12: streams.s.source: is missing; it takes a map with type']],
    [
      'streams: { s: { source: { type: mysqll } } }',
      ['f:1:27: streams.s.source.type: found "mysqll"; allowed: mysql; did you mean mysql?'],
    ],
    [
      'streams: { s: { source: { type: mysql } } }',
      ['f:1:17: streams.s.source.url: is missing; it takes mysql://user:password@host:3306/database'],
    ],
    [
      'streams: { s: { source: { type: mysql, uri: x, url: "mysql://h" } } }',
      ['f:1:40: streams.s.source.uri: there is no such key; did you mean url?'],
    ],
    [
      "streams: { s: { source: { type: mysql, url: 'redis://h' } } }",
      ["f:1:40: streams.s.source.url: the URL's scheme is redis, not mysql or mariadb"],
    ],
    [
      "streams: { s: { source: { type: mysql, url: 'mysql://h', tables: ['a.b.c'] } } }",
      ['f:1:67: streams.s.source.tables[0]: "a.b.c" is no table pattern'],
    ],
    [
      "streams: { s: { source: { type: mysql, url: 'mysql://h', tables: shop.* } } }",
      ['f:1:58: streams.s.source.tables: found "shop.*"; allowed: a list of: text'],
    ],
    [
      "streams: { s: { source: { type: mysql, url: 'mysql://h' }, retention: { maxBytes: 5gb } } }",
      [
        'f:1:73: streams.s.retention.maxBytes: found "5gb"; allowed: a size such as 512KiB, 64GiB or 10MB, from 1MiB to 1024TiB',
      ],
    ],
    [
      "streams: { a/b: { source: { type: mysql, url: 'mysql://h' } } }",
      [
        'f:1:12: streams["a/b"]: is no usable name; allowed: letters, digits, - and _, at most 64, beginning with a letter or a digit',
      ],
    ],
    ['a: 1\nb: 2\na: 3', ['f:3:1: the key "a" is given twice']],
    ['a: [1, 2', ['f:1:9: this is not YAML: the indentation does not fit, or a bracket above is not closed']],
    ['a:\n\t- b', ['f:2:1: this is not YAML: a tab stands in the indentation: YAML wants spaces']],
    [
      'a: { b: ${X} }',
      ['f:1:10: this is not YAML: this cannot stand here (a text with ${…} inside of {} or [] stands in quotes)'],
    ],
    ['a: 1\n---\nb: 2', ['f:2:1: this is not YAML: the file has more than one document: only one is read']],
    ['a: !secret x', ['f:1:4: this is not YAML: the file uses a tag that a configuration has no use for']],
  ])('%j', (yaml, expected) => {
    expect(mistakes(yaml)).toEqual(expected);
  });

  const count = (max: number): string => `a whole number from 1 to ${max}`;
  const hours = 'two different times of the day in UTC such as 22:00-05:30';
  const limits = (text: string): string => `snapshotLimits: { ${text} }`;

  test.each([
    ['snapshot: always', 'snapshot', 'found "always"; allowed: initial, never'],
    ['snapshot: inital', 'snapshot', 'found "inital"; allowed: initial, never; did you mean initial?'],
    ['snapshot: true', 'snapshot', 'found true; allowed: initial, never'],
    ['onGap: snapshots', 'onGap', 'found "snapshots"; allowed: stop, snapshot; did you mean snapshot?'],
    ['onGap: [stop]', 'onGap', 'found a list; allowed: stop, snapshot'],
    ['ongap: stop', 'ongap', 'there is no such key; did you mean onGap?'],
    [
      'snapshotLimits: 4',
      'snapshotLimits',
      'found 4; allowed: a map with parallel, rowsPerSecond, threadsRunning, replicaLagSeconds, hours',
    ],
    [limits('paralel: 4'), 'snapshotLimits.paralel', 'there is no such key; did you mean parallel?'],
    [limits('parallel: 0'), 'snapshotLimits.parallel', `found 0; allowed: ${count(16)}`],
    [limits('parallel: 17'), 'snapshotLimits.parallel', `found 17; allowed: ${count(16)}`],
    [limits('parallel: 1.5'), 'snapshotLimits.parallel', `found 1.5; allowed: ${count(16)}`],
    [limits('rowsPerSecond: 0'), 'snapshotLimits.rowsPerSecond', `found 0; allowed: ${count(1e9)}`],
    [limits('rowsPerSecond: 50k'), 'snapshotLimits.rowsPerSecond', `found "50k"; allowed: ${count(1e9)}`],
    [limits('threadsRunning: -1'), 'snapshotLimits.threadsRunning', `found -1; allowed: ${count(100_000)}`],
    [limits('threadsRunning: 100001'), 'snapshotLimits.threadsRunning', `found 100001; allowed: ${count(100_000)}`],
    [
      limits('replicaLagSeconds: 10'),
      'snapshotLimits.replicaLagSeconds',
      'has no replicas to look at: name them under source.replicas',
    ],
    [limits('hours: 22'), 'snapshotLimits.hours', `found 22; allowed: ${hours}`],
    [limits("hours: '22-5'"), 'snapshotLimits.hours', `found "22-5"; allowed: ${hours}`],
    [limits("hours: '22:00-24:30'"), 'snapshotLimits.hours', `found "22:00-24:30"; allowed: ${hours}`],
    [limits("hours: '05:00-5:00'"), 'snapshotLimits.hours', `are not ${hours}`],
  ])('of snapshots: %s', (text, key, message) => {
    const yaml = `streams:\n  s:\n    source: { type: mysql, url: 'mysql://h' }\n    ${text}`;
    expect(mistakes(yaml).map((line) => line.replace(/^f:4:\d+: /, ''))).toEqual([`streams.s.${key}: ${message}`]);
  });

  test('all of them at once, in the order of the file', () => {
    const yaml = `http:
  prot: 1
  port: 70000
streams:
  a: { source: { type: mysql, url: 'x://h' }, partitions: 0 }
  b: { source: { type: mysql, url: "\${NONE}" }, log: { fsync: 1 } }
`;
    expect(mistakes(yaml).map((line) => line.split(': ', 2).join(': '))).toEqual([
      'f:2:3: http.prot',
      'f:3:3: http.port',
      'f:5:31: streams.a.source.url',
      'f:5:47: streams.a.partitions',
      'f:6:31: streams.b.source.url',
      'f:6:56: streams.b.log.fsync',
    ]);
  });

  test('aliases that multiply without end are refused, not followed', () => {
    const bomb = [
      'a: &a [x, x, x, x, x, x, x, x, x]',
      ...'bcdefghi'.split('').map((key, index) => {
        const before = 'abcdefgh'[index] ?? '';
        return `${key}: &${key} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`;
      }),
    ].join('\n');
    expect(mistakes(bomb)).toEqual(['f: the aliases of the file cannot be resolved, or are too many']);
    expect(mistakes(`${STREAM}\nx: &x { y: *x }`)).toContain('f:2:9: x.y.y: is nested more than 32 levels deep');
  });
});

describe('what would not mean what it says', () => {
  const INEXACT = 'is a number with more digits, or larger, than can be kept exactly: put it in quotes';
  const settings = (text: string): string =>
    `${STREAM}\nsinks: { a: { type: ./sink.ts, stream: s, settings: { x: ${text} } } }`;

  test.each([
    '9007199254740993',
    '-9007199254740993',
    '12345678901234567890',
    '0.1234567890123456789',
    '1e400',
    '-1e400',
    '1e-400',
    '0xffffffffffffffffff',
  ])('%s is refused where it would be rounded', (number) => {
    expect(mistakes(settings(number))).toEqual([`f:2:55: sinks.a.settings.x: ${INEXACT}`]);
    expect(mistakes(settings(`'${number}'`))).toEqual([]);
  });

  test.each([
    '9007199254740991',
    '0.1',
    '1.50',
    '-0',
    '+5',
    '.5',
    '5.',
    '1e3',
    '1E-7',
    '100000000000000000000',
    '0x1f',
  ])('%s is a number as any other', (number) => {
    expect(mistakes(settings(number))).toEqual([]);
  });

  test('it is told with everything else, and without its digits', () => {
    expect(mistakes(`${STREAM}\nhttp: { prot: 1, tokens: [{ token: 12345678901234567890, role: read }] }`)).toEqual([
      'f:2:9: http.prot: there is no such key; did you mean port?',
      `f:2:29: http.tokens[0].token: ${INEXACT}`,
    ]);
  });

  test('keys that are the same but for their quotes are given twice', () => {
    const stream = "source: { type: mysql, url: 'mysql://h' }";
    expect(mistakes(`streams:\n  1: { ${stream} }\n  '1': { ${stream} }`)).toEqual([
      'f:2:3: streams.1: is given twice',
    ]);
  });

  test('a stream or sink of which nothing is said lacks everything, and is not passed over', () => {
    expect(mistakes(`streams:\n  s: { source: { type: mysql, url: 'mysql://h' } }\n  t:\nsinks:\n  u:`)).toEqual([
      'f:3:3: streams.t.source: is missing; it takes a map with type',
      'f:5:3: sinks.u.type: is missing; it takes mysql, file, exec, stdout, module',
    ]);
  });

  test('a stream with a name that JavaScript has another use for is refused, and not passed over', () => {
    expect(mistakes(`streams:\n  s: { source: { type: mysql, url: 'mysql://h' } }\n  __proto__: {}`)).toEqual([
      'f:3:3: streams.__proto__: is no usable name',
    ]);
  });

  test('where a sink begins may be an SCN as a number', () => {
    const from = (place: string): string => `${STREAM}\nsinks: { a: { type: stdout, stream: s, from: ${place} } }`;
    expect(parse(from('1763629200000001')).config?.sinks['a']?.from).toBe('1763629200000001');
    expect(parse(from("'1763629200000001'")).config?.sinks['a']?.from).toBe('1763629200000001');
    expect(parse(from('latest')).config?.sinks['a']?.from).toBe('latest');
    const { config } = parse(`${STREAM}\nsinks: { a: { type: stdout, stream: s } }`);
    expect(config?.sinks['a']?.from).toBe('earliest');
    expect(mistakes(from('-1')).join('')).toContain('sinks.a.from: found -1; allowed: earliest, latest, an SCN');
  });
});

describe('references', () => {
  const url = (text: string): string => `streams: { s: { source: { type: mysql, url: ${JSON.stringify(text)} } } }`;
  const from = (text: string): string =>
    `streams: { s: { source: { type: mysql, url: 'mysql://h', from: ${JSON.stringify(text)} } } }`;

  test.each([
    ['${A}', { A: 'x' }, 'x'],
    ['a${A}b${B}', { A: 'x', B: '' }, 'axb'],
    ['${A:-d}', {}, 'd'],
    ['${A:-d}', { A: '' }, 'd'],
    ['${A:-d}', { A: 'x' }, 'x'],
    ['${A:-}x', {}, 'x'],
    ['$${A}', { A: 'x' }, '${A}'],
    ['$$${A}', { A: 'x' }, '$${A}'],
    ['${A}', { A: '${B}' }, '${B}'],
    ['$A', { A: 'x' }, '$A'],
  ])('%s with %j is %s', (text, env, expected) => {
    expect(source(from(text), { env })['from']).toBe(expected);
  });

  test('a file gives its content without one line end at its end, from the directory of the configuration', () => {
    const files = { '/etc/tidings/x': 'secret\n\n', '/run/secrets/y': 'z\r\n' };
    expect(source(from('${file:x}'), { files })['from']).toBe('secret\n');
    expect(source(from('<${file:/run/secrets/y}>'), { files })['from']).toBe('<z>');
  });

  test('a password of any characters fits into a URL; a whole URL, host and port are taken as they are', () => {
    const env = { PW: 'p@s/s:w?r#d%41', HOST: 'db:3307', URL: 'mysql://u:p%40@h' };
    expect(source(url('mysql://u:${PW}@${HOST}/'), { env })['url']).toBe(
      `mysql://u:${encodeURIComponent(env.PW)}@db:3307/`,
    );
    expect(source(url('${URL}'), { env })['url']).toBe(env.URL);
    expect(source(url('mysql://${HOST}'), { env })['url']).toBe('mysql://db:3307');
  });

  test('a value never changes what the file says: it is put in after YAML was parsed', () => {
    const env = { EVIL: "now\n    statements: true\nhttp: { host: '0.0.0.0' }" };
    const result = parse(from('${EVIL}'), { env });
    expect(result.config?.http.host).toBe('127.0.0.1');
    expect(result.config?.streams['s']?.source).toMatchObject({ from: env.EVIL, statements: false });
  });

  test('numbers, true and false may come from a reference; a text that looks like one stays text', () => {
    const yaml = `${STREAM.slice(0, -3)}, log: { fsync: "\${F}", segmentBytes: "\${S}" } } }
http: { port: "\${P}", tokens: [{ token: "\${P}", role: read }] }`;
    const { config, mistakes: wrong } = parse(yaml, { env: { F: 'false', S: '16MiB', P: '0' } });
    expect(wrong).toEqual([]);
    expect(config?.http).toMatchObject({ port: 0, tokens: [{ token: '0', role: 'read' }] });
    expect(config?.streams['s']?.log).toMatchObject({ fsync: false, segmentBytes: 16 * 1024 ** 2 });
  });

  test.each([
    ['${A}', 'the environment variable A is not set'],
    ['${file:none}', 'the file none cannot be read: there is no such file'],
    ['${A', 'has a "${" without its "}": write ${NAME}, ${NAME:-default} or ${file:/path}; $${ stands for a plain ${'],
    [
      '${A:-${B}}',
      'has a reference within a reference: write ${NAME}, ${NAME:-default} or ${file:/path}; $${ stands for a plain ${',
    ],
    [
      '${a b}',
      'has a reference of no known form: write ${NAME}, ${NAME:-default} or ${file:/path}; $${ stands for a plain ${',
    ],
    [
      '${}',
      'has a reference of no known form: write ${NAME}, ${NAME:-default} or ${file:/path}; $${ stands for a plain ${',
    ],
  ])('%s is a mistake that names the path', (text, message) => {
    expect(mistakes(from(text))).toEqual([`f:1:58: streams.s.source.from: ${message}`]);
  });
});

describe('no message shows a secret', () => {
  const SECRET = 'hunter2';
  test.each([
    `streams: { s: { source: { type: mysql, url: 'mysql://root:${SECRET}@h:99999' } } }`,
    `streams: { s: { source: { type: mysql, url: 'root:${SECRET}@h' } } }`,
    `streams: { s: { source: { type: mysql, url: ['${SECRET}'] } } }`,
    `streams: { s: { source: { type: mysql, url: 'mysql://h', replicas: ['mysql://root:${SECRET}@h:99999'] } } }`,
    `streams: { s: { source: { type: mysql, url: 'mysql://h', replicas: 'mysql://root:${SECRET}@h' } } }`,
    `streams: { s: { source: { type: mysql, url: 'mysql://h', replicas: [['${SECRET}']] } } }`,
    `${STREAM}\nhttp: { tokens: [{ token: 'x ${SECRET}', role: read }] }`,
    `${STREAM}\nhttp: { tokens: [{ token: { x: ${SECRET} }, role: read }] }`,
    `${STREAM}\nhttp: { tokens: [{ token: ${SECRET}, rool: read }, { token: ${SECRET}, role: read }] }`,
    `${STREAM}\nhttp: { token: ${SECRET} }`,
    `${STREAM}\nhttp: { port: "\${PW}" }`,
    `${STREAM}\nhttp: { heartbeat: "\${PW}s" }`,
    `${STREAM}\nhttp: { tls: { cert: c, key: [${SECRET}] } }`,
    `streams: { s: { source: { type: mysql, url: "\${PW}", tables: ["\${PW}.\${PW}.\${PW}"] } } }`,
    `${STREAM}\nsinks: { a: { type: mysql, stream: s, url: 'mysql://root:${SECRET}@h:99999/d' } }`,
    `${STREAM}\nsinks: { a: { type: mysql, stream: s, url: 'mysql://root:${SECRET}@h' } }`,
    `${STREAM}\nsinks: { a: { type: mysql, stream: s, url: ['${SECRET}'] } }`,
    `${STREAM}\nsinks: { a: { type: exec, command: cat, stream: s, relay: 'h://u:${SECRET}@r' } }`,
    `${STREAM}\nsinks: { a: { type: exec, command: cat, stream: s, relay: 'http://r', token: 'x ${SECRET}' } }`,
    `${STREAM}\nsinks: { a: { type: exec, command: cat, stream: s, token: ${SECRET} } }`,
    `${STREAM}\nsinks: { a: { type: "\${PW}", stream: "\${PW}" } }`,
    `${STREAM}\nsinks: { a: { type: exec, command: cat, stream: s, tables: { a.b: { delete: "\${PW}" } } } }`,
    `${STREAM}\nsinks: { a: { type: exec, command: cat, stream: s, tables: { a.b: { columns: { c: { hash: { key: [${SECRET}] } } } } } } }`,
    `a: "${SECRET}\nb: [`,
    `a: '${SECRET}' ${SECRET}`,
    `url: mysql://root:${SECRET}@h: x`,
    `*${SECRET}`,
  ])('%j', (yaml) => {
    const lines = mistakes(yaml, { env: { PW: SECRET } });
    expect(lines).not.toEqual([]);
    expect(lines.join('\n')).not.toContain(SECRET);
  });
});
