import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TidingsError } from '../core/errors.ts';
import type { Source } from '../core/source.ts';
import { FakeSource } from '../testing/fake-source.ts';
import { FakePosition, FakeStore } from '../testing/fake-store.ts';
import { tableOf } from '../testing/tables.ts';
import { Relay } from './relay.ts';
import type { RelayStream, SourceResume, StreamDefinition } from './relay-api.ts';
import { streamOf } from './server/served-relay.ts';

const orders = tableOf('shop.orders', { id: 'int', state: 'varchar' });

let directory: string;
let store: FakeStore;
/** What each source was opened with, in order. */
let opened: SourceResume[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidings-runner-'));
  store = new FakeStore();
  opened = [];
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** The source begins at its store's end when the stream is new, as `from: now` does. */
function follow(resume: SourceResume): Source {
  opened.push(resume);
  const start = resume.position === null ? store.end : FakePosition.parse(resume.position);
  const source = new FakeSource(store, { from: start });
  return Object.assign(source, { ready: () => Promise.resolve(start) });
}

function open(openSource: StreamDefinition['openSource']): Promise<Relay> {
  return Relay.open({ directory, streams: { shop: { openSource } } });
}

function shopOf(relay: Relay): RelayStream {
  return streamOf(relay, 'shop');
}

function order(id: number): FakePosition {
  return store.commit({ table: orders, kind: 'insert', rows: [{ id, state: 'new' }] });
}

async function until(stream: RelayStream, condition: () => boolean): Promise<void> {
  while (!condition()) {
    const changed = Promise.withResolvers<void>();
    const forget = stream.log.onChange(() => changed.resolve());
    const timer = setTimeout(() => changed.resolve(), 20);
    await changed.promise;
    clearTimeout(timer);
    forget();
  }
}

async function idsOf(relay: Relay): Promise<unknown[]> {
  const ids: unknown[] = [];
  for await (const batch of relay.stream('shop', { from: 'earliest', untilEnd: true })) {
    ids.push(...batch.changes.map(({ after }) => after?.['id']));
  }
  return ids;
}

test('a new stream that ends before its first change begins at the same place again, and misses nothing in between', async () => {
  order(1);
  const first = await open((resume) => Promise.resolve(follow(resume)));
  await until(shopOf(first), () => shopOf(first).log.position !== null);
  await first.close();
  order(2);
  const second = await open((resume) => Promise.resolve(follow(resume)));
  order(3);
  await until(shopOf(second), () => shopOf(second).status().changes === 2);
  expect(await idsOf(second)).toEqual([2, 3]);
  expect(opened.map(({ position }) => position)).toEqual([null, 'fake:1']);
  await second.close();
});

test('a source that fails in a way that may pass is opened again behind the last complete transaction', async () => {
  let failures = 2;
  const relay = await open((resume) => {
    if (failures-- > 0) throw new TidingsError('CONNECTION_FAILED', 'nobody there');
    return Promise.resolve(follow(resume));
  });
  await until(shopOf(relay), () => shopOf(relay).status().state === 'running');
  order(1);
  await until(shopOf(relay), () => shopOf(relay).status().changes === 1);
  expect(shopOf(relay).status()).toMatchObject({ state: 'running', error: null, transactions: 1 });
  await relay.close();
});

test('a source that needs a person stops the stream with its error, and goes on where it was when told to', async () => {
  let broken = true;
  const relay = await open((resume) => {
    if (broken) throw new TidingsError('BINLOG_PURGED', 'the log is gone');
    return Promise.resolve(follow(resume));
  });
  await until(shopOf(relay), () => shopOf(relay).status().state === 'failed');
  expect(shopOf(relay).status().error).toMatchObject({ code: 'BINLOG_PURGED', retry: 'operator' });
  broken = false;
  await shopOf(relay).resume();
  await until(shopOf(relay), () => shopOf(relay).log.position !== null);
  order(1);
  await until(shopOf(relay), () => shopOf(relay).status().changes === 1);
  expect(shopOf(relay).status().error).toBeNull();
  await relay.close();
});

test('a paused stream lets go of its source, also after the relay was opened again, and resumes without a gap', async () => {
  const first = await open((resume) => Promise.resolve(follow(resume)));
  await until(shopOf(first), () => shopOf(first).log.position !== null);
  order(1);
  await until(shopOf(first), () => shopOf(first).status().changes === 1);
  await shopOf(first).pause();
  expect(store.connections).toBe(0);
  order(2);
  await first.close();
  const second = await open((resume) => Promise.resolve(follow(resume)));
  expect(shopOf(second).status().state).toBe('paused');
  expect(opened).toHaveLength(1);
  await shopOf(second).resume();
  order(3);
  await until(shopOf(second), () => shopOf(second).status().changes === 2);
  expect(await idsOf(second)).toEqual([1, 2, 3]);
  await second.close();
});

test('a stream that gave up a gap begins at the present end once: opened again, it goes on where it was', async () => {
  order(1);
  const first = await open((resume) => Promise.resolve(follow(resume)));
  await until(shopOf(first), () => shopOf(first).log.position !== null);
  await first.close();
  opened = [];
  order(2);
  const openSource = (resume: SourceResume): Promise<Source> => {
    if (resume.position === 'fake:1' && resume.anew !== true) {
      opened.push(resume);
      throw new TidingsError('BINLOG_PURGED', 'what comes behind fake:1 is gone');
    }
    return Promise.resolve(follow(resume.anew === true ? { ...resume, position: null } : resume));
  };
  const second = await Relay.open({ directory, streams: { shop: { openSource, snapshots: { onGap: 'snapshot' } } } });
  const shop = shopOf(second);
  await until(shop, () => String(shop.log.position) === 'fake:2');
  const broken = order(3);
  store.failAt(broken, new TidingsError('CONNECTION_FAILED', 'gone for a moment'));
  await until(shop, () => shop.status().state === 'waiting');
  order(4);
  store.repair();
  await until(shop, () => shop.status().changes === 2);
  expect(await idsOf(second)).toEqual([3, 4]);
  expect(opened.slice(1).map(({ anew }) => anew ?? false)).toEqual([true, ...opened.slice(2).map(() => false)]);
  expect(shop.snapshots.list().map(({ spec }) => spec.reason)).toEqual(['gap']);
  await second.close();
});
