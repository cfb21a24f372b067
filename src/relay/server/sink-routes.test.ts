import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { column, table } from '../../../test/support/changes.ts';
import { changeOf } from '../../../test/support/mapped.ts';
import { deadLetter, MemorySink, sinkService } from '../../../test/support/memory-sinks.ts';
import { startRelayServer, type TestServer } from '../../../test/support/relay-server.ts';
import type { Row } from '../../core/change.ts';
import { TidingsError } from '../../core/errors.ts';
import type { Problem } from './problem.ts';

const everything = table('shop.things', [
  column('id', 'bigint', { nullable: false, unsigned: true }),
  column('tiny', 'tinyint'),
  column('year', 'year'),
  column('bits', 'bit', { length: 64 }),
  column('price', 'decimal'),
  column('ratio', 'float'),
  column('exact', 'double'),
  column('day', 'date'),
  column('at', 'datetime'),
  column('note', 'varchar'),
  column('kind', 'enum', { members: ['a', 'b'] }),
  column('bytes', 'blob'),
  column('doc', 'json'),
  column('place', 'geometry'),
  column('vec', 'vector', { length: 2 }),
  column('uid', 'uuid'),
  column('fixed', 'varchar', { nullable: false }),
]);
const ROW: Row = { id: 18_446_744_073_709_551_615n, note: 'long', price: '9.90', fixed: 'x' };

const copy = new MemorySink({ name: 'copy' });
const broken = new MemorySink({
  name: 'broken',
  type: 'file',
  promise: null,
  state: 'failed',
  error: { code: 'DISK_FULL', message: 'no space', hint: 'Make room.', retry: 'operator', sinceMs: 1_795_166_103_000 },
});
let server: TestServer;

beforeAll(async () => {
  server = await startRelayServer([], { sinks: sinkService(copy, broken) });
});

beforeEach(() => {
  copy.current = new MemorySink({
    name: 'copy',
    rows: 10,
    batches: 2,
    pending: 3,
    lagMs: 1500,
    writtenUs: 1_795_166_102_123_456,
    parked: 4,
    parkedKeys: 2,
  }).current;
  copy.letters = [7, 8, 9].map((id) =>
    deadLetter({ id, change: changeOf(everything, { after: ROW, scn: 1000 + id }) }),
  );
  copy.redriven.length = 0;
});

afterAll(() => server[Symbol.asyncDispose]());

async function problemOf(response: Response): Promise<Partial<Problem>> {
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  return (await response.json()) as Problem;
}

describe('sinks', () => {
  const body = {
    name: 'copy',
    type: 'mysql',
    stream: 'shop',
    order: 'key',
    promise: 'transactional',
    state: 'running',
    error: null,
    rows: 10,
    batches: 2,
    pending: 3,
    lagSeconds: 1.5,
    written: '2026-11-20T09:15:02.123Z',
    deadLetters: 4,
    blockedKeys: 2,
  };

  test('are listed, each with what is wrong with it', async () => {
    const list = (await (await server.get('/v1/sinks')).json()) as unknown[];
    expect(list[0]).toEqual(body);
    expect(list[1]).toMatchObject({
      name: 'broken',
      promise: null,
      state: 'failed',
      error: { code: 'DISK_FULL', message: 'no space', hint: 'Make room.', since: '2026-11-20T09:15:03.000Z' },
      written: null,
    });
    expect(await (await server.get('/v1/sinks/copy')).json()).toEqual(body);
  });

  test('are paused and resumed, and answer with their state', async () => {
    expect(await (await server.send('POST', '/v1/sinks/copy/pause')).json()).toEqual({ ...body, state: 'paused' });
    expect(await (await server.send('POST', '/v1/sinks/copy/resume')).json()).toEqual(body);
  });

  test.each([
    ['GET', '/v1/sinks/none'],
    ['POST', '/v1/sinks/none/pause'],
    ['GET', '/v1/sinks/none/dead-letters'],
    ['POST', '/v1/sinks/none/redrive'],
    ['DELETE', '/v1/sinks/none/dead-letters/7'],
  ])('%s %s: there is no such sink', async (method, path) => {
    const answer = await server.send(method, path);
    expect(answer.status).toBe(404);
    expect(await problemOf(answer)).toMatchObject({ code: 'SINK_UNKNOWN', field: 'sink' });
  });
});

describe('dead letters', () => {
  const LETTERS = '/v1/sinks/copy/dead-letters';
  const idsOf = async (query: string): Promise<number[]> =>
    ((await (await server.get(LETTERS + query)).json()) as { id: number }[]).map(({ id }) => id);

  test('come page by page in the order of their numbers', async () => {
    expect(await idsOf('')).toEqual([7, 8, 9]);
    expect(await idsOf('?limit=2')).toEqual([7, 8]);
    expect(await idsOf('?limit=2&after=8')).toEqual([9]);
    expect(await idsOf('?after=9')).toEqual([]);
  });

  test.each(['?limit=0', '?limit=1001', '?after=x', '?before=1'])(
    'a page that is none is refused: %s',
    async (query) => {
      const answer = await server.get(LETTERS + query);
      expect(answer.status).toBe(400);
      expect(await problemOf(answer)).toMatchObject({ code: 'REQUEST_INVALID' });
    },
  );

  test('one is shown with its change, integers with all their digits', async () => {
    const text = await (await server.get(`${LETTERS}/7`)).text();
    expect(text).toContain('"key":{"id":18446744073709551615}');
    expect(JSON.parse(text)).toMatchObject({
      id: 7,
      target: 'shop.things',
      reason: null,
      attempts: 1,
      parked: '2026-11-20T09:15:03.000Z',
      tried: null,
      edited: false,
      change: { op: 'insert', db: 'shop', table: 'things', scn: 1007, after: { note: 'long' } },
    });
  });

  test.each([
    ['id', '18446744073709551614', 18_446_744_073_709_551_614n],
    ['id', 5, 5],
    ['tiny', -1, -1],
    ['tiny', '-12', -12],
    ['year', 2026, 2026],
    ['bits', '9223372036854775809', 9_223_372_036_854_775_809n],
    ['price', '-0.50', '-0.50'],
    ['price', 9.5, '9.5'],
    ['ratio', 0.1, 0.1],
    ['exact', 1e300, 1e300],
    ['day', '2026-11-20', '2026-11-20'],
    ['at', '2026-11-20 09:00:00.5', '2026-11-20 09:00:00.5'],
    ['note', 'short', 'short'],
    ['note', null, null],
    ['kind', 'b', 'b'],
    ['bytes', 'AP8=', new Uint8Array([0, 255])],
    ['doc', { a: [1, null, 'x'] }, '{"a":[1,null,"x"]}'],
    ['doc', 'text', '"text"'],
    ['place', 'AAE=', new Uint8Array([0, 1])],
    ['vec', [0.5, -2], new Float32Array([0.5, -2])],
    ['uid', '0b5a1f7e-0000-4000-8000-000000000001', '0b5a1f7e-0000-4000-8000-000000000001'],
  ])('an edit of %s to %j is kept, and the other columns stay', async (name, given, kept) => {
    const answer = await server.send('PATCH', `${LETTERS}/7`, { after: { [name]: given } });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ id: 7, edited: true });
    const { change } = copy.deadLetter(7);
    const value = change.after?.[name];
    expect(value instanceof Uint8Array ? new Uint8Array(value) : value).toEqual(kept);
    expect({ ...change.after, [name]: null }).toEqual({ ...ROW, [name]: null });
    expect(change.before).toBeNull();
  });

  test.each([
    ['id', '18446744073709551615', 18_446_744_073_709_551_615n],
    ['id', '9007199254740993', 9_007_199_254_740_993n],
    ['price', '12345678901234567890.50', '12345678901234567890.50'],
    ['exact', '-0', -0],
    ['exact', '0.1000000000000000055', 0.1],
    [
      'doc',
      '[18446744073709551615,12.50,1.0,"9007199254740993"]',
      '[18446744073709551615,12.50,1.0,"9007199254740993"]',
    ],
    ['doc', '12345678901234567890', '12345678901234567890'],
    ['vec', '[1.0,2]', new Float32Array([1, 2])],
  ])('an edit of %s to the JSON %s keeps all digits', async (name, json, kept) => {
    const answer = await server.send('PATCH', `${LETTERS}/7`, `{"after":{"${name}":${json}}}`);
    expect(answer.status).toBe(200);
    expect(copy.deadLetter(7).change.after?.[name]).toEqual(kept);
    if (name === 'doc') expect(await answer.text()).toContain(`"doc":${json}`);
  });

  test.each([
    ['exact', '1e400', '"exact" takes a number'],
    ['ratio', '1e39', '"ratio" takes a number'],
    ['id', '1.0', '"id" takes an integer, or the text of its digits'],
    ['id', '123456789012345678901', '"id" takes an integer, or the text of its digits'],
    ['vec', '[1e39]', '"vec" takes a list of numbers'],
  ])('an edit of %s to the JSON %s is refused', async (name, json, detail) => {
    const answer = await server.send('PATCH', `${LETTERS}/7`, `{"after":{"${name}":${json}}}`);
    expect(answer.status).toBe(400);
    expect(await problemOf(answer)).toMatchObject({ code: 'REQUEST_INVALID', field: `after.${name}`, detail });
  });

  test.each([
    ['nothing', 1, 'after.nothing', 'the table has no column "nothing"'],
    ['id', null, 'after.id', '"id" takes an integer, or the text of its digits'],
    ['id', 1.5, 'after.id', '"id" takes an integer, or the text of its digits'],
    ['id', '12a', 'after.id', '"id" takes an integer, or the text of its digits'],
    ['id', true, 'after.id', '"id" takes an integer, or the text of its digits'],
    ['price', '9,9', 'after.price', '"price" takes a decimal number, or its text'],
    ['price', 1e30, 'after.price', '"price" takes a decimal number, or its text'],
    ['ratio', '0.1', 'after.ratio', '"ratio" takes a number'],
    ['note', 5, 'after.note', '"note" takes a text'],
    ['bytes', 'no base64', 'after.bytes', '"bytes" takes bytes as base64 text'],
    ['vec', [1, 'x'], 'after.vec', '"vec" takes a list of numbers'],
    ['fixed', null, 'after.fixed', '"fixed" takes a text'],
  ])('an edit of %s to %j is refused and names the field, not the value', async (name, given, field, detail) => {
    const before = copy.deadLetter(7);
    const answer = await server.send('PATCH', `${LETTERS}/7`, { after: { note: 'changed', [name]: given } });
    expect(answer.status).toBe(400);
    expect(await problemOf(answer)).toMatchObject({ code: 'REQUEST_INVALID', field, detail });
    expect(copy.deadLetter(7)).toBe(before);
  });

  test('an edit of a row that the change does not have is refused', async () => {
    const answer = await server.send('PATCH', `${LETTERS}/7`, { before: { note: 'x' } });
    expect(answer.status).toBe(400);
    expect(await problemOf(answer)).toMatchObject({ field: 'before', detail: 'the change has no row before it' });
  });

  test.each([{ aftr: {} }, { after: 5 }, { after: ['x'] }])('%j is no edit', async (body) => {
    expect((await server.send('PATCH', `${LETTERS}/7`, body)).status).toBe(400);
  });

  test('one is dropped once', async () => {
    expect((await server.send('DELETE', `${LETTERS}/8`)).status).toBe(204);
    expect(await idsOf('')).toEqual([7, 9]);
    const again = await server.send('DELETE', `${LETTERS}/8`);
    expect(again.status).toBe(404);
    expect(await problemOf(again)).toMatchObject({ code: 'DEAD_LETTER_UNKNOWN' });
  });

  test.each([
    ['/99', 404, 'DEAD_LETTER_UNKNOWN'],
    ['/x', 400, 'REQUEST_INVALID'],
  ])('there is none at %s', async (path, status, code) => {
    const answer = await server.get(LETTERS + path);
    expect(answer.status).toBe(status);
    expect(await problemOf(answer)).toMatchObject({ code });
  });

  test('are redriven one key at a time, or all; the answer says what became of them', async () => {
    copy.outcome = { written: 2, left: 1, refused: [9] };
    expect(await (await server.send('POST', '/v1/sinks/copy/redrive', { id: 7 })).json()).toEqual(copy.outcome);
    expect(await (await server.send('POST', '/v1/sinks/copy/redrive')).json()).toEqual(copy.outcome);
    expect(copy.redriven).toEqual([7, null]);
    expect((await server.send('POST', '/v1/sinks/copy/redrive', { id: 99 })).status).toBe(404);
    expect((await server.send('POST', '/v1/sinks/copy/redrive', { id: 'x' })).status).toBe(400);
  });

  test('a sink that does not run redrives nothing', async () => {
    const failing = copy.redrive.bind(copy);
    copy.redrive = () => Promise.reject(new TidingsError('SINK_NOT_RUNNING', 'the sink is paused'));
    try {
      const answer = await server.send('POST', '/v1/sinks/copy/redrive');
      expect(answer.status).toBe(409);
      expect(await problemOf(answer)).toMatchObject({ code: 'SINK_NOT_RUNNING' });
    } finally {
      copy.redrive = failing;
    }
  });
});
