import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { snapshotStatus } from '../../../test/support/memory-snapshots.ts';
import { MemoryStream } from '../../../test/support/memory-stream.ts';
import { startRelayServer, type TestServer } from '../../../test/support/relay-server.ts';
import { TidingsError } from '../../core/errors.ts';
import type { Problem } from './problem.ts';

const PATH = '/v1/streams/shop/snapshots';

let shop: MemoryStream;
let server: TestServer;

beforeAll(async () => {
  server = await startRelayServer([]);
});

afterAll(() => server[Symbol.asyncDispose]());

beforeEach(() => {
  shop = new MemoryStream('shop');
  server.streams.clear();
  server.streams.set('shop', shop);
});

async function problem(response: Promise<Response>): Promise<Problem> {
  const answer = await response;
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const body = (await answer.json()) as Problem;
  expect(body.status).toBe(answer.status);
  return body;
}

const failure = { code: 'SNAPSHOT_KEY_MISSING', message: 'no key', hint: 'Give it one.' } as const;

const reading = snapshotStatus({
  id: 3,
  spec: {
    tables: ['shop.*'],
    where: 'id > 5',
    group: null,
    truncate: false,
    reason: 'request',
    limits: { parallel: 4, hours: '22:00-05:30' },
  },
  rows: 500,
  estimate: 2000,
  percent: 25,
  rowsPerSecond: 123.456,
  secondsLeft: 12.1,
  waitsFor: 'replica',
  waitsBecause: 'db2:3306 is 37 s behind',
  tables: [
    { database: 'shop', table: 'lines', state: 'failed', rows: 0, estimate: 10, error: failure },
    { database: 'shop', table: 'orders', state: 'reading', rows: 500, estimate: 2000, error: null },
    { database: 'shop', table: 'users', state: 'waiting', rows: 0, estimate: 0, error: null },
  ],
});

describe('reading', () => {
  test('one snapshot is told with its request, how far it is, and each table', async () => {
    shop.snapshots.snapshotList = [reading];
    const answer = await server.get(`${PATH}/3`);
    expect([answer.status, await answer.json()]).toEqual([
      200,
      {
        id: 3,
        state: 'running',
        reason: 'request',
        patterns: ['shop.*'],
        where: 'id > 5',
        keyCount: null,
        group: null,
        reader: null,
        truncate: false,
        limits: {
          parallel: 4,
          rowsPerSecond: null,
          threadsRunning: null,
          replicaLagSeconds: null,
          hours: '22:00-05:30',
        },
        created: '2026-11-20T09:00:00.000Z',
        ended: null,
        error: null,
        rows: 500,
        estimate: 2000,
        percent: 25,
        rowsPerSecond: 123,
        secondsLeft: 13,
        waitsFor: 'replica',
        waitsBecause: 'db2:3306 is 37 s behind',
        tableCount: 3,
        tablesLeft: 2,
        tables: reading.tables,
      },
    ]);
  });

  test('the list has all of them in order, without their tables', async () => {
    const over = { state: 'failed', endedMs: Date.UTC(2026, 10, 20, 10), error: failure } as const;
    shop.snapshots.snapshotList = [snapshotStatus({ id: 2, ...over }), reading];
    const list = (await (await server.get(PATH)).json()) as object[];
    expect(list).toMatchObject([
      { id: 2, state: 'failed', ended: '2026-11-20T10:00:00.000Z', error: failure, estimate: null, percent: null },
      { id: 3, patterns: ['shop.*'], tableCount: 3 },
    ]);
    for (const each of list) expect(each).not.toHaveProperty('tables');
  });
});

describe('starting', () => {
  test('without a body it is one of everything, and the answer says where to find it', async () => {
    const answer = await server.send('POST', PATH);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe(`${PATH}/1`);
    expect(await answer.json()).toMatchObject({ id: 1, state: 'running', patterns: null, where: null, tables: [] });
    expect(shop.calls).toEqual([{ name: 'startSnapshot', args: [{}] }]);
  });

  test.each([
    [{ tables: ['shop.orders', '/^crm[.]/', '`a.b`.*'], where: "status = 'new'" }],
    [{ truncate: true, limits: { parallel: 16, rowsPerSecond: 1, threadsRunning: 8, hours: '0:00-24:00' } }],
    [{ limits: { replicaLagSeconds: 30 } }],
    [{ tables: Array.from({ length: 1000 }, (_, index) => `shop.t${index}`), where: 'x'.repeat(4096) }],
    [{ truncate: false, where: '1', limits: {} }],
  ])('what is asked for reaches the stream: %j', async (body) => {
    expect((await server.send('POST', PATH, body)).status).toBe(201);
    expect(shop.calls).toEqual([{ name: 'startSnapshot', args: [body] }]);
  });

  test('keys reach the stream with all their digits', async () => {
    const keys = '[7,18446744073709551615,-9223372036854775808,"a\\n",[1.5,9007199254740993]]';
    const answer = await fetch(`${server.url}${PATH}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"tables":["shop.orders"],"keys":${keys}}`,
    });
    expect(answer.status).toBe(201);
    expect(await answer.json()).toMatchObject({ patterns: ['shop.orders'], keyCount: 5 });
    const exact = [7, 18_446_744_073_709_551_615n, -9_223_372_036_854_775_808n, 'a\n', [1.5, 9_007_199_254_740_993n]];
    expect(shop.calls).toEqual([{ name: 'startSnapshot', args: [{ tables: ['shop.orders'], keys: exact }] }]);
  });

  test.each([
    [{ table: ['a.b'] }, 'table'],
    [{ tables: 'a.b' }, 'tables'],
    [{ tables: null }, 'tables'],
    [{ tables: [] }, 'tables'],
    [{ tables: Array.from({ length: 1001 }, () => 'a.b') }, 'tables'],
    [{ tables: ['a.b', 5] }, 'tables.1'],
    [{ tables: ['a.b', ''] }, 'tables.1'],
    [{ tables: ['a.b', 'a.b.c'] }, 'tables.1'],
    [{ tables: ['/(/'] }, 'tables.0'],
    [{ tables: ['x'.repeat(1001)] }, 'tables.0'],
    [{ where: '' }, 'where'],
    [{ where: ' \n' }, 'where'],
    [{ where: 'x'.repeat(4097) }, 'where'],
    [{ where: 5 }, 'where'],
    [{ keys: [] }, 'keys'],
    [{ keys: null }, 'keys'],
    [{ keys: 7 }, 'keys'],
    [{ keys: [7, null] }, 'keys.1'],
    [{ keys: [true] }, 'keys.0'],
    [{ keys: [{ id: 7 }] }, 'keys.0'],
    [{ keys: [7, []] }, 'keys.1'],
    [{ keys: [[7, null]] }, 'keys.0.1'],
    [{ keys: [[7, [8]]] }, 'keys.0.1'],
    [{ keys: Array.from({ length: 10_001 }, (_, index) => index) }, 'keys'],
    [{ truncate: 'yes' }, 'truncate'],
    [{ truncate: true, where: '1' }, 'truncate'],
    [{ limits: 5 }, 'limits'],
    [{ limits: { speed: 5 } }, 'limits.speed'],
    [{ limits: { parallel: 0 } }, 'limits.parallel'],
    [{ limits: { parallel: 17 } }, 'limits.parallel'],
    [{ limits: { parallel: 1.5 } }, 'limits.parallel'],
    [{ limits: { parallel: '2' } }, 'limits.parallel'],
    [{ limits: { rowsPerSecond: 0 } }, 'limits.rowsPerSecond'],
    [{ limits: { rowsPerSecond: 1e10 } }, 'limits.rowsPerSecond'],
    [{ limits: { rowsPerSecond: null } }, 'limits.rowsPerSecond'],
    [{ limits: { threadsRunning: 0 } }, 'limits.threadsRunning'],
    [{ limits: { threadsRunning: 100_001 } }, 'limits.threadsRunning'],
    [{ limits: { replicaLagSeconds: 0 } }, 'limits.replicaLagSeconds'],
    [{ limits: { replicaLagSeconds: 1_000_001 } }, 'limits.replicaLagSeconds'],
    [{ limits: { replica: { url: 'mysql://u:secret@h' } } }, 'limits.replica'],
    [{ limits: { hours: 5 } }, 'limits.hours'],
    [{ limits: { hours: 'at night' } }, 'limits.hours'],
    [{ limits: { hours: '22:00-22:00' } }, 'limits.hours'],
    [{ limits: { hours: '22:60-23:00' } }, 'limits.hours'],
    [{ limits: { hours: '05:30-25:00' } }, 'limits.hours'],
    [{ limits: { hours: `22:00-05:30${' '.repeat(20)}` } }, 'limits.hours'],
    [[], 'body'],
  ])('what cannot be asked for is refused with the field that is wrong: %j', async (body, field) => {
    const answer = await problem(server.send('POST', PATH, body));
    expect(answer).toMatchObject({ status: 400, code: 'REQUEST_INVALID', field });
    expect(answer.detail).toMatch(/\w/);
    expect(shop.calls).toEqual([]);
  });

  test.each([
    ['SNAPSHOT_UNSUPPORTED', 409],
    ['SNAPSHOT_INVALID', 409],
    ['SNAPSHOT_KEYS_INVALID', 400],
    ['CONFIG_INVALID', 400],
    ['STATE_DAMAGED', 500],
  ] as const)('when the stream refuses with %s the status is %d', async (code, status) => {
    shop.snapshots.failure = new TidingsError(code, 'it cannot be');
    expect(await problem(server.send('POST', PATH, {}))).toMatchObject({ code, status, detail: 'it cannot be' });
  });
});

describe('pause, resume and cancel', () => {
  test('reach the snapshot, and answer with it as it is then', async () => {
    shop.snapshots.snapshotList = [reading];
    for (const [action, state] of [
      ['pause', 'paused'],
      ['resume', 'running'],
      ['cancel', 'cancelled'],
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const answer = await server.send('POST', `${PATH}/3/${action}`);
      // oxlint-disable-next-line no-await-in-loop
      expect([answer.status, await answer.json()]).toMatchObject([200, { id: 3, state }]);
    }
    expect(shop.calls).toEqual([
      { name: 'pauseSnapshot', args: [3] },
      { name: 'resumeSnapshot', args: [3] },
      { name: 'cancelSnapshot', args: [3] },
    ]);
  });

  test.each(['pause', 'resume', 'cancel'])('%s of one that is over is 409', async (action) => {
    shop.snapshots.snapshotList = [{ ...reading, state: 'done' }];
    expect(await problem(server.send('POST', `${PATH}/3/${action}`))).toMatchObject({
      status: 409,
      code: 'SNAPSHOT_INVALID',
      detail: 'snapshot 3 is over: done',
    });
  });
});

describe('what there is not', () => {
  const requests = [
    ['GET', `${PATH}/4`],
    ['POST', `${PATH}/4/pause`],
    ['POST', `${PATH}/4/resume`],
    ['POST', `${PATH}/4/cancel`],
    ['GET', `${PATH}/999999999999999`],
  ] as const;

  test.each(requests)('%s %s is 404 and names the field', async (method, path) => {
    shop.snapshots.snapshotList = [reading];
    const expected = { status: 404, code: 'SNAPSHOT_UNKNOWN', field: 'id' };
    expect(await problem(server.send(method, path))).toMatchObject(expected);
  });

  test.each(['0', '-1', '1.5', 'last', '1000000000000000', '03'])('the number %s is none', async (id) => {
    for (const [method, path] of [
      ['GET', `${PATH}/${id}`],
      ['POST', `${PATH}/${id}/cancel`],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await problem(server.send(method, path))).toMatchObject({ status: 400, field: 'id' });
    }
    expect(shop.calls).toEqual([]);
  });

  test('a stream that there is not is said to be the one', async () => {
    for (const [method, path] of [
      ['GET', PATH],
      ['POST', PATH],
      ['GET', `${PATH}/1`],
      ['POST', `${PATH}/1/pause`],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await problem(server.send(method, path.replace('shop', 'nope')))).toMatchObject({
        status: 404,
        code: 'STREAM_UNKNOWN',
      });
    }
  });
});
