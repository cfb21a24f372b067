import { get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { column, part, rowBatch, table } from '../../../test/support/changes.ts';
import { MemoryStream } from '../../../test/support/memory-stream.ts';
import { LineReader, startRelayServer, type TestServer, until } from '../../../test/support/relay-server.ts';
import { TidingsError } from '../../core/errors.ts';
import { setFailpointHandler } from '../../core/failpoint.ts';
import { batchCount, batchFirstScn, batchLength } from '../../formats/log/batch-header.ts';
import { type ControlFrame, controlLength, decodeControl, isControl } from '../../formats/log/control-frame.ts';

const orders = table('shop.orders', [column('id', 'int', { nullable: false }), column('note', 'text')]);
const CHANGES = '/v1/streams/shop/changes';
const SSE = { accept: 'text/event-stream' };
const BINARY = { accept: 'application/vnd.tidings.batches' };

let shop: MemoryStream;
let server: TestServer;

beforeAll(async () => {
  server = await startRelayServer([]);
});

afterAll(() => server[Symbol.asyncDispose]());

beforeEach(() => {
  shop = new MemoryStream('shop');
  server.streams.set('shop', shop);
  server.log.lines.length = 0;
  put(1, 2);
  put(3);
});

afterEach(() => setFailpointHandler(null));

/** One transaction of inserts. SCNs begin at 1001. */
function put(...ids: readonly number[]): void {
  shop.log.put([part([rowBatch(orders, 'insert', { after: ids.map((id) => ({ id, note: `n${id}` })) })])]);
}

/** Batches of about 64 KiB each. */
function putMuch(batches: number): void {
  const after = Array.from({ length: 64 }, (_, id) => ({ id, note: 'x'.repeat(1000) }));
  shop.log.putTimes(batches, [part([rowBatch(orders, 'insert', { after })])]);
}

interface Line {
  readonly op: string;
  readonly scn: number;
  readonly [name: string]: unknown;
}

async function lines(path: string): Promise<Line[]> {
  const text = await (await server.get(path)).text();
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

const scns = (all: readonly Line[]): number[] => all.filter(({ op }) => op !== 'progress').map(({ scn }) => scn);

/** A request without a reader that would take what comes. */
function open(path: string, headers = {}): Promise<{ response: IncomingMessage; socket: Socket }> {
  return new Promise((resolve, reject) => {
    const request = get({ port: server.port, path, headers, agent: false }, (response) =>
      resolve({ response, socket: response.socket }),
    );
    request.on('error', reject);
  });
}

describe('lines', () => {
  test('all that is there comes as one line per change, and then the response ends', async () => {
    const answer = await server.get(CHANGES);
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    expect(answer.headers.get('tidings-from')).toBe('1000');
    const all = (await answer.text()).split('\n').slice(0, -1);
    expect(all).toHaveLength(3);
    expect(JSON.parse(all[0] ?? '')).toMatchObject({ op: 'insert', table: 'orders', key: { id: 1 }, scn: 1001 });
  });

  test('reading begins behind an SCN, also inside a transaction', async () => {
    expect(scns(await lines(`${CHANGES}?from=1002`))).toEqual([1003]);
    expect(scns(await lines(`${CHANGES}?from=latest`))).toEqual([]);
  });

  test('limit ends the response there, and reading on behind its last line misses nothing', async () => {
    const first = scns(await lines(`${CHANGES}?limit=2`));
    const rest = scns(await lines(`${CHANGES}?limit=2&from=${first.at(-1)}`));
    expect([...first, ...rest]).toEqual([1001, 1002, 1003]);
  });

  test('a filter that passes nothing still says how far it has looked', async () => {
    const all = await lines(`${CHANGES}?tables=other.*`);
    expect(all.at(-1)).toMatchObject({ op: 'progress', scn: 1003 });
  });

  test('filters arrive as they were meant', async () => {
    const query = new URLSearchParams([
      ['tables', 'shop.orders,`a,b`.`c:d`'],
      ['tables', String.raw`/shop\.(a|b,c)/`],
      ['ops', 'insert,delete'],
      ['partitions', '0-2,9'],
      ['columns', 'shop.orders:id,`odd,name`'],
      ['columns', '`a:b`.c:x'],
      ['where', "shop.orders:note = 'a:b, c'"],
    ]);
    await lines(`${CHANGES}?${query.toString()}`);
    expect(shop.calls.find(({ name }) => name === 'read')?.args[0]).toEqual({
      from: 1000,
      follow: false,
      tables: ['shop.orders', '`a,b`.`c:d`', String.raw`/shop\.(a|b,c)/`],
      ops: ['insert', 'delete'],
      partitions: [0, 1, 2, 9],
      columns: { 'shop.orders': ['id', 'odd,name'], '`a:b`.c': ['x'] },
      where: { 'shop.orders': "note = 'a:b, c'" },
    });
  });

  test('following, a change is there as soon as it is visible', async () => {
    const reader = new LineReader(await server.get(`${CHANGES}?follow=true&from=latest`));
    put(4);
    expect(JSON.parse((await reader.take(1))[0] ?? '')).toMatchObject({ scn: 1004, key: { id: 4 } });
    await reader.cancel();
  });

  test('following ends at the limit', async () => {
    expect(scns(await lines(`${CHANGES}?follow=true&limit=3`))).toEqual([1001, 1002, 1003]);
  });

  test('a member gets its changes with their partition, and is told of its assignment', async () => {
    const path = '/v1/streams/shop/groups/g/members/m/changes?tables=shop.orders';
    const reader = new LineReader(await server.get(path));
    const all = (await reader.take(3)).map((line) => JSON.parse(line) as Line);
    expect(all.map(({ scn }) => scn)).toEqual([1001, 1002, 1003]);
    for (const { partition } of all) expect(partition).toBeGreaterThanOrEqual(0);
    expect(shop.calls.at(-1)).toEqual({
      name: 'readAsMember',
      args: [{ group: 'g', member: 'm' }, { tables: ['shop.orders'] }],
    });
    await reader.cancel();
  });

  test('a quiet response gives signs of life that every parser of JSON lines takes', async () => {
    await using quick = await startRelayServer([shop], { http: { heartbeatMs: 20 } });
    const reader = new LineReader(await quick.get(`${CHANGES}?follow=true`));
    await reader.take(3);
    const [first, second] = (await reader.take(2)).map((line) => JSON.parse(line) as Line);
    expect(first).toMatchObject({ op: 'progress', scn: 1003 });
    expect(second).toMatchObject({ op: 'progress', scn: 1003 });
    await reader.cancel();
  });
});

describe('waiting', () => {
  test('what is there is not waited for', async () => {
    expect(scns(await lines(`${CHANGES}?wait=300`))).toEqual([1001, 1002, 1003]);
  });

  test('the first change that comes ends the wait, with all that came with it', async () => {
    const answer = server.get(`${CHANGES}?from=latest&wait=60`);
    await until(() => shop.readers.length === 2);
    put(4, 5);
    const all = (await (await answer).text()).split('\n').slice(0, -1);
    expect(scns(all.map((line) => JSON.parse(line) as Line))).toEqual([1004, 1005]);
    expect(shop.readers.every(({ isClosed }) => isClosed)).toBe(true);
  });

  test('without a change the response ends after the wait', async () => {
    expect(scns(await lines(`${CHANGES}?from=latest&wait=30ms`))).toEqual([]);
    expect(scns(await lines(`${CHANGES}?tables=other.*&wait=30ms`))).toEqual([]);
  });

  test('batches are waited for as well, and greet once', async () => {
    const answer = server.get(`${CHANGES}?from=latest&wait=60s`, BINARY);
    await until(() => shop.readers.length === 2);
    put(4);
    const frames = framesOf(Buffer.from(await (await answer).arrayBuffer()));
    expect(frames.map(({ kind }) => kind)).toEqual(['hello', 'progress', 'batch', 'progress']);
  });
});

describe('events', () => {
  async function events(path: string, count: number, headers = {}): Promise<string[]> {
    const reader = new LineReader(await server.get(path, { ...SSE, ...headers }), '\n\n');
    const all = await reader.take(count);
    await reader.cancel();
    return all;
  }

  test('the stream begins with a place to resume from, then follows for ever', async () => {
    const reader = new LineReader(await server.get(CHANGES, SSE), '\n\n');
    const [retry, start, first] = await reader.take(3);
    expect(retry).toBe('retry: 2000');
    expect(start).toMatch(/^id: 1000\nevent: progress\ndata: /);
    expect(first).toMatch(/^id: 1001\nevent: insert\ndata: \{"op":"insert".*"scn":1001\}$/);
    await reader.take(2);
    put(4);
    expect((await reader.take(1))[0]).toMatch(/^id: 1004\n/);
    await reader.cancel();
  });

  test('Last-Event-ID resumes behind that event, whatever `from` says', async () => {
    const all = await events(`${CHANGES}?from=earliest`, 3, { 'last-event-id': '1002' });
    expect(all[2]).toMatch(/^id: 1003\n/);
  });

  test('a Last-Event-ID that is no SCN is refused', async () => {
    const answer = await server.get(CHANGES, { ...SSE, 'last-event-id': 'x' });
    expect([answer.status, await answer.json()]).toMatchObject([400, { field: 'Last-Event-ID' }]);
  });

  test('the id moves on when the filter passes nothing', async () => {
    const all = await events(`${CHANGES}?tables=other.*`, 4);
    expect(all[3]).toMatch(/^id: 1003\nevent: progress\n/);
  });

  test('a quiet stream sends comments', async () => {
    await using quick = await startRelayServer([shop], { http: { heartbeatMs: 20 } });
    const reader = new LineReader(await quick.get(`${CHANGES}?from=latest`, SSE), '\n\n');
    expect((await reader.take(4)).slice(2)).toEqual([': alive', ': alive']);
    await reader.cancel();
  });
});

type Frame = ControlFrame | { readonly kind: 'batch'; readonly firstScn: number; readonly count: number };

function framesOf(bytes: Buffer): Frame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    if (isControl(view, at)) {
      const frame = decodeControl(bytes, view, at);
      if (frame !== null) frames.push(frame);
      at += controlLength(view, at);
    } else {
      frames.push({ kind: 'batch', firstScn: batchFirstScn(view, at), count: batchCount(view, at) });
      at += batchLength(view, at);
    }
  }
  return frames;
}

describe('batches', () => {
  test('the stored bytes go out as they are, between control frames', async () => {
    const answer = await server.get(CHANGES, BINARY);
    expect(answer.headers.get('content-type')).toBe(BINARY.accept);
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(framesOf(bytes)).toMatchObject([
      { kind: 'hello', stream: 'shop', partitions: 16 },
      { kind: 'batch', firstScn: 1001, count: 2 },
      { kind: 'batch', firstScn: 1003, count: 1 },
      { kind: 'progress', scn: 1003 },
    ]);
    for (const { bytes: stored } of shop.log.stored) expect(bytes.includes(stored)).toBe(true);
  });

  test('a large catch-up arrives byte by byte, also with the failpoint in the middle of writes', async () => {
    putMuch(100);
    let hits = 0;
    setFailpointHandler((name) => {
      if (name === 'response-half-sent') hits++;
    });
    const bytes = Buffer.from(await (await server.get(CHANGES, BINARY)).arrayBuffer());
    const batches = framesOf(bytes).filter(({ kind }) => kind === 'batch');
    expect(batches).toHaveLength(102);
    expect(hits).toBeGreaterThan(102);
  });
});

describe('a failure in the middle', () => {
  const failure = new TidingsError('LOG_DAMAGED', 'segment 7 is damaged at 4711');

  beforeEach(() => {
    shop.failure = failure;
    shop.failAfter = 1002;
  });

  async function cutOff(headers: Record<string, string>): Promise<Buffer> {
    const { response } = await open(CHANGES, headers);
    const pieces: Buffer[] = [];
    const error = await new Promise<unknown>((resolve) => {
      response.on('data', (bytes: Buffer) => pieces.push(bytes));
      response.on('error', resolve);
      response.on('end', () => resolve(null));
    });
    // Not a clean end: whoever reads to the end knows that it is not complete.
    expect(error).toMatchObject({ code: 'ECONNRESET' });
    return Buffer.concat(pieces);
  }

  test('the last line says what is wrong, and the connection is cut', async () => {
    const all = (await cutOff({})).toString().split('\n').slice(0, -1);
    expect(JSON.parse(all.at(-1) ?? '')).toEqual({
      error: { code: 'LOG_DAMAGED', message: failure.message, hint: failure.hint },
    });
    expect(all).toHaveLength(3);
  });

  test('so does the last event', async () => {
    const all = (await cutOff(SSE)).toString().split('\n\n');
    expect(all.at(-2)).toMatch(/^event: problem\ndata: \{"error":\{"code":"LOG_DAMAGED"/);
  });

  test('so does the last frame', async () => {
    expect(framesOf(await cutOff(BINARY)).at(-1)).toMatchObject({ kind: 'error', code: 'LOG_DAMAGED' });
  });

  test('it is logged once, without values of rows', async () => {
    await cutOff({});
    expect(server.log.lines).toMatchObject([{ level: 'warn', fields: { error: failure, stream: 'shop' } }]);
  });
});

describe('a client that does not read', () => {
  test('costs its reader two chunks, and the others nothing', async () => {
    putMuch(500);
    const { response: stopped, socket } = await open(`${CHANGES}?follow=true`, BINARY);
    socket.pause();
    await until(() => shop.readers[0]?.held === 2);
    const [reader] = shop.readers;
    const handedOut = reader?.handedOut ?? 0;
    // What the kernel's buffers hold, and no more of the 33 MB.
    expect(handedOut).toBeLessThan(20_000_000);
    expect(await lines(`${CHANGES}?limit=10000`)).toHaveLength(10_000);
    expect(reader).toMatchObject({ held: 2, heldMax: 2, handedOut });
    stopped.destroy();
    await until(() => reader?.isClosed === true && reader.held === 0);
  });

  test('costs no more as lines', async () => {
    putMuch(500);
    const { response: stopped, socket } = await open(`${CHANGES}?follow=true`);
    socket.pause();
    const [reader] = shop.readers;
    // Until nothing has moved for a while.
    let [before, still] = [-1, 0];
    while (still < 20) {
      still = before === reader?.handedOut && reader.held === 1 ? still + 1 : 0;
      before = reader?.handedOut ?? 0;
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
    expect(reader).toMatchObject({ held: 1, heldMax: 1 });
    expect(reader?.handedOut).toBeLessThan(20_000_000);
    stopped.destroy();
    await until(() => reader?.isClosed === true);
  });

  test('is disconnected when it takes nothing for too long', async () => {
    putMuch(500);
    await using strict = await startRelayServer([shop], { http: { stuckAfterMs: 100 } });
    const socket = connect(strict.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write(`GET ${CHANGES}?follow=true HTTP/1.1\r\nHost: x\r\nAccept: ${BINARY.accept}\r\n\r\n`);
    await until(() => shop.readers[0]?.isClosed === true);
    expect(strict.log.lines.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { stream: 'shop' } }]);
    expect(await (await strict.get('/metrics')).text()).toContain(
      'tidings_readers_ended_total{stream="shop",format="binary",reason="stuck"} 1',
    );
    socket.destroy();
  });

  test('is not disconnected as long as there is nothing to send', async () => {
    await using strict = await startRelayServer([shop], { http: { stuckAfterMs: 30 } });
    const reader = new LineReader(await strict.get(`${CHANGES}?follow=true`));
    await reader.take(3);
    await new Promise((resolve) => {
      setTimeout(resolve, 120);
    });
    put(4);
    expect(JSON.parse((await reader.take(1))[0] ?? '')).toMatchObject({ scn: 1004 });
    await reader.cancel();
  });
});

describe('others', () => {
  test('a change reaches a follower while others catch up on much', async () => {
    putMuch(150);
    const follower = new LineReader(await server.get(`${CHANGES}?follow=true&from=latest`));
    const others = [1, 2, 3].map(() => server.get(`${CHANGES}?limit=1000000`).then((answer) => answer.text()));
    const behind = Promise.all(others).then(() => 'behind');
    await until(() => shop.readers.length === 4);
    put(7);
    const first = await Promise.race([follower.take(1).then(() => 'follower'), behind]);
    expect(first).toBe('follower');
    for (const text of await Promise.all(others)) expect(text.split('\n').length).toBeGreaterThan(150 * 64);
    await follower.cancel();
  });

  test('a client that begins the same reading over and over is slowed down, and another one is not', async () => {
    put(1);
    const begin = async (query = ''): Promise<void> => {
      const { response } = await open(`${CHANGES}?follow=true${query}`, BINARY);
      response.destroy();
    };
    const startMs = performance.now();
    for (let i = 0; i < 13; i++) {
      await begin();
      // Its end was noticed.
      await until(() => shop.readers.every((reader) => reader.isClosed));
    }
    // Ten are free; the others come half a second after each other.
    expect(performance.now() - startMs).toBeGreaterThan(900);
    const delayed = async (): Promise<number> => {
      const page = await (await server.get('/metrics')).text();
      return Number(/^tidings_readers_delayed_total\{.*\} (\d+)$/m.exec(page)?.[1]);
    };
    const before = await delayed();
    expect(before).toBeGreaterThanOrEqual(2);
    await begin('&from=latest');
    expect(await delayed()).toBe(before);
  });

  test('a client that goes away ends its reading', async () => {
    for (const headers of [{}, SSE, BINARY]) {
      const { response } = await open(`${CHANGES}?follow=true`, headers);
      response.destroy();
      const reader = shop.readers.at(-1);
      await until(() => reader?.isClosed === true);
    }
    expect(server.log.lines).toEqual([]);
  });
});

describe('closing', () => {
  test('responses that follow end as complete ones, where a line or frame ends', async () => {
    const closing = await startRelayServer([shop]);
    const text = new LineReader(await closing.get(`${CHANGES}?follow=true`));
    const binary = (await closing.get(`${CHANGES}?follow=true`, BINARY)).arrayBuffer();
    await text.take(3);
    const closed = closing.server.close({ graceMs: 10_000 });
    expect(await text.next()).toBeNull();
    expect(framesOf(Buffer.from(await binary)).filter(({ kind }) => kind === 'batch')).toHaveLength(2);
    await closed;
    await expect(closing.get('/livez')).rejects.toThrow('fetch failed');
  });

  test('a client that does not take the rest is cut off after the grace', async () => {
    putMuch(500);
    const closing = await startRelayServer([shop]);
    const socket = connect(closing.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write(`GET ${CHANGES}?follow=true HTTP/1.1\r\nHost: x\r\nAccept: ${BINARY.accept}\r\n\r\n`);
    await until(() => shop.readers[0]?.held === 2);
    await closing.server.close({ graceMs: 50 });
    expect(shop.readers[0]?.isClosed).toBe(true);
    socket.destroy();
  });

  test('on a connection that is still open, new requests are told to come again', async () => {
    putMuch(500);
    const closing = await startRelayServer([shop]);
    const kept = connect(closing.port, '127.0.0.1');
    let answered = '';
    kept.setEncoding('utf8').on('data', (text: string) => (answered += text));
    kept.write('GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => answered.includes('"ready":true'));
    // Its head is not complete yet, so the connection is not idle.
    kept.write('GET /readyz HTTP/1.1\r\n');
    const stuck = connect(closing.port, '127.0.0.1');
    stuck.on('error', () => {});
    stuck.pause();
    stuck.write(`GET ${CHANGES}?follow=true HTTP/1.1\r\nHost: x\r\nAccept: ${BINARY.accept}\r\n\r\n`);
    await until(() => shop.readers[0]?.held === 2);
    answered = '';
    const closed = closing.server.close({ graceMs: 300 });
    kept.write('Host: x\r\n\r\n');
    await until(() => answered.includes('RELAY_CLOSING'));
    expect(answered).toMatch(/^HTTP\/1.1 503 /);
    await closed;
    kept.destroy();
    stuck.destroy();
  });
});
