import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { HttpRequests } from './http-requests.ts';
import { HttpTransport } from './http-transport.ts';
import { readDefinitions } from './table-definitions.ts';

const TOKEN = 'sesame';
const MEMBER = { group: 'g', member: 'a' };
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function requestsTo(address: string): HttpRequests {
  const requests = new HttpRequests({ url: new URL(address), token: TOKEN, timeoutMs: 15_000 });
  closing.push(() => Promise.resolve(requests.close()));
  return requests;
}

type Operation = (transport: HttpTransport, requests: HttpRequests) => Promise<unknown>;

const OPERATIONS: readonly (readonly [string, Operation])[] = [
  ['changes', (t) => t.read({ from: 'latest', follow: true }, new AbortController().signal)],
  ['changes of a member', (t) => t.readAsMember(MEMBER, {}, new AbortController().signal)],
  ['joining', (t) => t.join(MEMBER, {})],
  ['a heartbeat', (t) => t.heartbeat(MEMBER, { epoch: 1, released: [] })],
  ['a commit', (t) => t.commit(MEMBER, { epoch: 1, checkpoints: [{ partitions: [0], scn: 5 }] })],
  ['leaving', (t) => t.leave(MEMBER, 1)],
  ['the beginning of a reader', (t) => t.bootstrap('r', { truncate: false })],
  ['table definitions', (_, requests) => readDefinitions(requests, 'shop')],
];

test.each(OPERATIONS.flatMap(([name, operation]) => [301, 307].map((status) => [name, status, operation] as const)))(
  '%s: a redirect (%i) is not followed, is final, and is told with the address that it leads to',
  async (_name, status, operation) => {
    const strayed: IncomingMessage['headers'][] = [];
    const elsewhere = await listen(({ headers }, response) => {
      strayed.push(headers);
      response.end('{}');
    });
    let asked = 0;
    const address = await listen(({ url = '' }, response) => {
      asked++;
      response
        .writeHead(status, { location: `${elsewhere}/tidings${url.replace('/proxied', '')}` })
        .end('<h1>moved</h1>');
    });
    const requests = requestsTo(`${address}/proxied`);
    const transport = new HttpTransport({ requests, stream: 'shop', idleTimeoutMs: 15_000, verify: null });
    await expect(operation(transport, requests)).rejects.toMatchObject({
      retry: 'operator',
      message: expect.stringContaining(`with status ${status}, and points to ${elsewhere}/tidings`) as string,
      hint: expect.stringContaining('Connect to that address') as string,
      details: { status, location: `${elsewhere}/tidings` },
    });
    expect([asked, strayed]).toEqual([1, []]);
  },
);

test.each([
  ['https://user:secret@sso.example/login?state=secret', 'and points to https://sso.example/login'],
  ['/relay/v1/streams/shop/schemas', 'and points to http://127.0.0.1:'],
  ['http://[', 'and does not say where to go'],
  [undefined, 'and does not say where to go'],
])('of a redirect to %s is shown what is no secret: %s', async (location, shown) => {
  const address = await listen((_, response) => {
    response.writeHead(302, location === undefined ? {} : { location }).end();
  });
  const asked = readDefinitions(requestsTo(address), 'shop');
  await expect(asked).rejects.toMatchObject({ message: expect.stringContaining(shown) as string });
  await expect(asked).rejects.not.toMatchObject({ message: expect.stringContaining('secret') as string });
});

test.each(OPERATIONS)(
  '%s: a page in the place of a relay is no word of a relay, whatever its status',
  async (name, operation) => {
    for (const status of [200, 404]) {
      const address = await listen((_, response) => {
        response.writeHead(status, { 'content-type': 'text/html' }).end('<h1>welcome</h1>');
      });
      const requests = requestsTo(address);
      const transport = new HttpTransport({ requests, stream: 'shop', idleTimeoutMs: 15_000, verify: null });
      // oxlint-disable-next-line no-await-in-loop -- one server after the other
      await expect(operation(transport, requests), `${name}, ${status}`).rejects.toMatchObject({
        code: 'PROTOCOL_VIOLATION',
        hint: expect.stringContaining('Check that the address is that of a relay') as string,
      });
    }
  },
);
