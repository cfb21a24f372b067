import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { column, COMMITTED_AT_US, part, rowBatch, table } from '../../../test/support/changes.ts';
import { MemorySink, sinkService } from '../../../test/support/memory-sinks.ts';
import { snapshotStatus } from '../../../test/support/memory-snapshots.ts';
import { MemoryStream } from '../../../test/support/memory-stream.ts';
import { startRelayServer, type TestServer, until } from '../../../test/support/relay-server.ts';
import { METRIC_DESCRIPTIONS } from './metrics.ts';

const orders = table('shop.orders', [column('id', 'int', { nullable: false })]);
let server: TestServer;
let shop: MemoryStream;
const nowMs = COMMITTED_AT_US / 1000 + 2000;

beforeAll(async () => {
  server = await startRelayServer([], { clock: { nowMs: () => nowMs, sleep: () => Promise.resolve() } });
});

afterAll(() => server[Symbol.asyncDispose]());

beforeEach(() => {
  shop = new MemoryStream('shop');
  shop.log.put([part([rowBatch(orders, 'insert', { after: [{ id: 1 }, { id: 2 }] })])]);
  shop.groupList = [
    {
      group: 'g',
      paused: true,
      epoch: 1,
      members: [],
      partitions: [{ partition: 0, member: null, checkpoint: 1000, committedMs: null }],
    },
  ];
  shop.state = { heardMs: nowMs - 500, sourceBytes: 4711, connections: 3 };
  server.streams.set('shop', shop);
});

async function metrics(): Promise<string> {
  return (await server.get('/metrics')).text();
}

test('streams are told with their states, ranges and times', async () => {
  const page = await metrics();
  for (const line of [
    'tidings_stream_state{stream="shop",state="running"} 1',
    'tidings_stream_state{stream="shop",state="failed"} 0',
    'tidings_stream_changes_total{stream="shop"} 2',
    'tidings_stream_source_bytes_total{stream="shop"} 4711',
    'tidings_stream_connections_total{stream="shop"} 3',
    'tidings_stream_heard_seconds{stream="shop"} 0.5',
    `tidings_stream_last_commit_timestamp_seconds{stream="shop"} ${COMMITTED_AT_US / 1e6}`,
    'tidings_stream_first_scn{stream="shop"} 1001',
    'tidings_stream_last_scn{stream="shop"} 1002',
    'tidings_stream_stalled{stream="shop",reason="disk-full"} 0',
  ]) {
    expect(page.split('\n')).toContain(line);
  }
});

test('groups are told with their lag', async () => {
  const page = await metrics();
  for (const line of [
    'tidings_group_members{stream="shop",group="g"} 0',
    'tidings_group_paused{stream="shop",group="g"} 1',
    'tidings_group_checkpoint_scn{stream="shop",group="g"} 1000',
    'tidings_group_lag_changes{stream="shop",group="g"} 2',
    `tidings_group_lag_bytes{stream="shop",group="g"} ${shop.log.visible.bytes}`,
  ]) {
    expect(page.split('\n')).toContain(line);
  }
  expect(page).toContain('tidings_group_lag_seconds{stream="shop",group="g"} 2\n');
});

test('readers, commits and requests are counted', async () => {
  await (await server.get('/v1/streams/shop/changes')).text();
  await until(() => shop.readers[0]?.isClosed === true);
  await server.send('POST', '/v1/streams/shop/groups/g/members/m/commit', { epoch: 1, checkpoints: [] });
  await server.get('/v1/nothing/secret');
  const page = await metrics();
  expect(page).toContain('tidings_readers_ended_total{stream="shop",format="ndjson",reason="complete"} 1');
  expect(page).toContain('tidings_readers_open{stream="shop",format="ndjson"} 0');
  expect(page).toMatch(/tidings_reader_bytes_total\{stream="shop",format="ndjson"\} [1-9]/);
  expect(page).toContain('tidings_group_commits_total{stream="shop",group="g"} 1');
  expect(page).toContain('tidings_group_fenced_total{stream="shop",group="g"} 1');
  expect(page).toContain(
    'tidings_http_requests_total{method="GET",route="/v1/streams/:stream/changes",status="200"} 1',
  );
  expect(page).toContain('tidings_http_requests_total{method="other",route="other",status="404"} 1');
  // Paths that anybody can make up are no labels.
  expect(page).not.toContain('secret');
});

test('scrapes at the same time do not disturb each other', async () => {
  const pages = await Promise.all([metrics(), metrics(), metrics()]);
  for (const page of pages) expect(page).toContain('tidings_stream_changes_total{stream="shop"} 2\n');
});

test('a stream that is gone leaves no figures behind', async () => {
  await metrics();
  server.streams.delete('shop');
  expect(await metrics()).not.toContain('tidings_stream_state{stream="shop"');
});

test('the page has exactly the metrics that are described, and the reference names all of them', async () => {
  const names = [...(await metrics()).matchAll(/^# TYPE (tidings_\w+) (\w+)$/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  );
  expect(names.toSorted()).toEqual(METRIC_DESCRIPTIONS.map(({ name, type }) => `${name} ${type}`).toSorted());
  const reference = readFileSync(join(import.meta.dirname, '../../../docs/reference/metrics.md'), 'utf8');
  for (const { name } of METRIC_DESCRIPTIONS) expect(reference).toContain(`\`${name}\``);
});

test('sinks are told by state, with what they wrote, what is on its way and what was set aside', async () => {
  const copy = new MemorySink({
    name: 'copy',
    state: 'waiting',
    rows: 100,
    batches: 4,
    pending: 7,
    lagMs: 2500,
    parked: 3,
    parkedKeys: 2,
  });
  await using relay = await startRelayServer([], { sinks: sinkService(copy, new MemorySink({ name: 'idle' })) });
  const page = (await (await relay.get('/metrics')).text()).split('\n');
  for (const expected of [
    'tidings_sink_state{sink="copy",state="waiting"} 1',
    'tidings_sink_state{sink="copy",state="running"} 0',
    'tidings_sink_state{sink="idle",state="running"} 1',
    'tidings_sink_rows_total{sink="copy"} 100',
    'tidings_sink_batches_total{sink="copy"} 4',
    'tidings_sink_pending_rows{sink="copy"} 7',
    'tidings_sink_lag_seconds{sink="copy"} 2.5',
    'tidings_sink_dead_letters{sink="copy"} 3',
    'tidings_sink_blocked_keys{sink="copy"} 2',
    'tidings_sink_blocked_keys{sink="idle"} 0',
  ]) {
    expect(page).toContain(expected);
  }
});

describe('snapshots', () => {
  const line = (name: string, page: string): string | undefined =>
    page.split('\n').find((each) => each.startsWith(`${name}{stream="shop"`));

  test('are told by state, with what is left to read', async () => {
    shop.snapshots.snapshotList = [
      snapshotStatus({ id: 1, state: 'failed', rows: 7, estimate: 10 }),
      snapshotStatus({ id: 2, rows: 100, estimate: 400, secondsLeft: 12.5 }),
      snapshotStatus({ id: 3, state: 'paused', rows: 10, estimate: 60 }),
      snapshotStatus({ id: 4 }),
    ];
    const page = await metrics();
    for (const expected of [
      'tidings_snapshots{stream="shop",state="running"} 2',
      'tidings_snapshots{stream="shop",state="paused"} 1',
      'tidings_snapshots{stream="shop",state="done"} 0',
      'tidings_snapshots{stream="shop",state="failed"} 1',
      'tidings_snapshots{stream="shop",state="cancelled"} 0',
      'tidings_snapshot_rows_left{stream="shop"} 350',
      'tidings_snapshot_seconds_left{stream="shop"} 12.5',
    ]) {
      expect(page.split('\n')).toContain(expected);
    }
  });

  test('that are over or not yet asked for leave no estimate', async () => {
    shop.snapshots.snapshotList = [snapshotStatus({ id: 1, state: 'done', rows: 7, estimate: 7 })];
    const page = await metrics();
    expect(line('tidings_snapshot_rows_left', page)).toBeUndefined();
    expect(line('tidings_snapshot_seconds_left', page)).toBeUndefined();
  });

  test('are counted row by row since the relay started, and the count never goes back', async () => {
    const rows = 'tidings_snapshot_rows_total';
    const old = { createdMs: nowMs - 1000 };
    const fresh = { createdMs: nowMs + 1000 };
    const steps = [
      // Read before the relay started: not counted.
      [[snapshotStatus({ id: 1, rows: 1000, ...old })], 0],
      [[snapshotStatus({ id: 1, rows: 1500, ...old }), snapshotStatus({ id: 2, rows: 20, ...fresh })], 520],
      // A chunk that is read again after a crash is not counted twice.
      [[snapshotStatus({ id: 1, rows: 1400, ...old }), snapshotStatus({ id: 2, rows: 20, ...fresh })], 520],
      // One that is forgotten takes nothing away.
      [[snapshotStatus({ id: 2, rows: 50, ...fresh })], 550],
      [[], 550],
    ] as const;
    for (const [snapshots, total] of steps) {
      shop.snapshots.snapshotList = [...snapshots];
      // oxlint-disable-next-line no-await-in-loop -- one look after the other
      expect(line(rows, await metrics())).toBe(`${rows}{stream="shop"} ${total}`);
    }
  });
});
