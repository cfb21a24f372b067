import { isTidingsError, TidingsError } from '../../core/errors.ts';
import { parseExactJson } from '../../base/exact-json.ts';
import type { RowKey } from '../../core/snapshots/key-list.ts';
import { areHours, HOURS_TEXT } from '../../core/snapshots/request-bounds.ts';
import type { SnapshotLimits } from '../../core/snapshots/snapshot-state.ts';
import { parseTablePattern } from '../../core/table-pattern.ts';
import type { RelayStream, SnapshotStatus } from '../relay-api.ts';
import { badRequest } from './problem.ts';
import {
  describe,
  isoMs,
  isoMsOrNull,
  json,
  pathParameters,
  type RouteContext,
  type SnapshotParams,
  type StreamParams,
} from './routing.ts';
import { ref } from './json-schema.ts';
import { streamOf } from './served-relay.ts';

const TAGS = ['snapshots'];
const PARAMS = pathParameters('stream', 'id');

/** As the schema `SnapshotRequest` lets it in. */
interface StartBody {
  readonly tables?: readonly string[];
  readonly where?: string;
  /** Rounded: `exactKeys` has them as they were sent. */
  readonly keys?: readonly unknown[];
  readonly group?: string;
  readonly truncate?: boolean;
  readonly limits?: SnapshotLimits;
}

const ACTIONS = {
  pause: {
    summary: 'Read no more of a snapshot',
    description: 'Until it is resumed, also over a restart of the relay.',
  },
  resume: {
    summary: 'Go on with a snapshot',
    description:
      'Where it was: at most the chunks at hand are read again. Of one that has failed, what could not be read is tried again.',
  },
  cancel: {
    summary: 'End a snapshot',
    description: 'What it has brought stays in the stream. One that has failed is not tried again by itself.',
  },
} as const;

export function addSnapshotRoutes({ app, relay }: RouteContext): void {
  app.get<{ Params: StreamParams }>(
    '/v1/streams/:stream/snapshots',
    describe({
      operationId: 'listSnapshots',
      summary: 'The snapshots of a stream',
      description: 'In the order in which they were asked for; of those that are over only the last ones.',
      tags: TAGS,
      role: 'read',
      params: pathParameters('stream'),
      answers: { 200: json({ type: 'array', items: ref('SnapshotSummary') }, 'The snapshots.') },
    }),
    ({ params }) => streamOf(relay, params.stream).snapshots.list().map(snapshotSummary),
  );

  app.post<{ Params: StreamParams; Body: StartBody }>(
    '/v1/streams/:stream/snapshots',
    describe({
      operationId: 'startSnapshot',
      summary: 'Bring the rows that exist already into the stream',
      description:
        'For all its consumers, or for one group alone. A few snapshots are carried out at a time, in the order in which they were asked for.',
      tags: TAGS,
      role: 'operate',
      params: pathParameters('stream'),
      body: ref('SnapshotRequest'),
      keepsText: true,
      answers: { 201: json('Snapshot', 'The snapshot. It is kept: a restart of the relay does not lose it.') },
      problems: [409],
    }),
    async ({ params, body, bodyText }, reply) => {
      const stream = streamOf(relay, params.stream);
      checkStart(body);
      const { keys, ...request } = body;
      const status = await stream.snapshots.start(
        keys === undefined ? request : { ...request, keys: exactKeys(bodyText) },
      );
      const place = `/v1/streams/${encodeURIComponent(stream.name)}/snapshots/${status.id}`;
      return reply.code(201).header('location', place).send(snapshotDetails(status));
    },
  );

  app.get<{ Params: SnapshotParams }>(
    '/v1/streams/:stream/snapshots/:id',
    describe({
      operationId: 'getSnapshot',
      summary: 'One snapshot: how far it is, table by table',
      tags: TAGS,
      role: 'read',
      params: PARAMS,
      answers: { 200: json('Snapshot', 'The snapshot.') },
    }),
    ({ params }) => snapshotNow(streamOf(relay, params.stream), params.id),
  );

  for (const action of ['pause', 'resume', 'cancel'] as const) {
    app.post<{ Params: SnapshotParams }>(
      `/v1/streams/:stream/snapshots/:id/${action}`,
      describe({
        operationId: `${action}Snapshot`,
        ...ACTIONS[action],
        tags: TAGS,
        role: 'operate',
        params: PARAMS,
        answers: { 200: json('Snapshot', 'The snapshot. The change is durable.') },
        problems: [409],
      }),
      async ({ params }) => {
        const stream = streamOf(relay, params.stream);
        // One that there is not is said to be so in the words of this API.
        snapshotNow(stream, params.id);
        await stream.snapshots[action](Number(params.id));
        return snapshotNow(stream, params.id);
      },
    );
  }
}

/** The schema has let it in, and `JSON.parse` has rounded its integers. */
function exactKeys(bodyText: string): readonly RowKey[] {
  return (parseExactJson(bodyText) as { readonly keys: readonly RowKey[] }).keys;
}

/** What a schema cannot say. @throws TidingsError REQUEST_INVALID naming the field */
function checkStart({ tables = [], where, truncate = false, limits = {} }: StartBody): void {
  for (const [index, text] of tables.entries()) checkPattern(text, `tables.${index}`);
  if (limits.hours !== undefined && !areHours(limits.hours)) {
    throw badRequest('limits.hours', '"limits.hours" are no hours of the day', `Write ${HOURS_TEXT}.`);
  }
  if (truncate && where !== undefined) {
    throw badRequest(
      'truncate',
      'a snapshot of some rows cannot empty the tables of its consumers',
      'Leave out `where` or `truncate`.',
    );
  }
}

/** @throws TidingsError REQUEST_INVALID naming the field */
export function checkPattern(text: string, field: string): void {
  try {
    parseTablePattern(text, { database: null });
  } catch (error) {
    if (!isTidingsError(error)) throw error;
    throw badRequest(field, error.message, error.hint);
  }
}

/** @throws TidingsError SNAPSHOT_UNKNOWN */
function snapshotNow(stream: RelayStream, id: string): object {
  const status = stream.snapshots.get(Number(id));
  if (status === null) {
    throw new TidingsError('SNAPSHOT_UNKNOWN', `the stream has no snapshot ${id}`, {
      details: { field: 'id', stream: stream.name },
    });
  }
  return snapshotDetails(status);
}

function snapshotSummary(status: SnapshotStatus): object {
  const { id, state, spec, createdMs, endedMs, error, rows, estimate, percent, rowsPerSecond, secondsLeft } = status;
  const {
    parallel = null,
    rowsPerSecond: rate = null,
    threadsRunning = null,
    replicaLagSeconds = null,
    hours = null,
  } = spec.limits;
  return {
    id,
    state,
    reason: spec.reason,
    patterns: spec.tables,
    where: spec.where,
    keyCount: spec.keys?.count ?? null,
    group: spec.group,
    reader: spec.reader?.name ?? null,
    truncate: spec.truncate,
    limits: { parallel, rowsPerSecond: rate, threadsRunning, replicaLagSeconds, hours },
    created: isoMs(createdMs),
    ended: isoMsOrNull(endedMs),
    error,
    rows,
    estimate,
    percent,
    rowsPerSecond: rowsPerSecond === null ? null : Math.round(rowsPerSecond),
    secondsLeft: secondsLeft === null ? null : Math.ceil(secondsLeft),
    waitsFor: status.waitsFor,
    waitsBecause: status.waitsBecause,
    tableCount: status.tables.length,
    tablesLeft: status.tables.filter(({ state: of }) => of === 'waiting' || of === 'reading').length,
  };
}

function snapshotDetails(status: SnapshotStatus): object {
  return {
    ...snapshotSummary(status),
    tables: status.tables.map(({ database, table, state, rows, estimate, error }) => ({
      database,
      table,
      state,
      rows,
      estimate,
      error,
    })),
  };
}
