import type { FastifyContextConfig, FastifyInstance } from 'fastify';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { SinkService } from '../../core/sink-service.ts';
import type { Role } from './http-options.ts';
import type { LagMeter } from './lag.ts';
import { PROBLEM_TYPE } from './problem.ts';
import { type JsonSchema, ref } from './json-schema.ts';
import type { ServedRelay } from './served-relay.ts';
import type { ServerMetrics } from './server-metrics.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route asks of a token; null: none is needed. */
    role?: Role | null;
    /** Its answers last as long as the client wants. */
    streams?: boolean;
    /** It needs its body as it was sent, beside what JSON.parse makes of it. */
    keepsText?: boolean;
  }
  interface FastifyRequest {
    /** What the configuration calls the sender. */
    bearer: string;
    /** Where the route `keepsText`. */
    bodyText: string;
  }
}

/** What the routes share. */
export interface RouteContext {
  readonly app: FastifyInstance;
  readonly relay: ServedRelay;
  readonly sinks: SinkService;
  /** Takes secrets of the configuration out of a text: messages of sinks may be anybody's. */
  readonly redact: (text: string) => string;
  readonly log: Logger;
  readonly clock: Clock;
  readonly lag: LagMeter;
  readonly metrics: ServerMetrics;
  readonly version: string;
}

export interface RouteDescription {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly role: Role | null;
  readonly params?: JsonSchema;
  readonly querystring?: JsonSchema;
  readonly headers?: JsonSchema;
  readonly body?: JsonSchema;
  /** By status. */
  readonly answers: Readonly<Record<string, AnswerDescription>>;
  /** Statuses of the problems that it may answer with, beside those that every route has. */
  readonly problems?: readonly number[];
  /** Its answers last as long as the client wants. */
  readonly streams?: boolean;
  /** It needs its body as it was sent, beside what JSON.parse makes of it. */
  readonly keepsText?: boolean;
}

export interface AnswerDescription {
  readonly description: string;
  /** By media type. None: without a body. */
  readonly content?: Readonly<Record<string, JsonSchema>>;
}

const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'A parameter or the body is wrong; `field` names it.',
  401: 'A token is needed, or the one sent is not known.',
  403: "The token's role does not allow it.",
  404: 'There is no such stream, group, member, snapshot, sink or dead letter.',
  406: 'None of the accepted media types can be sent.',
  409: 'The request does not fit the state of things.',
  410: 'The changes asked for are no longer kept.',
  413: 'The body is too long.',
  415: 'The body is of another type than JSON.',
  500: 'The relay failed, or the log of the stream is damaged.',
  503: 'The relay is being stopped, or waits for its disk.',
};

/** A route's options for fastify, with the answers that every route has. */
export function describe(route: RouteDescription): { schema: JsonSchema; config: FastifyContextConfig } {
  const { operationId, summary, description, tags, role, params, querystring, headers, body, answers } = route;
  const statuses = new Set([
    400,
    ...(role === null ? [] : [401, 403]),
    ...(params === undefined ? [] : [404]),
    ...(body === undefined ? [] : [413, 415]),
    500,
    503,
    ...(route.problems ?? []),
  ]);
  const problems = [...statuses]
    .filter((status) => !(String(status) in answers))
    .map((status) => [status, problem(PROBLEMS[status] ?? 'An error.')]);
  return {
    schema: {
      operationId,
      summary,
      ...(description === undefined ? {} : { description }),
      tags,
      security: role === null ? [] : [{ bearer: [role] }],
      querystring: querystring ?? NO_PARAMETERS,
      ...(params === undefined ? {} : { params }),
      ...(headers === undefined ? {} : { headers }),
      ...(body === undefined ? {} : { body }),
      response: {
        ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerSchema(answer)])),
        ...Object.fromEntries(problems),
        // What any server may refuse: a head that is too long, a body where none belongs.
        default: problem('Any other refusal.'),
      },
    },
    config: { role, streams: route.streams ?? false, keepsText: route.keepsText ?? false },
  };
}

const NO_PARAMETERS: JsonSchema = { type: 'object', properties: {}, additionalProperties: false };

function answerSchema({ description, content }: AnswerDescription): JsonSchema {
  if (content === undefined) return { description, type: 'null' };
  return {
    description,
    content: Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema }])),
  };
}

function problem(description: string): JsonSchema {
  return { description, content: { [PROBLEM_TYPE]: { schema: ref('Problem') } } };
}

export function json(schema: string | JsonSchema, description = 'Done.'): AnswerDescription {
  return { description, content: { 'application/json': typeof schema === 'string' ? ref(schema) : schema } };
}

const NAME_MAX = 200;

function name(description: string): JsonSchema {
  return { type: 'string', minLength: 1, maxLength: NAME_MAX, description };
}

/** Names are made at random: 64 characters are more than enough. */
export function readerName(description: string): JsonSchema {
  return { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$', description };
}

const PATH_NAMES: Readonly<Record<string, JsonSchema>> = {
  stream: name('Name of the stream.'),
  group: name('Name of the group.'),
  member: name('Name of the member, unique within its group.'),
  reader: readerName('Name of the reader, unique within the stream: 1 to 64 of A-Z, a-z, 0-9, _ and -.'),
  id: { type: 'string', pattern: String.raw`^[1-9]\d{0,14}$`, description: 'Number of the snapshot.' },
  sink: name('Name of the sink.'),
  letter: { type: 'string', pattern: String.raw`^[1-9]\d{0,14}$`, description: 'Number of the dead letter.' },
};

export function pathParameters(
  ...names: readonly ('stream' | 'group' | 'member' | 'reader' | 'id' | 'sink' | 'letter')[]
): JsonSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(names.map((each) => [each, PATH_NAMES[each] ?? {}])),
    required: names,
  };
}

export interface StreamParams {
  readonly stream: string;
}
export interface GroupParams extends StreamParams {
  readonly group: string;
}
export interface ReaderParams extends StreamParams {
  readonly reader: string;
}
export interface SnapshotParams extends StreamParams {
  /** Digits, as many as a number holds exactly. */
  readonly id: string;
}
export interface SinkParams {
  readonly sink: string;
}
export interface MemberParams extends GroupParams {
  readonly member: string;
}

/** ISO 8601 text of ms since 1970. */
export function isoMs(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

export function isoMsOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : isoMs(timeMs);
}
