import { isTidingsError } from '../../core/errors.ts';
import { avroSchema } from '../../core/rows/avro-schema.ts';
import { type RowShape, rowShape } from '../../core/rows/row-shape.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import { isoMicroseconds } from '../../formats/json-text.ts';
import type { ChangeLog } from '../log/change-log.ts';
import type { RelayStream, ServedStream, StreamFailure } from '../relay-api.ts';
import { badRequest } from './problem.ts';
import { describe, isoMs, isoMsOrNull, json, pathParameters, type RouteContext, type StreamParams } from './routing.ts';
import { servedStreamOf, streamOf } from './served-relay.ts';

const TAGS = ['streams'];
const PARAMS = pathParameters('stream');

export function addStreamRoutes({ app, relay }: RouteContext): void {
  app.get(
    '/v1/streams',
    describe({
      operationId: 'listStreams',
      summary: 'All streams',
      tags: TAGS,
      role: 'read',
      answers: { 200: json({ type: 'array', items: { $ref: 'StreamSummary#' } }, 'The streams.') },
    }),
    () => [...relay.streams.values()].map(streamSummary),
  );

  app.get<{ Params: StreamParams }>(
    '/v1/streams/:stream',
    describe({
      operationId: 'getStream',
      summary: 'One stream',
      tags: TAGS,
      role: 'read',
      params: PARAMS,
      answers: { 200: json('Stream', 'The stream.') },
    }),
    ({ params }) => streamDetails(servedStreamOf(relay, params.stream)),
  );

  for (const action of ['pause', 'resume'] as const) {
    app.post<{ Params: StreamParams }>(
      `/v1/streams/:stream/${action}`,
      describe({
        operationId: `${action}Stream`,
        summary: action === 'pause' ? 'Stop reading the source' : 'Read the source again',
        description:
          action === 'pause'
            ? 'Until it is resumed, also over a restart of the relay. Consumers go on with what the log has.'
            : 'After a pause, or after a failure that a person has cured. Also opens a log that could not be opened or written before.',
        tags: TAGS,
        role: 'operate',
        params: PARAMS,
        answers: { 200: json('Stream', 'The stream. The change is durable.') },
      }),
      async ({ params }) => {
        const stream = servedStreamOf(relay, params.stream);
        await stream[action]();
        return streamDetails(stream);
      },
    );
  }

  app.get<{ Params: StreamParams; Querystring: { readonly fingerprint?: string } }>(
    '/v1/streams/:stream/schemas',
    describe({
      operationId: 'getSchemas',
      summary: 'Table definitions, with the Avro schemas of their rows',
      description:
        'The latest definition of every table in the log; with `fingerprint`, what the rows of a batch mean.',
      tags: TAGS,
      role: 'read',
      params: PARAMS,
      querystring: {
        type: 'object',
        properties: {
          fingerprint: { type: 'string', pattern: '^[0-9a-f]{16}$', description: 'A shape that a batch refers to.' },
        },
        additionalProperties: false,
      },
      answers: { 200: json({ anyOf: [{ $ref: 'Tables#' }, { $ref: 'Shape#' }] }, 'The definitions, or the shape.') },
    }),
    ({ params, query }) => {
      const stream = streamOf(relay, params.stream);
      if (query.fingerprint === undefined) return { tables: stream.log.tables().map(tableWithAvro) };
      const shape = shapeOf(stream, query.fingerprint);
      return { fingerprint: shape.fingerprint, shape: JSON.parse(shape.text) as unknown, avro: avroSchema(shape) };
    },
  );
}

function shapeOf(stream: RelayStream, fingerprint: string): RowShape {
  try {
    return stream.log.shape(fingerprint);
  } catch (error) {
    if (!isTidingsError(error)) throw error;
    throw badRequest(
      'fingerprint',
      'the log has no shape with this fingerprint',
      'It may have been in changes that are no longer kept.',
    );
  }
}

function tableWithAvro(table: TableSchema): object {
  const { database, name, columns, key } = table;
  const all = columns.map((_, index) => index);
  return { database, name, columns, key, avro: avroSchema(rowShape({ table, before: all, after: all })) };
}

function streamSummary(served: ServedStream): object {
  const { name, opening } = served;
  const { state, error } = served.status();
  return {
    name,
    state,
    ...(opening.kind === 'opened' ? kept(opening.stream.log) : NOTHING_KNOWN),
    error: error === null ? null : failure(error),
  };
}

/** Of a stream whose log cannot be opened. */
const NOTHING_KNOWN = { created: null, first: null, last: null, firstCommit: null, lastCommit: null, bytes: null };

function kept({ createdMs, visible }: ChangeLog): Record<keyof typeof NOTHING_KNOWN, unknown> {
  const { after, last, firstCommitUs, lastCommitUs, bytes } = visible;
  return {
    created: isoMs(createdMs),
    first: last > after ? after + 1 : null,
    last: last > after ? last : null,
    firstCommit: commitTime(firstCommitUs),
    lastCommit: commitTime(lastCommitUs),
    bytes,
  };
}

function streamDetails(served: ServedStream): object {
  const stream = served.opening.kind === 'opened' ? served.opening.stream : null;
  const { stall, heardMs, connections, changes, transactions, sourceBytes } = served.status();
  return {
    ...streamSummary(served),
    partitions: served.partitions,
    position: stream?.log.position ?? null,
    stall: stall === null ? null : { reason: stall.reason, message: stall.message, since: isoMs(stall.sinceMs) },
    heard: isoMsOrNull(heardMs),
    connections,
    changes,
    transactions,
    sourceBytes,
    groups: stream?.groups.list().map(({ group }) => group) ?? null,
  };
}

function failure({ code, message, hint, retry, details, sinceMs }: StreamFailure): object {
  return { code, message, hint, retry, details, since: isoMs(sinceMs) };
}

function commitTime(timeUs: number): string | null {
  return timeUs === 0 ? null : isoMicroseconds(timeUs);
}
