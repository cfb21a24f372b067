import { isTidingsError } from '../../core/errors.ts';
import { avroSchema } from '../../core/rows/avro-schema.ts';
import { type RowShape, rowShape } from '../../core/rows/row-shape.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import { isoMicroseconds } from '../../formats/json-text.ts';
import type { RelayStream, StreamFailure } from '../relay-api.ts';
import { badRequest } from './problem.ts';
import { describe, isoMs, isoMsOrNull, json, pathParameters, type RouteContext, type StreamParams } from './routing.ts';
import { streamOf } from './served-relay.ts';

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
    ({ params }) => streamDetails(streamOf(relay, params.stream)),
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
            : 'After a pause, or after a failure that a person has cured.',
        tags: TAGS,
        role: 'operate',
        params: PARAMS,
        answers: { 200: json('Stream', 'The stream. The change is durable.') },
      }),
      async ({ params }) => {
        const stream = streamOf(relay, params.stream);
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

function streamSummary(stream: RelayStream): object {
  const { log, name } = stream;
  const { state, error } = stream.status();
  const { after, last, firstCommitUs, lastCommitUs, bytes } = log.visible;
  return {
    name,
    state,
    created: isoMs(log.createdMs),
    first: last > after ? after + 1 : null,
    last: last > after ? last : null,
    firstCommit: commitTime(firstCommitUs),
    lastCommit: commitTime(lastCommitUs),
    bytes,
    error: error === null ? null : failure(error),
  };
}

function streamDetails(stream: RelayStream): object {
  const { stall, heardMs, connections, changes, transactions, sourceBytes } = stream.status();
  return {
    ...streamSummary(stream),
    partitions: stream.log.partitions,
    position: stream.log.position,
    stall: stall === null ? null : { reason: stall.reason, message: stall.message, since: isoMs(stall.sinceMs) },
    heard: isoMsOrNull(heardMs),
    connections,
    changes,
    transactions,
    sourceBytes,
    groups: stream.groups.list().map(({ group }) => group),
  };
}

function failure({ code, message, hint, retry, sinceMs }: StreamFailure): object {
  return { code, message, hint, retry, since: isoMs(sinceMs) };
}

function commitTime(timeUs: number): string | null {
  return timeUs === 0 ? null : isoMicroseconds(timeUs);
}
