import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { column, part, rowBatch, table } from '../../../test/support/changes.ts';
import { MemoryStream } from '../../../test/support/memory-stream.ts';
import { startRelayServer, type TestServer, until } from '../../../test/support/relay-server.ts';
import { TidingsError } from '../../core/errors.ts';
import type { GroupStatus } from '../relay-api.ts';
import type { Problem } from './problem.ts';

const orders = table('shop.orders', [column('id', 'int', { nullable: false }), column('status', 'varchar')]);
const MEMBER = '/v1/streams/shop/groups/search/members/m%201';

let shop: MemoryStream;
let server: TestServer;
let nowMs = (): number => Date.now();

beforeAll(async () => {
  server = await startRelayServer([], { clock: { nowMs: () => nowMs(), sleep: () => Promise.resolve() } });
});

afterAll(() => server[Symbol.asyncDispose]());

const group: GroupStatus = {
  group: 'search',
  paused: false,
  epoch: 4,
  members: [{ member: 'm 1', joinedMs: 1000, heardMs: 2000, partitions: [0], revoking: [] }],
  partitions: [
    { partition: 0, member: 'm 1', checkpoint: 1001, committedMs: 3000 },
    { partition: 1, member: null, checkpoint: 1002, committedMs: null },
  ],
};

beforeEach(() => {
  shop = new MemoryStream('shop');
  server.streams.clear();
  server.streams.set('shop', shop);
  server.log.lines.length = 0;
  nowMs = (): number => Date.now();
  for (const id of [1, 2, 3]) shop.log.put([part([rowBatch(orders, 'insert', { after: [{ id, status: 'new' }] })])]);
  shop.groupList = [group];
});

async function problem(response: Promise<Response>): Promise<Problem> {
  const answer = await response;
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const body = (await answer.json()) as Problem;
  expect(body.status).toBe(answer.status);
  return body;
}

/** What comes until the server ends the connection. */
function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1');
    socket.setEncoding('utf8').on('data', (piece: string) => (answer += piece));
    socket.on('error', () => {}).once('close', () => resolve(answer));
    socket.write(text);
  });
}

describe('streams', () => {
  test('the list and one stream say what can be read and how the source is', async () => {
    server.streams.set('empty', new MemoryStream('empty'));
    const list = (await (await server.get('/v1/streams')).json()) as object[];
    expect(list).toMatchObject([
      { name: 'shop', state: 'running', first: 1001, last: 1003, firstCommit: '2026-11-20T09:15:02.123456Z' },
      { name: 'empty', first: null, last: null, firstCommit: null, lastCommit: null },
    ]);
    const one = await (await server.get('/v1/streams/shop')).json();
    expect(one).toMatchObject({ partitions: 16, position: 'mysql-bin.000003:484', groups: ['search'], changes: 3 });
  });

  test('a failure of the source is told with its remedy', async () => {
    const details = { file: 'binlog.000007' };
    const error = {
      code: 'BINLOG_PURGED',
      message: 'gone',
      hint: 'do it',
      retry: 'operator',
      details,
      sinceMs: 0,
    } as const;
    shop.state = { state: 'failed', error };
    expect(await (await server.get('/v1/streams/shop')).json()).toMatchObject({
      state: 'failed',
      error: { code: 'BINLOG_PURGED', message: 'gone', hint: 'do it', details, since: '1970-01-01T00:00:00.000Z' },
    });
  });

  test('pause and resume reach the stream', async () => {
    expect((await server.send('POST', '/v1/streams/shop/pause')).status).toBe(200);
    expect((await server.send('POST', '/v1/streams/shop/resume')).status).toBe(200);
    expect(shop.calls.map(({ name }) => name)).toEqual(['pause', 'resume']);
  });

  test('schemas are the latest tables with their Avro schemas, or the shape that a batch refers to', async () => {
    const { tables } = (await (await server.get('/v1/streams/shop/schemas')).json()) as { tables: object[] };
    expect(tables).toMatchObject([{ database: 'shop', name: 'orders', key: [0], avro: { type: 'record' } }]);
    const fingerprint = shop.log.stored[0]?.shapes[0]?.fingerprint ?? '';
    const shape = await (await server.get(`/v1/streams/shop/schemas?fingerprint=${fingerprint}`)).json();
    expect(shape).toMatchObject({ fingerprint, shape: { before: null, after: [0, 1] }, avro: { name: 'Change' } });
    const unknown = await problem(server.get('/v1/streams/shop/schemas?fingerprint=0123456789abcdef'));
    expect(unknown).toMatchObject({ status: 400, field: 'fingerprint' });
  });
});

describe('groups', () => {
  test('a group is told with members, checkpoints and its lag', async () => {
    nowMs = (): number => 1_795_166_103_000;
    const answer = await (await server.get('/v1/streams/shop/groups/search')).json();
    const length = shop.log.stored[0]?.bytes.length ?? 0;
    expect(answer).toMatchObject({
      group: 'search',
      checkpoint: 1001,
      lag: { changes: 2, bytes: 2 * length },
      members: [{ member: 'm 1', joined: '1970-01-01T00:00:01.000Z', partitions: [0] }],
      partitions: [
        { partition: 0, member: 'm 1', checkpoint: 1001 },
        { member: null, committed: null },
      ],
    });
    expect(await (await server.get('/v1/streams/shop/groups')).json()).toEqual([answer]);
  });

  test('the lag in seconds is the age of the oldest change that is still to do', async () => {
    nowMs = (): number => 1_795_166_102_123.456 + 5000;
    const { lag } = (await (await server.get('/v1/streams/shop/groups/search')).json()) as { lag: { seconds: number } };
    expect(lag.seconds).toBeCloseTo(5, 3);
  });

  test('a checkpoint is reset to an SCN, a time or a place, of all partitions or of some', async () => {
    const path = '/v1/streams/shop/groups/search/checkpoint';
    expect((await server.send('PUT', path, { to: 1002 })).status).toBe(200);
    expect((await server.send('PUT', path, { to: 'latest', partitions: [3, 4] })).status).toBe(200);
    expect((await server.send('PUT', path, { to: '2026-11-20T09:15:02+01:00' })).status).toBe(200);
    const calls = shop.calls.filter(({ name }) => name === 'reset').map(({ args }) => args);
    expect(calls).toEqual([
      ['search', 1002, undefined],
      ['search', 1003, [3, 4]],
      ['search', 1000, undefined],
    ]);
    expect(shop.calls.at(-2)?.args).toEqual([new Date('2026-11-20T08:15:02Z')]);
  });

  test('pause, resume and removal reach the group', async () => {
    await server.send('POST', '/v1/streams/shop/groups/search/pause');
    await server.send('POST', '/v1/streams/shop/groups/search/resume');
    expect((await server.send('DELETE', '/v1/streams/shop/groups/search')).status).toBe(204);
    expect(shop.calls).toEqual([
      { name: 'pause', args: ['search'] },
      { name: 'resume', args: ['search'] },
      { name: 'remove', args: ['search'] },
    ]);
  });
});

test('what the schema of an answer does not name is never sent', async () => {
  const { join } = shop.transport;
  Object.assign(shop.transport, {
    join: async (...given: Parameters<typeof join>) => ({
      ...(await join.apply(shop.transport, given)),
      secret: 'hunter2',
    }),
  });
  try {
    for (let time = 0; time < 2; time++) {
      const answer = await (await server.send('PUT', MEMBER)).text();
      expect(JSON.parse(answer)).toMatchObject({ epoch: 3 });
      expect(answer).not.toContain('secret');
    }
  } finally {
    Object.assign(shop.transport, { join });
  }
});

describe('members', () => {
  test('join, heartbeat, commit and leave hand over what the member said and answer what the group decides', async () => {
    const joined = await server.send('PUT', MEMBER, { from: 'earliest', sessionTimeoutMs: 5000 });
    expect(await joined.json()).toMatchObject({ epoch: 3, partitions: [{ partition: 2, checkpoint: 1000 }] });
    expect((await server.send('PUT', MEMBER)).status).toBe(200);
    await server.send('PUT', MEMBER, { from: 'pos:mysql-bin.000003:4' });
    await server.send('POST', `${MEMBER}/heartbeat`, { epoch: 3, released: [5] });
    const commit = { epoch: 3, checkpoints: [{ partitions: [2, 7], scn: 1003 }] };
    expect(await (await server.send('POST', `${MEMBER}/commit`, commit)).json()).toEqual({ fenced: [7] });
    expect((await server.send('DELETE', `${MEMBER}?epoch=3`)).status).toBe(204);
    const member = { group: 'search', member: 'm 1' };
    expect(shop.calls).toEqual([
      { name: 'join', args: [member, { from: 'earliest', sessionTimeoutMs: 5000 }] },
      { name: 'join', args: [member, {}] },
      { name: 'seek', args: [{ position: 'mysql-bin.000003:4' }] },
      { name: 'join', args: [member, { from: 1000 }] },
      { name: 'heartbeat', args: [member, { epoch: 3, released: [5] }] },
      { name: 'commit', args: [member, commit] },
      { name: 'leave', args: [member, 3] },
    ]);
  });
});

describe('what is refused', () => {
  const changes = '/v1/streams/shop/changes';

  test.each([
    ['an unknown parameter', `${changes}?form=1`, 'form'],
    ['a parameter of another request', '/v1/streams?from=1', 'from'],
    ['a place that is none', `${changes}?from=yesterday`, 'from'],
    ['a time without a zone', `${changes}?from=2026-11-20T09:15:02`, 'from'],
    ['a day that the month does not have', `${changes}?from=2026-02-30T09:15:02Z`, 'from'],
    ['a value that cannot be decoded', `${changes}?limit=1&tables=%ff`, 'tables'],
    ['a value with half an escape', `${changes}?where=shop.orders:status+like+'9%'`, 'where'],
    ['a name that cannot be decoded', `${changes}?%zz=1`, 'query'],
    ['a path that cannot be decoded', '/v1/streams/%ff', 'path'],
    ['a parameter given twice', `${changes}?from=1&from=2`, 'from'],
    ['a limit of nothing', `${changes}?limit=0`, 'limit'],
    ['a limit beyond the greatest', `${changes}?limit=1000001`, 'limit'],
    ['a wait that is too long', `${changes}?wait=301`, 'wait'],
    ['a wait in another unit', `${changes}?wait=5m`, 'wait'],
    ['follow that is neither true nor false', `${changes}?follow=1`, 'follow'],
    ['an unknown operation', `${changes}?ops=insert,replace`, 'ops'],
    ['an empty table pattern', `${changes}?tables=shop.orders,`, 'tables'],
    ['a partition that the stream does not have', `${changes}?partitions=0-3,16`, 'partitions'],
    ['partitions that go backwards', `${changes}?partitions=5-3`, 'partitions'],
    ['columns without a table', `${changes}?columns=id`, 'columns'],
    ['a condition without a table', `${changes}?where=:id=1`, 'where'],
    ['two conditions for one pattern', `${changes}?where=a.b:x=1&where=a.b:y=1`, 'where'],
    ['an unknown form of JSON columns', `${changes}?json=bson`, 'json'],
    ['a value that is too long', `${changes}?tables=${'x'.repeat(8193)}`, 'tables.0'],
    ['a name that is too long', `/v1/streams/${'x'.repeat(201)}`, 'stream'],
  ])('%s is answered with the parameter that is wrong', async (_what, path, field) => {
    expect(await problem(server.get(path))).toMatchObject({ status: 400, code: 'REQUEST_INVALID', field });
  });

  test.each([
    ['a field that there is not', 'PUT', MEMBER, { form: 1 }, 'form'],
    ['a field of the wrong type', 'PUT', MEMBER, { sessionTimeoutMs: '5' }, 'sessionTimeoutMs'],
    ['a field that is missing', 'POST', `${MEMBER}/heartbeat`, { epoch: 1 }, 'released'],
    ['nothing that says which process leaves', 'DELETE', MEMBER, undefined, 'epoch'],
    [
      'a wrong value inside',
      'POST',
      `${MEMBER}/commit`,
      { epoch: 1, checkpoints: [{ partitions: [-1], scn: 1 }] },
      'checkpoints.0.partitions.0',
    ],
    ['an SCN that no number holds', 'PUT', '/v1/streams/shop/groups/g/checkpoint', { to: 2 ** 60 }, 'to'],
    [
      'a partition that the stream does not have',
      'PUT',
      '/v1/streams/shop/groups/g/checkpoint',
      { to: 1, partitions: [16] },
      'partitions',
    ],
    ['no place at all', 'PUT', '/v1/streams/shop/groups/g/checkpoint', {}, 'to'],
    ['a session that is too short', 'PUT', MEMBER, { sessionTimeoutMs: 999 }, 'sessionTimeoutMs'],
    ['no JSON', 'PUT', MEMBER, '{"from": secret', 'body'],
    ['no object', 'PUT', MEMBER, 'null', 'body'],
    ['a field twice', 'PUT', MEMBER, '{"from":"earliest","from":"latest"}', 'body'],
    [
      'a field twice further in',
      'POST',
      `${MEMBER}/commit`,
      '{"epoch":1,"checkpoints":[{"scn":1,"s\\u0063n":2}]}',
      'body',
    ],
    ['a field where none belongs', 'POST', '/v1/streams/shop/pause', { until: 'secret' }, 'until'],
    ['a list where nothing belongs', 'POST', '/v1/streams/shop/pause', ['secret'], 'body'],
    ['a field for a deletion', 'DELETE', `${MEMBER}?epoch=1`, { epoch: 1 }, 'epoch'],
  ])('a body with %s is answered with the place that is wrong', async (_what, method, path, body, field) => {
    const answer = await problem(server.send(method, path, body));
    expect(answer).toMatchObject({ status: 400, code: 'REQUEST_INVALID' });
    expect(answer.field ?? 'none').toBe(field);
    // Not what was sent (I10).
    expect(JSON.stringify(answer)).not.toContain('secret');
  });

  test('the names that are allowed are told', async () => {
    const { hint } = await problem(server.get('/v1/streams/shop/changes?form=1'));
    expect(hint).toContain('from, tables, ops, columns, where, partitions, reader, limit, wait, follow, json');
  });

  test('what there is not is 404, what is no longer kept 410, what is not there yet 409', async () => {
    expect(await problem(server.get('/v1/streams/nope'))).toMatchObject({ status: 404, code: 'STREAM_UNKNOWN' });
    expect(await problem(server.get('/v1/nothing'))).toMatchObject({ status: 404, code: 'REQUEST_INVALID' });
    expect(await problem(server.get('/v1/streams/shop/groups/nope'))).toMatchObject({
      code: 'GROUP_UNKNOWN',
      status: 404,
    });
    const place = { field: 'from' };
    expect(await problem(server.get(`${changes}?from=1`))).toMatchObject({
      ...place,
      status: 410,
      code: 'SCN_PURGED',
    });
    expect(await problem(server.get(`${changes}?from=9999`))).toMatchObject({
      ...place,
      status: 409,
      code: 'SCN_UNKNOWN',
    });
    const gone = '/v1/streams/shop/groups/search/members/gone/changes';
    expect(await problem(server.get(gone))).toMatchObject({ status: 404, code: 'GROUP_MEMBER_UNKNOWN' });
  });

  test.each([
    ['PATCH', '/v1/streams/shop', 'GET'],
    ['DELETE', '/v1/streams?x=1', 'GET'],
    ['GET', '/v1/streams/shop/pause', 'POST'],
    ['POST', MEMBER, 'PUT, DELETE'],
    ['POST', '/livez', 'GET, HEAD'],
  ])('%s %s is 405, and the answer names the methods that there are', async (method, path, allowed) => {
    const answer = await server.send(method, path, method === 'GET' ? undefined : 'no JSON');
    expect(answer.headers.get('allow')).toBe(allowed);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(await answer.json()).toMatchObject({ status: 405, code: 'REQUEST_INVALID' });
  });

  test('who only asks what there is gets 404 where there is nothing', async () => {
    for (const [method, path] of [
      ['OPTIONS', '/v1/streams'],
      ['HEAD', '/v1/streams'],
      ['POST', '/v1/streams/'],
      ['POST', '/v1/streams//pause/'],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const answer = await server.send(method, path);
      expect([method, path, answer.status, answer.headers.get('allow')]).toEqual([method, path, 404, null]);
    }
  });

  test('a media type that there is not is 406, for batches parameters of lines are refused', async () => {
    const xml = { accept: 'application/xml' };
    expect(await problem(server.get(changes, xml))).toMatchObject({ status: 406, field: 'Accept' });
    const binary = { accept: 'application/vnd.tidings.batches' };
    expect(await problem(server.get(`${changes}?limit=5`, binary))).toMatchObject({ field: 'limit' });
    expect(await problem(server.get(`${changes}?json=text`, binary))).toMatchObject({ field: 'json' });
  });

  test('a body beyond 1 MiB is refused, and one of another type than JSON', async () => {
    const body = JSON.stringify({ from: 'x'.repeat(1024 * 1024) });
    expect(await problem(server.send('PUT', MEMBER, body))).toMatchObject({ status: 413, field: 'body' });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', '/////']) {
      const sent = server.send('PUT', MEMBER, '{}', { 'content-type': type });
      expect(await problem(sent)).toMatchObject({ status: 415, field: 'Content-Type' });
    }
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await server.send('POST', '/v1/streams/shop/pause', '', form)).status).toBe(200);
  });

  test('a page of another origin cannot make a browser do something, and everybody else can', async () => {
    const pause = (headers: Record<string, string>): Promise<Response> =>
      server.send('POST', '/v1/streams/shop/pause', undefined, headers);
    const foreign = [
      { 'sec-fetch-site': 'cross-site', origin: 'http://evil.example' },
      { 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:3000' },
      { origin: 'http://evil.example' },
      { origin: 'null' },
    ];
    for (const refused of await Promise.all(foreign.map((headers) => problem(pause(headers))))) {
      expect(refused).toMatchObject({ status: 403, field: 'Origin' });
    }
    expect(shop.calls).toEqual([]);
    const own = [{}, { origin: server.url }, { 'sec-fetch-site': 'same-origin', origin: 'https://relay.example' }];
    const taken = await Promise.all(own.map((headers) => pause(headers)));
    expect(taken.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await server.get('/v1/streams', { 'sec-fetch-site': 'cross-site' })).status).toBe(200);
  });

  test('a name that is too long for any path is 414', async () => {
    expect(await problem(server.get(`/v1/streams/${'x'.repeat(700)}`))).toMatchObject({ status: 414 });
  });

  test.each([
    ['what is no HTTP', 'HELLO\r\n\r\n', 400, undefined],
    ['a method that there is not', 'FROB /livez HTTP/1.1\r\nHost: x\r\n\r\n', 400, undefined],
    ['a head that is too long', `GET /livez HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431, undefined],
    ['a request without a host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'Host'],
    [
      'an expectation that nobody can meet',
      'GET /livez HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nConnection: close\r\n\r\n',
      417,
      'Expect',
    ],
  ])('%s is answered with a problem, too', async (_what, text, status, field) => {
    const answer = await sendRaw(server.port, text);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toMatch(/content-type: application\/problem\+json/i);
    const told = JSON.parse(/\{.*\}/s.exec(body)?.[0] ?? '') as Problem;
    expect(told).toMatchObject({ status, code: 'REQUEST_INVALID' });
    expect(told.field).toBe(field);
  });

  test('what is no HTTP behind a request that is being answered does not get into its answer', async () => {
    const request = `GET ${changes}?follow=true HTTP/1.1\r\nHost: x\r\n\r\n`;
    const socket = connect(server.port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(request);
    await until(() => answer.includes('"scn":1003'));
    socket.write('HELLO\r\n\r\n');
    await closed;
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test('a failure of the relay is told without its inside, and logged with it', async () => {
    shop.status = () => {
      throw new Error('secret place');
    };
    const answer = await problem(server.get('/v1/streams/shop'));
    expect(answer).toMatchObject({ status: 500, code: 'INTERNAL_ERROR' });
    expect(JSON.stringify(answer)).not.toMatch(/secret|\.ts|stack/);
    expect(server.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });
});

describe('health', () => {
  test('the process is alive whatever its streams are', async () => {
    shop.state = { state: 'failed' };
    const answer = await server.get('/livez');
    expect([answer.status, await answer.json()]).toEqual([200, { version: '1.2.3' }]);
  });

  test('checks that look at the status only may ask with HEAD', async () => {
    expect((await server.send('HEAD', '/livez')).status).toBe(200);
    expect((await server.send('HEAD', '/readyz')).status).toBe(200);
    shop.state = { state: 'failed' };
    const answer = await server.send('HEAD', '/readyz');
    expect([answer.status, await answer.text()]).toEqual([503, '']);
  });

  const failure = {
    code: 'ACCESS_DENIED',
    message: 'no',
    hint: '',
    retry: 'operator',
    details: {},
    sinceMs: 0,
  } as const;
  test.each([
    ['failed', { state: 'failed', error: failure }, 'ACCESS_DENIED'],
    ['waiting', { state: 'waiting', error: { ...failure, code: 'CONNECTION_FAILED' } }, 'CONNECTION_FAILED'],
    ['stalled', { state: 'stalled', stall: { reason: 'disk-full', sinceMs: 0, message: 'no room' } }, 'STALLED'],
    ['starting', { state: 'starting', heardMs: null }, 'STARTING'],
    ['silent', { state: 'running', heardMs: Date.now() - 61_000 }, 'SILENT'],
    ['closed', { state: 'closed' }, 'CLOSED'],
  ] as const)('a stream that is %s makes the relay not ready, and the answer says so', async (_name, state, code) => {
    shop.state = state;
    server.streams.set('fine', new MemoryStream('fine'));
    const answer = await server.get('/readyz');
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ ready: false, reasons: [{ stream: 'shop', code }] });
  });

  test('streams that run or were paused make it ready', async () => {
    shop.state = { state: 'paused', heardMs: null };
    server.streams.set('fine', new MemoryStream('fine'));
    const answer = await server.get('/readyz');
    expect([answer.status, await answer.json()]).toEqual([200, { ready: true, reasons: [] }]);
  });
});

describe('limits of connections', () => {
  test('more connections than the limit are refused, and others go on', async () => {
    await using narrow = await startRelayServer([shop], { http: { connectionsMax: 2 } });
    const sockets = [connect(narrow.port, '127.0.0.1'), connect(narrow.port, '127.0.0.1')];
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const third = connect(narrow.port, '127.0.0.1');
    let refused = false;
    third.once('close', () => (refused = true)).on('error', () => {});
    await until(() => refused);
    const answer = new Promise<string>((resolve) => sockets[0]?.once('data', (bytes) => resolve(bytes.toString())));
    sockets[0]?.write('GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n');
    expect(await answer).toContain('200 OK');
    for (const socket of sockets) socket.destroy();
  });

  test('they are counted together when the host is a name', async () => {
    await using named = await startRelayServer([shop], { http: { host: 'localhost', connectionsMax: 1 } });
    expect(named.url).toBe(`http://localhost:${named.port}`);
    const addresses = await lookup('localhost', { all: true, order: 'ipv4first' });
    const sockets = addresses.flatMap(({ address }) => [connect(named.port, address), connect(named.port, address)]);
    const ended = sockets.map(
      (socket) => new Promise((resolve) => socket.on('error', () => {}).once('close', resolve)),
    );
    await Promise.all(ended.toSpliced(0, 1));
    expect(sockets.map(({ readyState }) => readyState).filter((state) => state === 'open')).toHaveLength(1);
    sockets[0]?.destroy();
  });

  test('an address that is in use is a clear error', async () => {
    const second = startRelayServer([shop], { http: { port: server.port } });
    await expect(second).rejects.toThrow(TidingsError);
    await expect(second).rejects.toMatchObject({ code: 'CONFIG_INVALID', details: { reason: 'EADDRINUSE' } });
  });
});
