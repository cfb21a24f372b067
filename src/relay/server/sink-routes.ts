import { parseJsonDigits } from '../../base/exact-json.ts';
import { TidingsError } from '../../core/errors.ts';
import type { DeadLetter, DeadLetterReason, SinkControl, SinkService, SinkStatus } from '../../core/sink-service.ts';
import { changeJson, rowOfJson } from '../../formats/change-json.ts';
import { ref } from './json-schema.ts';
import { describe, isoMs, isoMsOrNull, json, pathParameters, type RouteContext, type SinkParams } from './routing.ts';

const TAGS = ['sinks'];
const SINK = pathParameters('sink');
const LETTER = pathParameters('sink', 'letter');
const PAGE_DEFAULT = 100;
const PAGE_MAX = 1000;

interface LetterParams extends SinkParams {
  readonly letter: string;
}

/** As the schema `DeadLetterEdit` lets it in. */
interface EditBody {
  readonly before?: Readonly<Record<string, unknown>> | null;
  readonly after?: Readonly<Record<string, unknown>> | null;
}

export function addSinkRoutes({ app, sinks, redact }: RouteContext): void {
  const bodyOf = (sink: SinkControl): object => sinkBody(sink.status(), redact);

  app.get(
    '/v1/sinks',
    describe({
      operationId: 'listSinks',
      summary: 'The sinks of this process',
      tags: TAGS,
      role: 'read',
      answers: { 200: json({ type: 'array', items: ref('Sink') }, 'The sinks.') },
    }),
    () => [...sinks.all.values()].map(bodyOf),
  );

  app.get<{ Params: SinkParams }>(
    '/v1/sinks/:sink',
    describe({
      operationId: 'getSink',
      summary: 'One sink: what it does, what is wrong with it, how far behind it is',
      tags: TAGS,
      role: 'read',
      params: SINK,
      answers: { 200: json('Sink', 'The sink.') },
    }),
    ({ params }) => bodyOf(sinkOf(sinks, params)),
  );

  for (const action of ['pause', 'resume'] as const) {
    app.post<{ Params: SinkParams }>(
      `/v1/sinks/:sink/${action}`,
      describe({
        operationId: `${action}Sink`,
        summary: action === 'pause' ? 'Write nothing more' : 'Write again: after a pause, or after it has failed',
        description:
          action === 'pause'
            ? 'What is on its way is written first. Until it is resumed, also over a restart.'
            : 'It goes on where it was.',
        tags: TAGS,
        role: 'operate',
        params: SINK,
        answers: { 200: json('Sink', 'The sink.') },
      }),
      async ({ params }) => {
        const sink = sinkOf(sinks, params);
        await sink[action]();
        return bodyOf(sink);
      },
    );
  }

  app.get<{ Params: SinkParams; Querystring: { readonly after?: string; readonly limit?: string } }>(
    '/v1/sinks/:sink/dead-letters',
    describe({
      operationId: 'listDeadLetters',
      summary: 'Changes that are set aside',
      description: 'In the order of their numbers. The next page begins behind the last number of this one.',
      tags: TAGS,
      role: 'read',
      params: SINK,
      querystring: {
        type: 'object',
        properties: {
          after: { type: 'string', pattern: String.raw`^\d{1,15}$`, description: 'Only those with a higher number.' },
          limit: {
            type: 'string',
            pattern: '^([1-9][0-9]{0,2}|1000)$',
            description: `At most so many, up to ${PAGE_MAX}. Default: ${PAGE_DEFAULT}.`,
          },
        },
        additionalProperties: false,
      },
      answers: { 200: json({ type: 'array', items: ref('DeadLetter') }, 'The dead letters.') },
    }),
    ({ params, query: { after = '0', limit = String(PAGE_DEFAULT) } }, reply) => {
      const letters = sinkOf(sinks, params).deadLetters({ after: Number(after), limit: Number(limit) });
      // As text: numbers of the rows keep all their digits.
      return reply.type('application/json').send(`[${letters.map((letter) => letterBody(letter, redact)).join(',')}]`);
    },
  );

  app.get<{ Params: LetterParams }>(
    '/v1/sinks/:sink/dead-letters/:letter',
    describe({
      operationId: 'getDeadLetter',
      summary: 'One dead letter',
      tags: TAGS,
      role: 'read',
      params: LETTER,
      answers: { 200: json('DeadLetter', 'The dead letter.') },
    }),
    ({ params }, reply) =>
      reply.type('application/json').send(letterBody(sinkOf(sinks, params).deadLetter(Number(params.letter)), redact)),
  );

  app.patch<{ Params: LetterParams; Body: EditBody }>(
    '/v1/sinks/:sink/dead-letters/:letter',
    describe({
      operationId: 'editDeadLetter',
      summary: "Change a dead letter's rows",
      description:
        'Columns that are named get the given values, the others stay. It is tried again when it is redriven. What the source has is not changed by it.',
      tags: TAGS,
      role: 'operate',
      params: LETTER,
      body: ref('DeadLetterEdit'),
      keepsText: true,
      answers: { 200: json('DeadLetter', 'The dead letter.') },
    }),
    ({ params, bodyText }, reply) => {
      const sink = sinkOf(sinks, params);
      // The schema has let it in, and `JSON.parse` has rounded its numbers.
      const edits = parseJsonDigits(bodyText) as EditBody;
      const edited = sink.edit(Number(params.letter), withEdits(sink.deadLetter(Number(params.letter)), edits));
      return reply.type('application/json').send(letterBody(edited, redact));
    },
  );

  app.delete<{ Params: LetterParams }>(
    '/v1/sinks/:sink/dead-letters/:letter',
    describe({
      operationId: 'dropDeadLetter',
      summary: 'Forget a change that was set aside',
      description: 'It is never written. Its key flows again when nothing else of it is set aside.',
      tags: TAGS,
      role: 'operate',
      params: LETTER,
      answers: { 204: { description: 'It is forgotten.' } },
    }),
    async ({ params }, reply) => {
      sinkOf(sinks, params).drop(Number(params.letter));
      return reply.code(204).send();
    },
  );

  app.post<{ Params: SinkParams; Body: { readonly id?: number } }>(
    '/v1/sinks/:sink/redrive',
    describe({
      operationId: 'redriveDeadLetters',
      summary: 'Write what is set aside',
      description:
        'The changes of one key, or of all, each key in order and up to the first change that is refused again. Nothing else is written meanwhile.',
      tags: TAGS,
      role: 'operate',
      params: SINK,
      body: ref('RedriveRequest'),
      answers: { 200: json('Redriven', 'What became of them.') },
      problems: [409],
    }),
    async ({ params, body: { id = null } }) => sinkOf(sinks, params).redrive(id),
  );
}

/** @throws TidingsError SINK_UNKNOWN */
function sinkOf(sinks: SinkService, { sink: name }: SinkParams): SinkControl {
  const sink = sinks.all.get(name);
  if (sink !== undefined) return sink;
  throw new TidingsError('SINK_UNKNOWN', 'there is no sink of that name', {
    details: { field: 'sink', sinks: sinks.all.size },
  });
}

type Redact = RouteContext['redact'];

function sinkBody({ error, lagMs, writtenUs, parked, parkedKeys, ...status }: SinkStatus, redact: Redact): object {
  return {
    ...status,
    error: error === null ? null : { ...reasonBody(error, redact), since: isoMs(error.sinceMs) },
    lagSeconds: lagMs / 1000,
    written: writtenUs === null ? null : isoMs(Math.floor(writtenUs / 1000)),
    deadLetters: parked,
    blockedKeys: parkedKeys,
  };
}

function reasonBody({ code, message, hint }: DeadLetterReason, redact: Redact): DeadLetterReason {
  return { code, message: redact(message), hint: redact(hint) };
}

function letterBody(
  { id, target, reason, attempts, parkedMs, triedMs, edited, change }: DeadLetter,
  redact: Redact,
): string {
  const about = {
    id,
    target,
    reason: reason === null ? null : reasonBody(reason, redact),
    attempts,
    parked: isoMs(parkedMs),
    tried: isoMsOrNull(triedMs),
    edited,
  };
  return `${JSON.stringify(about).slice(0, -1)},"change":${changeJson(change)}}`;
}

/** @throws TidingsError REQUEST_INVALID */
function withEdits({ change }: DeadLetter, { before, after }: EditBody): DeadLetter['change'] {
  const { table } = change;
  const image = (name: 'before' | 'after', edits: EditBody['before']): DeadLetter['change']['before'] => {
    const now = change[name];
    if (edits === undefined || edits === null) return now;
    if (now === null) {
      throw new TidingsError('REQUEST_INVALID', `the change has no row ${name} it`, { details: { field: name } });
    }
    return { ...now, ...rowOfJson(table, edits, name) };
  };
  return { ...change, before: image('before', before), after: image('after', after) };
}
