import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { column, table } from '../../../test/support/changes.ts';
import { changeOf } from '../../../test/support/mapped.ts';
import { deadLetter, MemorySink, sinkService } from '../../../test/support/memory-sinks.ts';
import { snapshotStatus } from '../../../test/support/memory-snapshots.ts';
import { MemoryStream } from '../../../test/support/memory-stream.ts';
import { MemoryLogger, startRelayServer, type TestServer } from '../../../test/support/relay-server.ts';
import { Authenticator } from './auth.ts';
import { isLoopback, resolveHttpOptions } from './http-options.ts';

const TOKENS = [
  { token: 'read-0123456789', role: 'read', name: 'dashboard' },
  { token: 'operate-0123456', role: 'operate' },
  { token: 'admin-012345678', role: 'admin' },
] as const;

const TLS = join(import.meta.dirname, '../../../test/fixtures/tls');
const cert = readFileSync(join(TLS, 'localhost.crt'), 'utf8');
const key = readFileSync(join(TLS, 'localhost.key'), 'utf8');

const things = table('shop.things', [column('id', 'int')]);
const copy = new MemorySink({ name: 'copy' });
let server: TestServer;
let shop: MemoryStream;

beforeAll(async () => {
  shop = new MemoryStream('shop');
  shop.groupList = [{ group: 'g', paused: false, epoch: 1, members: [], partitions: [] }];
  server = await startRelayServer([shop], { http: { tokens: TOKENS }, sinks: sinkService(copy) });
});

afterAll(() => server[Symbol.asyncDispose]());

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

describe('roles', () => {
  const MEMBER = '/v1/streams/shop/groups/g/members/m';
  const commit = { epoch: 1, checkpoints: [] };
  // What each request needs, and how it is answered when it is allowed.
  const requests = [
    ['GET', '/v1/streams', undefined, 0, 200],
    ['GET', '/v1/streams/shop', undefined, 0, 200],
    ['GET', '/v1/streams/shop/schemas', undefined, 0, 200],
    ['GET', '/v1/streams/shop/changes', undefined, 0, 200],
    ['GET', '/v1/streams/shop/groups', undefined, 0, 200],
    ['GET', '/v1/streams/shop/groups/g', undefined, 0, 200],
    ['GET', '/metrics', undefined, 0, 200],
    ['GET', '/v1/openapi.json', undefined, 0, 200],
    ['PUT', MEMBER, {}, 0, 200],
    ['POST', `${MEMBER}/heartbeat`, { epoch: 1, released: [] }, 0, 200],
    ['POST', `${MEMBER}/commit`, commit, 0, 200],
    ['DELETE', `${MEMBER}?epoch=1`, undefined, 0, 204],
    ['PUT', '/v1/streams/shop/readers/r', {}, 0, 200],
    ['DELETE', '/v1/streams/shop/readers/r', undefined, 0, 204],
    ['POST', '/v1/streams/shop/pause', undefined, 1, 200],
    ['POST', '/v1/streams/shop/resume', undefined, 1, 200],
    ['POST', '/v1/streams/shop/groups/g/pause', undefined, 1, 200],
    ['POST', '/v1/streams/shop/groups/g/resume', undefined, 1, 200],
    ['PUT', '/v1/streams/shop/groups/g/checkpoint', { to: 'latest' }, 1, 200],
    ['DELETE', '/v1/streams/shop/groups/g', undefined, 2, 204],
    ['GET', '/v1/streams/shop/snapshots', undefined, 0, 200],
    ['GET', '/v1/streams/shop/snapshots/1', undefined, 0, 200],
    ['POST', '/v1/streams/shop/snapshots', {}, 1, 201],
    ['POST', '/v1/streams/shop/snapshots/1/pause', undefined, 1, 200],
    ['POST', '/v1/streams/shop/snapshots/1/resume', undefined, 1, 200],
    ['POST', '/v1/streams/shop/snapshots/1/cancel', undefined, 1, 200],
    ['GET', '/v1/sinks', undefined, 0, 200],
    ['GET', '/v1/sinks/copy', undefined, 0, 200],
    ['POST', '/v1/sinks/copy/pause', undefined, 1, 200],
    ['POST', '/v1/sinks/copy/resume', undefined, 1, 200],
    ['GET', '/v1/sinks/copy/dead-letters', undefined, 0, 200],
    ['GET', '/v1/sinks/copy/dead-letters/1', undefined, 0, 200],
    ['PATCH', '/v1/sinks/copy/dead-letters/1', { after: { id: 2 } }, 1, 200],
    ['DELETE', '/v1/sinks/copy/dead-letters/1', undefined, 1, 204],
    ['POST', '/v1/sinks/copy/redrive', undefined, 1, 200],
  ] as const;

  test.each(requests)('%s %s needs its role, and no less', async (method, path, body, needed, status) => {
    const none = await server.send(method, path, body);
    expect(none.status).toBe(401);
    expect(none.headers.get('www-authenticate')).toBe('Bearer realm="tidings"');
    for (const [role, { token }] of TOKENS.entries()) {
      // What is cancelled or dropped once cannot be again.
      copy.letters = [deadLetter({ id: 1, change: changeOf(things, { after: { id: 1 } }) })];
      shop.snapshots.snapshotList = [snapshotStatus({ id: 1 })];
      const answer = await server.send(method, path, body, bearer(token));
      if (role >= needed) expect(answer.status).toBe(status);
      else {
        expect(answer.status).toBe(403);
        const { code, detail } = (await answer.json()) as { code: string; detail: string };
        expect(code).toBe('FORBIDDEN');
        expect(detail).toContain(`needs the role ${TOKENS[needed].role}`);
      }
      if (!answer.bodyUsed) await answer.body?.cancel();
    }
  });

  test('a route that the list above forgets is none', async () => {
    const document = (await (await server.get('/v1/openapi.json', bearer(TOKENS[0].token))).json()) as {
      paths: Record<string, Record<string, { security: { bearer: string[] }[] }>>;
    };
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security }]) => ({ name: `${method} ${path}`, security })),
    );
    const open = described.filter(({ security }) => security.length === 0).map(({ name }) => name);
    expect(open).toEqual(['get /livez', 'get /readyz']);
    // A member's changes is the one that is not in the list.
    expect(described).toHaveLength(requests.length + open.length + 1);
  });

  test('liveness and readiness are open to everybody', async () => {
    expect((await server.get('/livez')).status).toBe(200);
    expect((await server.get('/readyz')).status).toBe(200);
  });

  test.each([
    ['another token', 'Bearer read-0123456788'],
    ['a prefix of a token', 'Bearer read-'],
    ['another scheme', 'Basic read-0123456789'],
    ['nothing', 'Bearer '],
  ])('%s is refused, and the answer does not repeat it', async (_what, authorization) => {
    const answer = await server.get('/v1/streams', { authorization });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"');
    expect(await answer.text()).not.toContain('read-012');
  });

  test('who changed something is logged by name, with what was changed', async () => {
    server.log.lines.length = 0;
    await server.send('POST', '/v1/streams/shop/groups/g/pause', undefined, bearer(TOKENS[1].token));
    await server.get('/v1/streams', bearer(TOKENS[0].token));
    expect(server.log.lines).toMatchObject([{ level: 'info', fields: { by: 'operate', stream: 'shop', group: 'g' } }]);
  });

  test('no token is ever logged', () => {
    expect(JSON.stringify(server.log.lines)).not.toMatch(/read-012|operate-012|admin-012/);
  });

  test('an authenticator knows the bearer by its token', () => {
    expect(new Authenticator(TOKENS).authorize('bearer read-0123456789', 'read')).toMatchObject({ name: 'dashboard' });
    expect(new Authenticator([]).authorize(undefined, 'admin')).toMatchObject({ role: 'admin' });
  });
});

describe('binding', () => {
  test('any other interface than the loopback is refused without a token, with a remedy', () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.7', 'relay.example', '128.0.0.1']) {
      expect(() => resolveHttpOptions({ host }, new MemoryLogger())).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', details: { field: 'http.tokens', host } }),
      );
    }
  });

  test('the loopback needs no token', () => {
    for (const host of ['127.0.0.1', '127.1.2.3', '::1', '[::1]', 'localhost']) {
      expect(isLoopback(host)).toBe(true);
      expect(resolveHttpOptions({ host }, new MemoryLogger())).toMatchObject({ host, port: 8400 });
    }
  });

  test('tokens on another interface without TLS are a warning', () => {
    const log = new MemoryLogger();
    resolveHttpOptions({ host: '0.0.0.0', tokens: TOKENS }, log);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { host: '0.0.0.0' } }]);
    resolveHttpOptions({ host: '0.0.0.0', tokens: TOKENS, tls: { cert, key } }, log);
    expect(log.lines).toHaveLength(1);
  });

  test.each([
    ['empty', [{ token: '', role: 'read' }]],
    ['with a space', [{ token: 'secret word', role: 'read' }]],
    ['of an unknown role', [{ token: 'secret', role: 'root' as 'admin' }]],
    ['given twice', [TOKENS[0], TOKENS[0]]],
  ] as const)('a token that is %s is refused without being shown', (_what, tokens) => {
    expect(() => resolveHttpOptions({ tokens }, new MemoryLogger())).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.not.stringMatching(/secret|read-012/) }),
    );
  });
});

describe('TLS', () => {
  test('with a certificate the relay speaks HTTPS, also for changes', async () => {
    await using secure = await startRelayServer([shop], { http: { tls: { cert, key } } });
    expect(secure.url).toMatch(/^https:/);
    const body = await new Promise<string>((resolve, reject) => {
      get(`${secure.url}/v1/streams/shop/changes`, { ca: cert, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve(`${response.statusCode} ${text}`));
      }).on('error', reject);
    });
    expect(body).toBe('200 ');
  });

  test('a key that does not belong to the certificate is a clear error', async () => {
    const tls = { cert, key: 'no key' };
    await expect(startRelayServer([shop], { http: { tls } })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
