import { renameSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LineReader, MemoryLogger, until } from '../../../test/support/relay-server.ts';
import { connect } from '../../client/connect.ts';
import { FakePosition, FakeStore } from '../../testing/fake-store.ts';
import { FakeSource } from '../../testing/fake-source.ts';
import { tableOf } from '../../testing/tables.ts';
import { Relay } from '../relay.ts';
import { createRelayServer, type RelayServer } from './relay-server.ts';
import { streamOf } from './served-relay.ts';

const orders = tableOf('shop.orders', { id: { type: 'int', nullable: false }, status: 'varchar', doc: 'json' }, ['id']);
const users = tableOf('crm.users', { id: { type: 'int', nullable: false }, name: 'varchar' }, ['id']);

let directory: string;
let store: FakeStore;
let relay: Relay;
let server: RelayServer;
let serverLog: MemoryLogger;
let url: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidings-server-'));
  store = new FakeStore();
  await start();
});

afterEach(async () => {
  await stop();
  await rm(directory, { recursive: true, force: true });
});

async function start(): Promise<void> {
  relay = await Relay.open({
    directory,
    streams: {
      shop: {
        openSource: ({ position }) =>
          Promise.resolve(
            new FakeSource(store, { from: position === null ? 'earliest' : FakePosition.parse(position) }),
          ),
        covers: (a, b) => FakePosition.parse(a).index <= FakePosition.parse(b).index,
        partitions: 8,
      },
    },
  });
  serverLog = new MemoryLogger();
  server = await createRelayServer({ relay, http: { port: 0 }, log: serverLog, version: '0' });
  ({ url } = await server.listen());
}

async function stop(): Promise<void> {
  await server.close({ graceMs: 1000 });
  await relay.close();
}

function insert(...ids: readonly number[]): void {
  const rows = ids.map((id) => ({ id, status: 'new', doc: `{"n": ${id}}` }));
  store.commit({ kind: 'insert', table: orders, rows });
}

async function visible(count: number): Promise<void> {
  const { log } = streamOf(relay, 'shop');
  await until(() => log.visible.last - log.visible.after >= count);
}

interface Line {
  readonly op: string;
  readonly scn: number;
  readonly key: { readonly id: number };
  readonly after: { readonly id: number; readonly status?: string; readonly doc?: object } | null;
  readonly partition?: number;
  readonly moved?: string;
}

async function read(query: string): Promise<Line[]> {
  const text = await (await fetch(`${url}/v1/streams/shop/changes?${query}`)).text();
  const all = text.split('\n').slice(0, -1);
  return all.map((line) => JSON.parse(line) as Line).filter(({ op }) => op !== 'progress');
}

const ids = (lines: readonly Line[]): number[] => lines.map(({ key }) => key.id);

test('what the source committed is read as lines, filtered and projected by the relay', async () => {
  insert(1, 2, 3);
  store.commit({ kind: 'insert', table: users, rows: [{ id: 9, name: 'Ada' }] });
  store.commit({
    kind: 'update',
    table: orders,
    rows: [{ before: { id: 2, status: 'new', doc: null }, after: { id: 2, status: 'paid', doc: null } }],
  });
  await visible(5);
  const all = await read('');
  expect(ids(all)).toEqual([1, 2, 3, 9, 2]);
  expect(all[0]?.after).toEqual({ id: 1, status: 'new', doc: { n: 1 } });
  expect(ids(await read('tables=crm.*'))).toEqual([9]);
  expect(ids(await read('ops=update'))).toEqual([2]);
  expect(ids(await read(`tables=shop.orders&where=${encodeURIComponent("shop.orders:status = 'paid'")}`))).toEqual([2]);
  expect((await read('tables=shop.orders&columns=shop.orders:status'))[0]?.after).toEqual({ id: 1, status: 'new' });
  const byPartition = await Promise.all([...Array(8).keys()].map((partition) => read(`partitions=${partition}`)));
  const parts = byPartition.flat().map(({ scn }) => scn);
  expect(parts.toSorted((a, b) => a - b)).toEqual(all.map(({ scn }) => scn));
});

test('JSON columns come to a client as documents or as the text that the source had', async () => {
  insert(1);
  await visible(1);
  const docsOf = async (options: { readonly json?: 'parsed' | 'text' }): Promise<unknown[]> => {
    await using client = connect(url);
    const docs: unknown[] = [];
    for await (const { changes } of client.stream<{ doc: unknown }>('shop', {
      ...options,
      from: 'earliest',
      untilEnd: true,
    })) {
      docs.push(...changes.map(({ after }) => after?.doc));
    }
    return docs;
  };
  expect(await docsOf({})).toEqual([{ n: 1 }]);
  expect(await docsOf({ json: 'parsed' })).toEqual([{ n: 1 }]);
  expect(await docsOf({ json: 'text' })).toEqual(['{"n": 1}']);
});

test('from any place in the stream nothing is missed: SCN, time, position', async () => {
  insert(1);
  insert(2, 3);
  await visible(3);
  const all = await read('');
  for (const [index, { scn }] of all.entries()) {
    expect(ids(await read(`from=${scn}`))).toEqual([1, 2, 3].slice(index + 1));
  }
  expect(ids(await read('from=2001-01-01T00:00:00Z'))).toEqual([1, 2, 3]);
  expect(ids(await read('from=2100-01-01T00:00:00Z'))).toEqual([]);
  expect(ids(await read('from=pos:fake:1'))).toEqual(expect.arrayContaining([2, 3]));
});

test.each([
  ['where', 'shop.orders:status =='],
  ['where', 'shop.orders:nothing = 1'],
  ['where', 'a.b.c:id = 1'],
  ['columns', 'shop.orders:nothing'],
  ['columns', 'a.b.c:id'],
  ['tables', 'a.b.c'],
  ['tables', 'x'.repeat(1001)],
])('a filter %s=%s that cannot be is a problem that names it', async (field, value) => {
  insert(1);
  await visible(1);
  const answer = await fetch(`${url}/v1/streams/shop/changes?${field}=${encodeURIComponent(value)}`);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ code: 'CONFIG_INVALID', field });
});

test('a group cannot be put to where nothing is kept any more, nor to where there is nothing yet', async () => {
  insert(1, 2);
  await visible(2);
  const { after, last } = streamOf(relay, 'shop').log.visible;
  const refusal = async (method: string, path: string, body: object): Promise<unknown> => {
    const answer = await fetch(`${url}/v1/streams/shop/groups/g${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { status, code, field } = (await answer.json()) as Record<string, unknown>;
    return { status, code, field };
  };
  const purged = { status: 410, code: 'SCN_PURGED' };
  const unknown = { status: 409, code: 'SCN_UNKNOWN' };
  expect(await refusal('PUT', '/checkpoint', { to: after - 1 })).toEqual({ ...purged, field: 'to' });
  expect(await refusal('PUT', '/checkpoint', { to: last + 1 })).toEqual({ ...unknown, field: 'to' });
  expect(await refusal('PUT', '/members/m', { from: after - 1 })).toEqual({ ...purged, field: 'from' });
  expect(await refusal('PUT', '/members/m', { from: last + 1 })).toEqual({ ...unknown, field: 'from' });
  expect(streamOf(relay, 'shop').groups.list()).toEqual([]);
  const joined = await fetch(`${url}/v1/streams/shop/groups/g/members/m`, { method: 'PUT' });
  const { epoch } = (await joined.json()) as { epoch: number };
  expect(
    await refusal('POST', '/members/m/commit', { epoch, checkpoints: [{ partitions: [0], scn: last + 1 }] }),
  ).toEqual({ ...unknown, field: 'checkpoints.0.scn' });
  expect(await refusal('POST', '/members/m/commit', { epoch, checkpoints: [{ partitions: [8], scn: last }] })).toEqual({
    status: 409,
    code: 'GROUP_INVALID',
    field: 'checkpoints.0.partitions',
  });
});

test('an update that moves the key comes as one line to a plain reader, and as halves to a member', async () => {
  insert(1);
  store.commit({
    kind: 'update',
    table: orders,
    rows: [{ before: { id: 1, status: 'new', doc: null }, after: { id: 7, status: 'new', doc: null } }],
  });
  await visible(2);
  expect((await read('')).map(({ op }) => op)).toEqual(['insert', 'update']);
  const member = `${url}/v1/streams/shop/groups/g/members/m`;
  await fetch(member, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ from: 'earliest' }),
  });
  const reader = new LineReader(await fetch(`${member}/changes`));
  const lines: Line[] = [];
  while (lines.length < 3) {
    const line = JSON.parse((await reader.take(1))[0] ?? '') as Line;
    if (line.op === 'insert' || line.op === 'delete') lines.push(line);
  }
  await reader.cancel();
  const halves = lines.filter(({ moved }) => moved !== undefined);
  expect(halves.map(({ op, moved, key }) => ({ op, moved, ...key }))).toEqual(
    expect.arrayContaining([
      { op: 'delete', moved: 'from', id: 1 },
      { op: 'insert', moved: 'to', id: 7 },
    ]),
  );
  expect(halves[0]?.scn).toBe(halves[1]?.scn);
});

test('a client over HTTP reads what there is and what comes, and resumes exactly after the relay was started anew', async () => {
  insert(1, 2);
  const seen: number[] = [];
  let last = 0;
  const consume = async (until: number, from: number | 'earliest'): Promise<void> => {
    await using client = connect(url);
    for await (const batch of client.stream<{ id: number }>('shop', { from })) {
      for (const { after } of batch.changes) seen.push(after?.id ?? 0);
      last = batch.scn;
      if (seen.length >= until) break;
    }
  };
  await consume(2, 'earliest');
  await stop();
  insert(3);
  await start();
  insert(4);
  await consume(4, last);
  expect(seen).toEqual([1, 2, 3, 4]);
});

test("a group's lag goes down to nothing when its member commits", async () => {
  insert(1, 2, 3);
  await visible(3);
  await using client = connect(url);
  for await (const batch of client.stream('shop', { group: 'g', from: 'earliest' })) {
    await batch.commit();
    const answer = await (await fetch(`${url}/v1/streams/shop/groups/g`)).json();
    const { lag } = answer as { lag: { changes: number; bytes: number; seconds: number } };
    if (lag.changes > 0) continue;
    expect(lag).toEqual({ changes: 0, bytes: 0, seconds: 0 });
    break;
  }
  const page = await (await fetch(`${url}/metrics`)).text();
  expect(page).toMatch(/tidings_group_commits_total\{stream="shop",group="g"\} [1-9]/);
});

test('a member whose name another process has taken ends without taking anything from it', async () => {
  insert(1, 2, 3);
  await visible(3);
  const options = { group: 'g', member: 'm', from: 'earliest' } as const;
  interface Shown {
    readonly epoch: number;
    readonly members: readonly { readonly member: string; readonly partitions: readonly number[] }[];
  }
  const shown = async (): Promise<Shown> => {
    const answer = (await (await fetch(`${url}/v1/streams/shop/groups/g`)).json()) as Shown;
    const members = answer.members.map(({ member, partitions }) => ({ member, partitions }));
    return { epoch: answer.epoch, members };
  };
  await using client = connect(url);
  const former = client.stream('shop', options)[Symbol.asyncIterator]();
  await former.next();
  const successor = client.stream('shop', options)[Symbol.asyncIterator]();
  await successor.next();
  const before = await shown();
  expect(before.members).toEqual([{ member: 'm', partitions: [0, 1, 2, 3, 4, 5, 6, 7] }]);
  await former.return?.();
  expect(await shown()).toEqual(before);
  await successor.return?.();
  expect((await shown()).members).toEqual([]);
});

describe('halves of updates that moved their keys, which have one SCN', () => {
  const partitions = 'partitions=0-7';
  const half = ({ scn, moved }: Line): string => `${scn} ${moved ?? ''}`;

  async function moveKeys(): Promise<string[]> {
    insert(1, 2, 3);
    const rows = [1, 2, 3].map((id) => ({
      before: { id, status: 'new', doc: null },
      after: { id: id + 10, status: 'new', doc: null },
    }));
    store.commit({ kind: 'update', table: orders, rows });
    await visible(6);
    const all = (await read(partitions)).map(half);
    expect(all).toHaveLength(9);
    return all;
  }

  test('a reader that polls with a limit gets both of each', async () => {
    const all = await moveKeys();
    for (const limit of [1, 2, 3, 4, 5]) {
      const polled: string[] = [];
      let from: number | string = 'earliest';
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- each begins where the last one ended
        const lines = await read(`${partitions}&limit=${limit}&from=${from}`);
        if (lines.length === 0) break;
        // Both halves are one change.
        expect(new Set(lines.map(({ scn }) => scn)).size).toBeLessThanOrEqual(limit);
        polled.push(...lines.map(half));
        from = lines.at(-1)?.scn ?? '';
      }
      expect(polled).toEqual(all);
    }
  });

  test('a reader of events that loses the connection between them gets both again', async () => {
    await moveKeys();
    const answer = await fetch(`${url}/v1/streams/shop/changes?${partitions}`, {
      headers: { accept: 'text/event-stream' },
    });
    const reader = new LineReader(answer, '\n\n');
    const events = (await reader.take(11)).slice(2);
    await reader.cancel();
    let id = '';
    const ids = events.map((event) => (id = /^id: (.*)$/m.exec(event)?.[1] ?? id));
    const resumed = await Promise.all(ids.map((last) => read(`${partitions}&from=${last}`)));
    for (const [index, event] of events.entries()) {
      const rest = (resumed[index] ?? []).map(half);
      const next = events
        .slice(index + 1)
        .map((each) => half(JSON.parse(/^data: (.*)$/m.exec(each)?.[1] ?? '') as Line));
      const isBetween = event.includes('"moved":"from"');
      expect(isBetween ? rest.slice(1) : rest).toEqual(next);
    }
  });

  test('a reader of one of the two partitions resumes behind its half', async () => {
    await moveKeys();
    const check = async (partition: number): Promise<void> => {
      const answer = await fetch(`${url}/v1/streams/shop/changes?partitions=${partition}`, {
        headers: { accept: 'text/event-stream' },
      });
      const reader = new LineReader(answer, '\n\n');
      const expected = await read(`partitions=${partition}`);
      const events = (await reader.take(2 + expected.length)).slice(2);
      await reader.cancel();
      for (const [index, event] of events.entries()) {
        const followsItsOther = expected[index + 1]?.scn === expected[index]?.scn;
        expect(event.startsWith('id: ')).toBe(!followsItsOther);
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, partition) => check(partition)));
  });
});

test('a member is told that the checkpoint of a partition was moved: it has another epoch then, and the others their own', async () => {
  insert(1, 2, 3, 4, 5, 6);
  await visible(6);
  const group = `${url}/v1/streams/shop/groups/g`;
  interface Told {
    readonly epoch: number;
    readonly partitions: readonly {
      readonly partition: number;
      readonly checkpoint: number;
      readonly epoch: number;
    }[];
  }
  const send = async (method: string, path: string, body: object): Promise<Told> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(group + path, { method, headers, body: JSON.stringify(body) });
    expect(response.status).toBe(200);
    return (await response.json()) as Told;
  };
  const joined = await send('PUT', '/members/m', { from: 'earliest' });
  expect(joined.partitions.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 8 }, () => joined.epoch));
  const to = (joined.partitions[0]?.checkpoint ?? 0) + 3;
  await send('PUT', '/checkpoint', { to, partitions: [2] });
  const { partitions } = await send('POST', '/members/m/heartbeat', { epoch: joined.epoch, released: [] });
  for (const { partition, checkpoint, epoch } of partitions) {
    if (partition === 2) {
      expect(checkpoint).toBe(to);
      expect(epoch).toBeGreaterThan(joined.epoch);
    } else expect({ checkpoint, epoch }).toEqual({ checkpoint: to - 3, epoch: joined.epoch });
  }
});

test('events resume behind the last one that came', async () => {
  insert(1, 2);
  await visible(2);
  const path = `${url}/v1/streams/shop/changes`;
  const accept = { accept: 'text/event-stream' };
  const first = new LineReader(await fetch(path, { headers: accept }), '\n\n');
  const events = await first.take(3);
  await first.cancel();
  const id = /^id: (\d+)$/m.exec(events[2] ?? '')?.[1] ?? '';
  const second = new LineReader(await fetch(path, { headers: { ...accept, 'last-event-id': id } }), '\n\n');
  expect((await second.take(3))[2]).toContain('"key":{"id":2}');
  await second.cancel();
});

describe('a stream whose log cannot be opened', () => {
  const description = (): string => join(directory, 'streams', 'shop', 'stream.json');
  const member = '/v1/streams/shop/groups/g/members/m';
  const damaged = {
    code: 'LOG_DAMAGED',
    message: expect.stringContaining('stream.json') as string,
    hint: expect.stringMatching(/./) as string,
    retry: 'never',
    details: { directory: expect.stringContaining('shop') as string },
  };

  async function send(method: string, path: string, body?: object): Promise<{ status: number; body: unknown }> {
    const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(url + path, { method, ...(body === undefined ? {} : json) });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
  }

  beforeEach(async () => {
    insert(1);
    await visible(1);
    await stop();
    renameSync(description(), join(directory, 'kept'));
    await start();
  });

  test('is told of with what is wrong, and with nothing of what is in the log', async () => {
    const summary = {
      name: 'shop',
      state: 'failed',
      created: null,
      first: null,
      last: null,
      firstCommit: null,
      lastCommit: null,
      bytes: null,
      error: { ...damaged, since: expect.stringMatching(/Z$/) as string },
    };
    expect(await send('GET', '/v1/streams')).toEqual({ status: 200, body: [summary] });
    const { status, body } = await send('GET', '/v1/streams/shop');
    expect(status).toBe(200);
    expect(body).toEqual({
      ...summary,
      partitions: 8,
      position: null,
      stall: null,
      heard: null,
      connections: 0,
      changes: 0,
      transactions: 0,
      sourceBytes: 0,
      groups: null,
    });
    expect(await send('GET', '/readyz')).toMatchObject({
      status: 503,
      body: { ready: false, reasons: [{ stream: 'shop', code: 'LOG_DAMAGED', detail: damaged.message }] },
    });
    const page = await (await fetch(`${url}/metrics`)).text();
    expect(page).toContain('tidings_stream_state{stream="shop",state="failed"} 1\n');
    expect(page).toContain('tidings_stream_state{stream="shop",state="running"} 0\n');
    expect(page).not.toContain('tidings_stream_log_bytes{');
  });

  test('answers every request that needs its log with what is wrong, without saying it in the log each time', async () => {
    const requests: readonly (readonly [method: string, path: string, body?: object])[] = [
      ['GET', '/v1/streams/shop/schemas'],
      ['GET', '/v1/streams/shop/changes'],
      ['POST', '/v1/streams/shop/pause'],
      ['POST', '/v1/streams/shop/resume'],
      ['GET', '/v1/streams/shop/groups'],
      ['GET', '/v1/streams/shop/groups/g'],
      ['DELETE', '/v1/streams/shop/groups/g'],
      ['POST', '/v1/streams/shop/groups/g/pause'],
      ['PUT', '/v1/streams/shop/groups/g/checkpoint', { to: 'latest' }],
      ['PUT', member, {}],
      ['POST', `${member}/heartbeat`, { epoch: 1, released: [] }],
      ['POST', `${member}/commit`, { epoch: 1, checkpoints: [] }],
      ['GET', `${member}/changes`],
      ['DELETE', `${member}?epoch=1`],
      ['GET', '/v1/streams/shop/snapshots'],
      ['POST', '/v1/streams/shop/snapshots', {}],
      ['GET', '/v1/streams/shop/snapshots/1'],
      ['POST', '/v1/streams/shop/snapshots/1/cancel'],
    ];
    const { code, message: detail, hint } = damaged;
    for (const [method, path, body] of requests) {
      const problem = { status: 500, body: { status: 500, code, detail, hint } };
      expect(await send(method, path, body), `${method} ${path}`).toMatchObject(problem);
    }
    expect(serverLog.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('stops its consumers with what is wrong, and serves them again when it was mended and resumed', async () => {
    {
      await using client = connect(url, { reconnect: { delayMinMs: 0, delayMaxMs: 1 } });
      for (const options of [{}, { group: 'g' }]) {
        const iterator = client.stream('shop', options)[Symbol.asyncIterator]();
        await expect(iterator.next()).rejects.toMatchObject({ code: 'LOG_DAMAGED', message: damaged.message });
      }
    }
    renameSync(join(directory, 'kept'), description());
    expect(await send('POST', '/v1/streams/shop/resume')).toMatchObject({
      status: 200,
      body: { error: null, partitions: 8, groups: [] },
    });
    insert(2);
    await visible(2);
    expect(ids(await read(''))).toEqual([1, 2]);
    expect(await send('GET', '/readyz')).toMatchObject({ status: 200 });
  });
});
