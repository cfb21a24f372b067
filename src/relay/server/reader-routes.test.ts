import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MemoryStream } from '../../../test/support/memory-stream.ts';
import { startRelayServer, type TestServer } from '../../../test/support/relay-server.ts';
import type { Problem } from './problem.ts';

const PATH = '/v1/streams/shop/readers';
const NAME = 'f3Jx0bWqS1mK8dYp2vTnLw';

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

describe('a reader that begins', () => {
  test.each([
    [undefined, { truncate: false }],
    [{ truncate: true }, { truncate: true }],
    [
      { tables: ['shop.orders', '/^crm[.]/'], truncate: false },
      { tables: ['shop.orders', '/^crm[.]/'], truncate: false },
    ],
    [{ tables: ['shop.orders,shop.lines'] }, { tables: ['shop.orders', 'shop.lines'], truncate: false }],
  ])('has what it wants reach the stream, and is told where to begin: %j', async (body, expected) => {
    const answer = await server.send('PUT', `${PATH}/${NAME}`, body);
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { created: '2026-11-20T00:00:00.000Z', after: 1000, snapshot: 4 },
    ]);
    expect(shop.calls).toEqual([{ name: 'bootstrap', args: [NAME, expected] }]);
  });

  test.each([
    [{ tables: ['shop.orders', '/(/'] }, 'tables.1'],
    [{ tables: [''] }, 'tables.0'],
    [{ tables: ['shop.orders,'] }, 'tables'],
    [{ tables: ['x'.repeat(1001)] }, 'tables.0'],
    [{ tables: [] }, 'tables'],
    [{ tables: Array.from({ length: 1001 }, () => 'shop.*') }, 'tables'],
    [{ truncate: 'yes' }, 'truncate'],
    [{ where: 'id > 5' }, 'where'],
  ])('is told what is wrong with it: %j', async (body, field) => {
    const expected = { status: 400, code: 'REQUEST_INVALID', field };
    expect(await problem(server.send('PUT', `${PATH}/${NAME}`, body))).toMatchObject(expected);
    expect(shop.calls).toEqual([]);
  });

  test.each(['a b', 'ü', 'x'.repeat(65), 'a.b', 'a%2Fb', '-%0A'])('the name %j is none', async (name) => {
    const expected = { status: 400, code: 'REQUEST_INVALID', field: 'reader' };
    const path = `${PATH}/${name.includes('%') ? name : encodeURIComponent(name)}`;
    expect(await problem(server.send('PUT', path, {}))).toMatchObject(expected);
    expect(await problem(server.send('DELETE', path))).toMatchObject(expected);
    const query = new URLSearchParams({ reader: decodeURIComponent(name) });
    expect(await problem(server.get(`/v1/streams/shop/changes?${query.toString()}`))).toMatchObject(expected);
    expect(shop.calls).toEqual([]);
  });

  test('of a stream that there is not is told so', async () => {
    const path = `/v1/streams/nope/readers/${NAME}`;
    expect(await problem(server.send('PUT', path, {}))).toMatchObject({ status: 404, code: 'STREAM_UNKNOWN' });
    expect(await problem(server.send('DELETE', path))).toMatchObject({ status: 404, code: 'STREAM_UNKNOWN' });
  });
});

test('a reading under a name reaches the stream with it', async () => {
  for (const name of ['a', '-_', 'x'.repeat(64), NAME]) {
    shop.calls.length = 0;
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await (await server.get(`/v1/streams/shop/changes?from=1000&reader=${name}`)).text();
    const read = shop.calls.find((call) => call.name === 'read');
    expect(read?.args[0]).toMatchObject({ from: 1000, reader: name });
  }
});

test('a reader that is dismissed is let go of, without a word', async () => {
  const answer = await server.send('DELETE', `${PATH}/${NAME}`);
  expect([answer.status, await answer.text()]).toEqual([204, '']);
  expect(shop.calls).toEqual([{ name: 'dismiss', args: [NAME] }]);
});
