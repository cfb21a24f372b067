import type { JoinOptions, MemberName } from '../../client/transport.ts';
import type { BootstrapMode } from '../../core/consumer.ts';
import type { CommitRequest, Heartbeat } from '../../core/group.ts';
import type { RelayStream } from '../relay-api.ts';
import { atPlace, parseStart } from './parameters.ts';
import { describe, json, type MemberParams, pathParameters, type RouteContext } from './routing.ts';
import { ref } from './json-schema.ts';
import { streamOf } from './served-relay.ts';

const TAGS = ['members'];
const PARAMS = pathParameters('stream', 'group', 'member');
const PATH = '/v1/streams/:stream/groups/:group/members/:member';

interface JoinBody {
  readonly from?: string | number;
  readonly sessionTimeoutMs?: number;
  readonly bootstrap?: BootstrapMode;
}

/** Being a member of a group. Reading is what it is for, so the role `read` is enough. */
export function addMemberRoutes({ app, relay, metrics }: RouteContext): void {
  app.put<{ Params: MemberParams; Body: JoinBody }>(
    PATH,
    describe({
      operationId: 'joinGroup',
      summary: 'Join a group',
      description:
        'Makes the group when there is none. Joining again under the same name begins a new session of that member.',
      tags: TAGS,
      role: 'read',
      params: PARAMS,
      body: ref('JoinRequest'),
      answers: { 200: json('Assignment', 'What the member works on.') },
      problems: [409, 410],
    }),
    async ({ params, body }) => {
      const stream = streamOf(relay, params.stream);
      return atPlace('from', async () => stream.transport.join(memberName(params), await joinOptions(stream, body)));
    },
  );

  app.post<{ Params: MemberParams; Body: Heartbeat }>(
    `${PATH}/heartbeat`,
    describe({
      operationId: 'heartbeat',
      summary: 'Stay a member, release partitions, and hear what is assigned',
      tags: TAGS,
      role: 'read',
      params: PARAMS,
      body: ref('Heartbeat'),
      answers: { 200: json('Assignment', 'What the member works on.') },
      problems: [409],
    }),
    ({ params, body }) => streamOf(relay, params.stream).transport.heartbeat(memberName(params), body),
  );

  app.post<{ Params: MemberParams; Body: CommitRequest }>(
    `${PATH}/commit`,
    describe({
      operationId: 'commit',
      summary: 'Move checkpoints',
      description:
        "Answered when they are durable. Also 200 when some partitions are no longer the member's: `fenced` names them.",
      tags: TAGS,
      role: 'read',
      params: PARAMS,
      body: ref('CommitRequest'),
      answers: { 200: json('CommitResult', 'Which were not moved.') },
      problems: [409],
    }),
    async ({ params, body }) => {
      const { stream, group } = params;
      const result = await streamOf(relay, stream).transport.commit(memberName(params), body);
      metrics.groupCommits.inc({ stream, group });
      if (result.fenced.length > 0) metrics.groupFenced.inc({ stream, group }, result.fenced.length);
      return result;
    },
  );

  app.delete<{ Params: MemberParams; Querystring: { readonly epoch: string } }>(
    PATH,
    describe({
      operationId: 'leaveGroup',
      summary: 'Leave a group',
      description:
        'Gives all partitions back. Not an error when the member is out already, or another process has joined under its name: that one stays.',
      tags: TAGS,
      role: 'read',
      params: PARAMS,
      querystring: {
        type: 'object',
        properties: {
          epoch: {
            type: 'string',
            pattern: String.raw`^\d{1,15}$`,
            description: 'Of the assignment that the member knows.',
          },
        },
        required: ['epoch'],
        additionalProperties: false,
      },
      answers: { 204: { description: 'It is out.' } },
    }),
    async ({ params, query }, reply) => {
      await streamOf(relay, params.stream).transport.leave(memberName(params), Number(query.epoch));
      return reply.code(204).send();
    },
  );
}

export function memberName({ group, member }: MemberParams): MemberName {
  return { group, member };
}

async function joinOptions(stream: RelayStream, { from, sessionTimeoutMs, bootstrap }: JoinBody): Promise<JoinOptions> {
  const start = typeof from === 'string' ? parseStart(from, 'from') : from;
  // Only the relay can ask the source's own order where a position lies.
  const place = typeof start === 'object' && 'position' in start ? await stream.seek(start) : start;
  return {
    ...(place === undefined ? {} : { from: place }),
    ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
    ...(bootstrap === undefined ? {} : { bootstrap }),
  };
}
