import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testCli, type TestCliOptions } from '../../../test/support/cli-context.ts';
import { parseJsonDigits } from '../../base/exact-json.ts';
import { runCli } from '../run.ts';

interface Answer {
  readonly location?: string;
  readonly status?: number;
  readonly body?: unknown;
}

interface Asked {
  readonly request: string;
  readonly body: unknown;
  readonly authorization: string | undefined;
}

let server: Server;
let url = '';
let answers: Record<string, Answer> = {};
let asked: Asked[] = [];

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
  return text === '' ? null : parseJsonDigits(text);
}

beforeEach(async () => {
  answers = {};
  asked = [];
  server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    void (async () => {
      const body = await readBody(request);
      asked.push({ request: line, body, authorization: request.headers.authorization });
      const {
        status = 200,
        location,
        body: answer,
      } = answers[line] ?? { status: 404, body: problem('STREAM_UNKNOWN', 'no') };
      const moved = location === undefined ? {} : { location };
      response.writeHead(status, { 'content-type': 'application/json', ...moved }).end(JSON.stringify(answer));
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
});

function problem(code: string, detail: string): object {
  return { type: `urn:tidings:error:${code}`, title: code, status: 400, detail, code, hint: 'The hint of the relay.' };
}

async function tidings(
  args: readonly string[],
  options: TestCliOptions = {},
): Promise<{ code: number; out: string; err: string }> {
  const cli = testCli(options);
  const code = await runCli(args, cli.context);
  return { code, out: cli.stdout.text, err: cli.stderr() };
}

const STREAM = {
  name: 'shop',
  state: 'running',
  created: '2026-11-20T09:00:00.000Z',
  first: 1000,
  last: 2000,
  firstCommit: '2026-11-20T09:00:00.000000Z',
  lastCommit: '2026-11-20T09:15:02.123456Z',
  bytes: 1536,
  error: null,
};

const GROUP = {
  group: 'search',
  paused: false,
  epoch: 4,
  checkpoint: 1500,
  lag: { changes: 5000, bytes: 2048, seconds: 3 },
  members: [
    {
      member: 'a',
      joined: '2026-11-20T09:00:00.000Z',
      heard: '2026-11-20T09:15:01.000Z',
      partitions: [0, 1],
      revoking: [2],
    },
  ],
  partitions: [0, 1, 2, 3].map((partition) => ({
    partition,
    member: partition < 2 ? 'a' : null,
    checkpoint: partition === 3 ? 1700 : 1500,
    committed: null,
  })),
};

const SINK = {
  name: 'copy',
  type: 'mysql',
  stream: 'shop',
  order: 'key',
  promise: 'transactional',
  state: 'running',
  error: null,
  rows: 100,
  batches: 4,
  pending: 7,
  lagSeconds: 2.5,
  written: '2026-11-20T09:15:02.123Z',
  deadLetters: 3,
  blockedKeys: 2,
};

describe('tidings streams', () => {
  test('prints a line per stream, and what is wrong below', async () => {
    const error = { code: 'BINLOG_PURGED', message: 'gone', hint: 'Begin anew.', retry: 'operator', since: 'x' };
    const broken = {
      ...STREAM,
      name: 'crm',
      state: 'failed',
      first: null,
      last: null,
      firstCommit: null,
      lastCommit: null,
      error,
    };
    answers['GET /v1/streams'] = { body: [STREAM, broken] };
    const { code, out } = await tidings(['streams', url]);
    expect(code).toBe(0);
    expect(out).toBe(`STREAM  STATE    FIRST  LAST    BYTES  FROM                  TO
shop    running   1000  2000  1.5 KiB  2026-11-20T09:00:00Z  2026-11-20T09:15:02Z
crm     failed       -     -  1.5 KiB  -                     -
crm: BINLOG_PURGED: gone
  Begin anew.
`);
  });

  test('--json prints all that the relay says', async () => {
    answers['GET /v1/streams'] = { body: [{ ...STREAM, more: 1 }] };
    expect(JSON.parse((await tidings(['streams', url, '--json'])).out)).toEqual([{ ...STREAM, more: 1 }]);
  });
});

describe('tidings groups', () => {
  test('prints a line per group', async () => {
    answers['GET /v1/streams/shop/groups'] = { body: [GROUP, { ...GROUP, group: 'idle', members: [] }] };
    expect((await tidings(['groups', url, '--stream', 'shop'])).out)
      .toBe(`GROUP   STATE   MEMBERS  CHECKPOINT  CHANGES BEHIND    BYTES  TIME
search  active        1        1500         ≤ 5 000  2.0 KiB   3 s
idle    idle          0        1500         ≤ 5 000  2.0 KiB   3 s
`);
  });

  test('--group shows who has what, and what nobody has', async () => {
    answers['GET /v1/streams/shop/groups/search'] = { body: GROUP };
    const { out } = await tidings(['groups', url, '--stream', 'shop', '--group', 'search']);
    expect(out).toContain(`MEMBER    PARTITIONS  LETTING GO OF  HEARD
a         0-1         2              2026-11-20T09:15:01Z
(nobody)  2-3
`);
  });
});

describe('tidings checkpoint', () => {
  const WHERE = ['--stream', 'shop', '--group', 'search'];

  test('get joins the partitions that stand at the same place', async () => {
    answers['GET /v1/streams/shop/groups/search'] = { body: GROUP };
    expect((await tidings(['checkpoint', 'get', url, ...WHERE])).out).toBe(`CHECKPOINT  PARTITIONS
      1500  0-2
      1700  3
`);
  });

  test.each([
    [['--to', '1200'], { to: 1200 }],
    [['--to', 'earliest'], { to: 'earliest' }],
    [
      ['--to', '2026-11-20T09:00:00Z', '--partitions', '0-2,5'],
      { to: '2026-11-20T09:00:00Z', partitions: [0, 1, 2, 5] },
    ],
    [['--to', 'pos:f:4'], { to: 'pos:f:4' }],
  ])('set sends the place as it is given: %j', async (args, body) => {
    answers['PUT /v1/streams/shop/groups/search/checkpoint'] = { body: GROUP };
    expect((await tidings(['checkpoint', 'set', url, ...WHERE, ...args])).code).toBe(0);
    expect(asked[0]?.body).toEqual(body);
  });
});

describe('tidings replay --group', () => {
  const ARGS = ['--stream', 'shop', '--group', 'search', '--from', '2026-11-20T09:00:00Z'];

  test('asks, and does nothing without a yes', async () => {
    answers['GET /v1/streams/shop/groups/search'] = { body: GROUP };
    answers['PUT /v1/streams/shop/groups/search/checkpoint'] = { body: GROUP };
    const questions: string[] = [];
    const answer = (yes: boolean) => (question: string) => {
      questions.push(question);
      return yes;
    };
    expect((await tidings(['replay', url, ...ARGS], { confirm: answer(false) })).code).toBe(0);
    expect(asked.map(({ request }) => request)).toEqual(['GET /v1/streams/shop/groups/search']);
    expect(questions).toEqual(['Send group search of stream shop back to 2026-11-20T09:00:00Z?']);
    await tidings(['replay', url, ...ARGS], { confirm: answer(true) });
    expect(asked.at(-1)).toMatchObject({ body: { to: '2026-11-20T09:00:00Z' } });
  });

  test('--yes asks nothing', async () => {
    answers['PUT /v1/streams/shop/groups/search/checkpoint'] = { body: GROUP };
    expect((await tidings(['replay', url, ...ARGS, '--yes'])).code).toBe(0);
  });
});

describe('tidings pause and resume', () => {
  test.each([
    [['pause', '--stream', 'shop'], 'POST /v1/streams/shop/pause'],
    [['resume', '--stream', 'shop', '--group', 'a/b'], 'POST /v1/streams/shop/groups/a%2Fb/resume'],
  ])('%j', async ([name = '', ...args], request) => {
    answers[request] = { body: {} };
    expect(await tidings([name, url, ...args])).toEqual({ code: 0, out: '', err: '' });
    expect(asked.map((each) => each.request)).toEqual([request]);
  });

  test.each([
    ['pause', 'POST /v1/sinks/a%2Fb/pause'],
    ['resume', 'POST /v1/sinks/a%2Fb/resume'],
  ])('%s --sink', async (name, request) => {
    answers[request] = { body: SINK };
    expect(await tidings([name, url, '--sink', 'a/b'])).toEqual({ code: 0, out: '', err: '' });
    expect(asked.map((each) => each.request)).toEqual([request]);
  });

  test('a sink goes without a stream, and one of both is needed', async () => {
    const both = await tidings(['pause', url, '--sink', 'copy', '--stream', 'shop']);
    expect(both.code).toBe(2);
    expect(both.err).toContain('--sink goes without --stream and --group');
    const none = await tidings(['resume', url]);
    expect(none.code).toBe(2);
    expect(none.err).toContain('--stream');
    expect(asked).toEqual([]);
  });
});

describe('tidings sinks', () => {
  test('prints a line per sink, and what is wrong below', async () => {
    const error = { code: 'DISK_FULL', message: 'no space', hint: 'Make room.', since: 'x' };
    answers['GET /v1/sinks'] = {
      body: [SINK, { ...SINK, name: 'files', type: 'file', promise: null, state: 'failed', error, lagSeconds: 0 }],
    };
    const { code, out } = await tidings(['sinks', url]);
    expect(code).toBe(0);
    expect(out).toBe(`SINK   TYPE   STREAM  PROMISE        STATE    ROWS  PENDING    LAG  DEAD LETTERS  BLOCKED KEYS
copy   mysql  shop    transactional  running   100        7  2.5 s             3             2
files  file   shop    -              failed    100        7  0.0 s             3             2
files: DISK_FULL: no space
  Make room.
`);
  });

  test('--json prints all that the relay says', async () => {
    answers['GET /v1/sinks'] = { body: [{ ...SINK, more: 1 }] };
    expect(JSON.parse((await tidings(['sinks', url, '--json'])).out)).toEqual([{ ...SINK, more: 1 }]);
  });
});

describe('tidings dead-letters', () => {
  const LETTERS = '/v1/sinks/copy/dead-letters';
  const COPY = ['--sink', 'copy'];
  const letter = (id: number, more: object = {}): object => ({
    id,
    target: 'copy.orders',
    reason: null,
    attempts: 1,
    parked: '2026-11-20T09:15:02.623Z',
    tried: null,
    edited: false,
    change: { op: 'update', db: 'shop', table: 'orders', scn: 1000 + id, after: { id: 1 } },
    ...more,
  });
  const reason = { code: 'SINK_ROW_REFUSED', message: 'column "note" is too short\u001b[2J', hint: 'Longer.' };

  test('list prints a line per change, and nothing of its rows', async () => {
    answers[`GET ${LETTERS}?limit=500&after=0`] = { body: [letter(7, { reason }), letter(8)] };
    const { code, out } = await tidings(['dead-letters', 'list', url, ...COPY]);
    expect(code).toBe(0);
    expect(out).not.toContain('\u001b');
    expect(out.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '))).toMatchObject([
      'ID | TABLE | OP | SCN | SET ASIDE | TRIED | REASON',
      expect.stringMatching(
        /^ ?\|? ?7 \| shop\.orders \| update \| 1007 \| 2026-11-20T09:15:02Z \| 1 \| SINK_ROW_REFUSED: column "note"/,
      ),
      expect.stringMatching(
        /8 \| shop\.orders \| update \| 1008 \| 2026-11-20T09:15:02Z \| 1 \| an earlier change of its key$/,
      ),
      '',
    ]);
  });

  test('list asks for page after page, and prints nothing when there is none', async () => {
    const page = Array.from({ length: 500 }, (_, index) => letter(index + 1));
    answers[`GET ${LETTERS}?limit=500&after=0`] = { body: page };
    answers[`GET ${LETTERS}?limit=500&after=500`] = { body: [letter(501)] };
    const { out } = await tidings(['dead-letters', 'list', url, ...COPY, '--json']);
    expect(JSON.parse(out)).toEqual([...page, letter(501)]);
    answers[`GET ${LETTERS}?limit=500&after=0`] = { body: [] };
    expect(await tidings(['dead-letters', 'list', url, ...COPY])).toEqual({ code: 0, out: '', err: '' });
  });

  test('show prints one with its rows', async () => {
    answers[`GET ${LETTERS}/7`] = { body: letter(7, { reason }) };
    expect(JSON.parse((await tidings(['dead-letters', 'show', url, '7', ...COPY])).out)).toEqual(letter(7, { reason }));
  });

  test('edit sends the columns that are named', async () => {
    answers[`PATCH ${LETTERS}/7`] = { body: letter(7, { edited: true }) };
    const args = ['--after', '{"note":"short"}', '--before', '{"id":"9"}'];
    const { code, out } = await tidings(['dead-letters', 'edit', url, '7', ...COPY, ...args]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ edited: true });
    expect(asked[0]?.body).toEqual({ after: { note: 'short' }, before: { id: '9' } });
  });

  test('edit sends, and show prints, every digit of a number', async () => {
    const row = '{"id":18446744073709551615,"price":12.50,"doc":{"n":[9007199254740993,1.0]}}';
    const shown = letter(7, { after: parseJsonDigits(row) });
    answers[`PATCH ${LETTERS}/7`] = { body: shown };
    answers[`GET ${LETTERS}/7`] = { body: shown };
    await tidings(['dead-letters', 'edit', url, '7', ...COPY, '--after', row]);
    expect(JSON.stringify(asked[0]?.body)).toBe(`{"after":${row}}`);
    const { out } = await tidings(['dead-letters', 'show', url, '7', ...COPY]);
    expect(out.replaceAll(/\s/g, '')).toContain(row);
  });

  test.each([
    [['dead-letters', 'edit', '7', '--after', '12345678901234567890'], '--after is no JSON object'],
    [['dead-letters', 'edit', '7'], 'needs --after or --before'],
    [['dead-letters', 'edit', '7', '--after', '{note:1}'], '--after is no JSON'],
    [['dead-letters', 'edit', '7', '--before', '[1]'], '--before is no JSON object'],
    [['dead-letters', 'show', 'seven'], '"seven" is no number of a dead letter'],
    [['dead-letters', 'drop', '0'], '"0" is no number of a dead letter'],
  ])('%j is refused before anything is asked', async ([group = '', name = '', ...args], message) => {
    const { code, err } = await tidings([group, name, url, ...args, ...COPY]);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(asked).toEqual([]);
  });

  test('a sink must be named', async () => {
    const { code, err } = await tidings(['dead-letters', 'list', url]);
    expect(code).toBe(2);
    expect(err).toContain('--sink');
  });

  test('redrive takes one key or all, and fails when something is left', async () => {
    answers['POST /v1/sinks/copy/redrive'] = { body: { written: 3, left: 0, refused: [] } };
    const all = await tidings(['dead-letters', 'redrive', url, ...COPY]);
    expect(all).toMatchObject({ code: 0, out: '3 written, 0 left\n' });
    answers['POST /v1/sinks/copy/redrive'] = { body: { written: 1, left: 2, refused: [8, 12] } };
    const one = await tidings(['dead-letters', 'redrive', url, '7', ...COPY]);
    expect(one).toMatchObject({ code: 1, out: '1 written, 2 left; refused again: 8, 12\n' });
    expect(asked.map(({ body }) => body)).toEqual([{}, { id: 7 }]);
  });

  test('drop forgets one', async () => {
    answers[`DELETE ${LETTERS}/7`] = { body: null };
    expect(await tidings(['dead-letters', 'drop', url, '7', ...COPY])).toEqual({ code: 0, out: '', err: '' });
    expect(asked.map(({ request }) => request)).toEqual([`DELETE ${LETTERS}/7`]);
  });

  test('no such sink: the relay says so', async () => {
    answers[`GET ${LETTERS}/7`] = { status: 404, body: problem('SINK_UNKNOWN', 'there is no sink of that name') };
    const { code, err } = await tidings(['dead-letters', 'show', url, '7', ...COPY]);
    expect(code).toBe(1);
    expect(err).toContain('SINK_UNKNOWN');
  });
});

describe('what goes wrong is said with what to do about it', () => {
  test('no relay at the address', async () => {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
    const { code, err } = await tidings(['streams', url]);
    expect(code).toBe(1);
    expect(err).toContain(`error CONNECTION_FAILED: the relay at ${url} cannot be reached`);
    expect(err).toContain('tidings run starts one');
  });

  test('no such stream: the streams that there are', async () => {
    answers['GET /v1/streams'] = { body: [STREAM] };
    const { code, err } = await tidings(['groups', url, '--stream', 'shoop']);
    expect(code).toBe(1);
    expect(err).toContain(`error STREAM_UNKNOWN: the relay at ${url} has no such stream`);
    expect(err).toContain('The streams are: shop.');
  });

  test('a missing token, and one that is sent but not shown', async () => {
    answers['GET /v1/streams'] = { status: 401, body: problem('UNAUTHORIZED', 'the token sesame is not known') };
    const { err } = await tidings(['streams', url], { env: { TIDINGS_TOKEN: 'sesame' } });
    expect(asked[0]?.authorization).toBe('Bearer sesame');
    expect(err).toContain('TIDINGS_TOKEN');
    expect(err).not.toContain('sesame');
    await tidings(['streams', url, '--token', 'other'], { env: { TIDINGS_TOKEN: 'sesame' } });
    expect(asked[1]?.authorization).toBe('Bearer other');
  });

  test('a problem of the relay, in its own words', async () => {
    answers['GET /v1/streams/shop/groups/g'] = { status: 404, body: problem('GROUP_UNKNOWN', 'no group g') };
    const { err } = await tidings(['checkpoint', 'get', url, '--stream', 'shop', '--group', 'g']);
    expect(err).toBe('error GROUP_UNKNOWN: no group g\n  The hint of the relay.\n');
  });

  test('a redirect, which no command follows', async () => {
    answers['GET /v1/streams'] = { status: 302, location: `${url}/moved/v1/streams` };
    answers['GET /moved/v1/streams'] = { body: [STREAM] };
    const { code, err } = await tidings(['streams', url], { env: { TIDINGS_TOKEN: 'sesame' } });
    expect(code).toBe(1);
    expect(err).toContain(`with status 302, and points to ${url}/moved\n  Connect to that address`);
    expect(asked.length).toBe(1);
  });

  test('an answer that is none of a relay', async () => {
    answers['GET /v1/streams'] = { body: { hello: 'world' } };
    const { code, err } = await tidings(['streams', url]);
    expect(code).toBe(1);
    expect(err).toContain('error PROTOCOL_VIOLATION');
  });
});
