import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { column, COMMITTED_AT_US, part, position, rowBatch, table } from '../../../test/support/changes.ts';
import { changeOf } from '../../../test/support/mapped.ts';
import { deadLetter, MemorySink, sinkService } from '../../../test/support/memory-sinks.ts';
import { snapshotStatus } from '../../../test/support/memory-snapshots.ts';
import { MemoryStream } from '../../../test/support/memory-stream.ts';
import { startRelayServer, type TestServer } from '../../../test/support/relay-server.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/http-api.md'), 'utf8');

interface Example {
  readonly request: string;
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
  readonly answer: { readonly kind: string; readonly status: number; readonly text: string } | null;
}

/** Each `http` block, with the answer that follows it. */
const examples: readonly Example[] = [
  ...page.matchAll(/^ *```http\n([^]*?)\n *```(?:\n\n *```(json|ndjson) (\d+)\n([^]*?)\n *```)?/gm),
].map(([, request = '', kind, status, text = '']) => {
  const [head = '', body] = request.split('\n\n');
  const [method = '', path = ''] = head.trim().split(' ');
  const answer = kind === undefined ? null : { kind, status: Number(status), text };
  return { request: head.trim(), method, path, body, answer };
});

/** How many bytes batches have is no matter of this page. */
function comparable(json: string): unknown {
  return JSON.parse(json, (name, value: unknown) => (name === 'bytes' ? 'some' : value));
}

let server: TestServer;
const nowMs = Math.floor(COMMITTED_AT_US / 1000) + 2000;

beforeAll(async () => {
  const orders = table('shop.orders', [
    column('id', 'int', { nullable: false }),
    column('status', 'varchar'),
    column('total', 'decimal'),
  ]);
  const shop = new MemoryStream('shop');
  shop.fenced = [];
  shop.state = { heardMs: nowMs - 100 };
  const before = { id: 7, status: 'new', total: '9.90' };
  const after = { ...before, status: 'paid' };
  const transaction = { id: '0-1-43', start: position('mysql-bin.000003:484') };
  shop.log.put([part([rowBatch(orders, 'insert', { after: [before] })])]);
  shop.log.put([part([rowBatch(orders, 'update', { before: [before], after: [after] })], { transaction })], {
    position: 'mysql-bin.000003:890',
  });
  shop.groupList = [
    {
      group: 'search',
      paused: false,
      epoch: 3,
      members: [{ member: 'worker-1', joinedMs: nowMs - 60_000, heardMs: nowMs - 500, partitions: [0], revoking: [] }],
      partitions: [{ partition: 0, member: 'worker-1', checkpoint: 1001, committedMs: nowMs - 700 }],
    },
  ];
  shop.snapshots.snapshotList = [
    snapshotStatus({
      id: 3,
      spec: {
        tables: ['shop.orders', 'shop.lines'],
        where: null,
        group: null,
        truncate: false,
        reason: 'request',
        limits: { rowsPerSecond: 50_000, hours: '22:00-05:30' },
      },
      createdMs: nowMs - 30_000,
      rows: 1_250_000,
      estimate: 5_000_000,
      percent: 25,
      rowsPerSecond: 49_870.4,
      secondsLeft: 75.2,
      tables: [
        { database: 'shop', table: 'lines', state: 'reading', rows: 1_050_000, estimate: 4_800_000, error: null },
        { database: 'shop', table: 'orders', state: 'done', rows: 200_000, estimate: 198_211, error: null },
      ],
    }),
  ];
  const copy = new MemorySink({
    name: 'copy',
    rows: 48_211,
    batches: 120,
    pending: 12,
    lagMs: 400,
    writtenUs: COMMITTED_AT_US,
    parked: 2,
    parkedKeys: 1,
  });
  copy.letters = [
    deadLetter({
      id: 7,
      target: 'copy.orders',
      reason: {
        code: 'SINK_ROW_REFUSED',
        message: 'column "status" of copy.orders is too short',
        hint: 'Make the column longer, then redrive the dead letter.',
      },
      parkedMs: nowMs - 1500,
      change: changeOf(orders, { before, after, scn: 1002 }),
    }),
  ];
  copy.outcome = { written: 1, left: 1, refused: [8] };
  server = await startRelayServer([shop], {
    sinks: sinkService(copy),
    clock: { nowMs: () => nowMs, sleep: () => Promise.resolve() },
  });
});

afterAll(() => server[Symbol.asyncDispose]());

describe('docs/reference/http-api.md', () => {
  test('has examples', () => {
    expect(examples.length).toBeGreaterThan(7);
  });

  test.each(examples)('$request is answered as the page says', async ({ method, path, body, answer }) => {
    const response = await server.send(method, path, body);
    const text = await response.text();
    if (answer === null) {
      expect(response.ok).toBe(true);
      return;
    }
    expect(response.status).toBe(answer.status);
    if (answer.kind === 'ndjson') expect(text.trimEnd()).toBe(answer.text);
    else expect(comparable(text)).toEqual(comparable(answer.text));
  });

  test('names every path of the API', () => {
    const { paths } = server.server.openApi() as { paths: Record<string, Record<string, unknown>> };
    for (const path of Object.keys(paths)) {
      const last = path.split('/').at(-1) ?? '';
      expect(page).toMatch(new RegExp(`(${path.replaceAll(/[{}]/g, '.')}|…/members/.member.)(?![a-z])`));
      expect(page).toContain(last);
    }
  });

  test('names every field of a request for a snapshot, and every one of the answer', () => {
    const { components } = server.server.openApi() as {
      components: { schemas: Record<string, { properties: Record<string, { properties?: object }> }> };
    };
    const { SnapshotRequest: request, Snapshot: snapshot } = components.schemas;
    for (const [name, { properties = {} }] of Object.entries(request?.properties ?? {})) {
      const inner = Object.keys(properties);
      for (const field of inner.length === 0 ? [name] : inner.map((each) => `${name}.${each}`)) {
        expect(page).toContain(`\`${field}\``);
      }
    }
    for (const name of Object.keys(snapshot?.properties ?? {})) expect(page).toContain(`"${name}":`);
  });

  test('names every field of a sink, of a dead letter and of what became of it', () => {
    const { components } = server.server.openApi() as {
      components: { schemas: Record<string, { properties: Record<string, object> }> };
    };
    for (const schema of ['Sink', 'DeadLetter', 'DeadLetterReason', 'DeadLetterEdit', 'RedriveRequest', 'Redriven']) {
      const names = Object.keys(components.schemas[schema]?.properties ?? {});
      expect(names).not.toEqual([]);
      for (const name of names) expect(page).toContain(`"${name}":`);
    }
  });

  test('names every parameter of a reading', () => {
    const { paths } = server.server.openApi() as {
      paths: Record<string, { get?: { parameters?: { name: string; in: string }[] } }>;
    };
    const parameters = paths['/v1/streams/{stream}/changes']?.get?.parameters ?? [];
    for (const { name } of parameters.filter((parameter) => parameter.in === 'query')) {
      expect(page).toContain(`\`${name}\``);
    }
  });
});
