import type { FastifyRequest } from 'fastify';
import type { FrameReader } from '../../client/transport.ts';
import type { RelayStream } from '../relay-api.ts';
import { type ChangesOptions, ChangesSender, type Reading } from './changes-sender.ts';
import { BATCHES_TYPE, type ChangesFormat, negotiate } from './media-type.ts';
import { memberName } from './member-routes.ts';
import {
  atPlace,
  type ChangesQuery,
  LIMIT_DEFAULT,
  parseChoice,
  parseFilter,
  parseLimit,
  parsePartitions,
  parseStart,
  parseWaitMs,
  type RequestedStart,
} from './parameters.ts';
import { badRequest } from './problem.ts';
import {
  describe,
  type MemberParams,
  pathParameters,
  readerName,
  type RouteContext,
  type StreamParams,
} from './routing.ts';
import type { JsonSchema } from './json-schema.ts';
import { streamOf } from './served-relay.ts';
import { WaitingReader } from './waiting-reader.ts';

const TEXT_MAX = 8192;

function many(description: string): JsonSchema {
  return { type: 'array', items: { type: 'string', maxLength: TEXT_MAX }, maxItems: 1000, description };
}

function one(description: string): JsonSchema {
  return { type: 'string', maxLength: TEXT_MAX, description };
}

const FILTER_PARAMETERS: Readonly<Record<string, JsonSchema>> = {
  tables: many('Only these tables: `shop.orders`, `shop.*`, `/regular expression/`, separated by commas. Repeatable.'),
  ops: many('Only these of insert, update, delete, upsert, separated by commas.'),
  columns: many('Only these columns of a table, and those of its key: `shop.orders:id,status`. Repeatable.'),
  where: many("A condition on a table's rows: `shop.orders:status = 'paid'`. Repeatable."),
};

const JSON_PARAMETER = one('Of lines: JSON columns `embedded` as documents (the default), or as `text`.');

const STREAM_QUERY: JsonSchema = {
  type: 'object',
  properties: {
    from: one(
      'Where to begin: earliest (the default), latest, an SCN (behind it), a time with its zone, or pos: and a position of the source.',
    ),
    ...FILTER_PARAMETERS,
    partitions: many('Only these slices of the keys: 0-15,20.'),
    reader: readerName('The name under which rows are read for this reader alone: 1 to 64 of A-Z, a-z, 0-9, _ and -.'),
    limit: one(`Of lines: the most changes in the response. Default: ${LIMIT_DEFAULT}; with follow, no limit.`),
    wait: one('How long to wait for a first change when there is none, at most 300 s: 30, 30s or 500ms.'),
    follow: one('true: do not end at the end, but wait for more. Events always follow.'),
    json: JSON_PARAMETER,
  },
  additionalProperties: false,
};

const MEMBER_QUERY: JsonSchema = {
  type: 'object',
  properties: { ...FILTER_PARAMETERS, json: JSON_PARAMETER },
  additionalProperties: false,
};

const ANSWER = {
  description: 'The changes. A response that ends without its last chunk is not complete.',
  content: {
    'application/x-ndjson': { type: 'string', description: 'docs/formats/change-event.md, one JSON object per line.' },
    'text/event-stream': { type: 'string', description: 'The same lines as events; `id` is the SCN.' },
    [BATCHES_TYPE]: { type: 'string', description: 'Stored batches and control frames: docs/formats/relay-log.md.' },
  },
} as const;

const HEADERS: JsonSchema = {
  type: 'object',
  properties: {
    'last-event-id': { type: 'string', maxLength: 20, description: 'Of events: an SCN. Wins over `from`.' },
  },
};

export function addChangesRoutes(context: RouteContext, options: ChangesOptions): void {
  const { app, relay } = context;
  const sender = new ChangesSender(context, options);

  app.get<{ Params: StreamParams; Querystring: ChangesQuery }>(
    '/v1/streams/:stream/changes',
    describe({
      operationId: 'readChanges',
      summary: 'Changes, from any place that is kept',
      description:
        'As lines of JSON, as server-sent events, or as the stored batches, by the Accept header. The header Tidings-From of the answer is the SCN that reading begins behind.',
      tags: ['changes'],
      role: 'read',
      params: pathParameters('stream'),
      querystring: STREAM_QUERY,
      headers: HEADERS,
      answers: { 200: ANSWER },
      streams: true,
      problems: [406, 409, 410],
    }),
    async (request, reply) => {
      const stream = streamOf(relay, request.params.stream);
      await sender.send(await streamReading(stream, request), { request, reply });
      return reply;
    },
  );

  app.get<{ Params: MemberParams; Querystring: ChangesQuery }>(
    '/v1/streams/:stream/groups/:group/members/:member/changes',
    describe({
      operationId: 'readMemberChanges',
      summary: "Changes of a member's partitions, as they come and go",
      description:
        'Always follows. Lines have `partition`. Assignments come as lines with the op `assignment`, or as control frames.',
      tags: ['members'],
      role: 'read',
      params: pathParameters('stream', 'group', 'member'),
      querystring: MEMBER_QUERY,
      answers: { 200: ANSWER },
      streams: true,
      problems: [406],
    }),
    async (request, reply) => {
      const stream = streamOf(relay, request.params.stream);
      const format = negotiate(request.headers.accept);
      const filter = parseFilter(request.query);
      const reading: Reading = {
        stream,
        format,
        limit: Infinity,
        json: jsonOf(request.query, format),
        after: null,
        open: (signal) => stream.transport.readAsMember(memberName(request.params), filter, signal),
      };
      await sender.send(reading, { request, reply });
      return reply;
    },
  );
}

type StreamRequest = FastifyRequest<{ Params: StreamParams; Querystring: ChangesQuery }>;

/** @throws TidingsError REQUEST_INVALID, SCN_PURGED, SCN_UNKNOWN */
async function streamReading(stream: RelayStream, { query, headers }: StreamRequest): Promise<Reading> {
  const format = negotiate(headers.accept);
  const filter = parseFilter(query);
  const partitions = query.partitions && parsePartitions(query.partitions, stream.log.partitions);
  const asked = query.follow !== undefined && parseChoice(query.follow, 'follow', ['true', 'false']) === 'true';
  const follow = asked || format === 'sse';
  const waitMs = query.wait === undefined ? 0 : parseWaitMs(query.wait);
  if (format === 'binary' && query.limit !== undefined) {
    throw badRequest('limit', '"limit" is for lines: batches are sent whole', 'End the response when you have enough.');
  }
  const limit =
    query.limit === undefined ? (follow || format === 'binary' ? Infinity : LIMIT_DEFAULT) : parseLimit(query.limit);
  const json = jsonOf(query, format);
  const lastEventId = format === 'sse' ? headers['last-event-id'] : undefined;
  const { start, field } = startOf(query.from, lastEventId);
  const after = await atPlace(field, () => stream.seek(start));
  const request = {
    ...filter,
    ...(partitions === undefined ? {} : { partitions }),
    ...(query.reader === undefined ? {} : { reader: query.reader }),
  };
  const open = (signal: AbortSignal, from: number, following: boolean): Promise<FrameReader> =>
    atPlace(field, () => stream.transport.read({ ...request, from, follow: following }, signal));
  return {
    stream,
    format,
    limit,
    json,
    after,
    open: (signal) =>
      follow || waitMs === 0
        ? open(signal, after, follow)
        : WaitingReader.open({ open: (from, following) => open(signal, from, following), after, waitMs }),
  };
}

function startOf(
  from: string | undefined,
  lastEventId: string | string[] | undefined,
): { readonly start: RequestedStart; readonly field: string } {
  if (typeof lastEventId === 'string' && lastEventId !== '') {
    const field = 'Last-Event-ID';
    if (/^\d{1,16}$/.test(lastEventId)) return { start: parseStart(lastEventId, field), field };
    throw badRequest(field, 'the header Last-Event-ID is no SCN');
  }
  return { start: parseStart(from ?? 'earliest', 'from'), field: 'from' };
}

function jsonOf({ json }: ChangesQuery, format: ChangesFormat): 'embedded' | 'text' {
  if (json === undefined) return 'embedded';
  if (format === 'binary') throw badRequest('json', '"json" is for lines: batches hold the text of the document');
  return parseChoice(json, 'json', ['embedded', 'text']);
}
