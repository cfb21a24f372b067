import { TidingsError } from '../../core/errors.ts';
import type { GroupStatus, RelayStream } from '../relay-api.ts';
import { lowestCheckpoint, type LagMeter } from './lag.ts';
import { atPlace, parseStart } from './parameters.ts';
import { badRequest } from './problem.ts';
import {
  describe,
  type GroupParams,
  isoMs,
  isoMsOrNull,
  json,
  pathParameters,
  type RouteContext,
  type StreamParams,
} from './routing.ts';
import { ref } from './json-schema.ts';
import { streamOf } from './served-relay.ts';

const TAGS = ['groups'];
const PARAMS = pathParameters('stream', 'group');

interface ResetBody {
  readonly to: string | number;
  readonly partitions?: readonly number[];
}

export function addGroupRoutes({ app, relay, lag }: RouteContext): void {
  app.get<{ Params: StreamParams }>(
    '/v1/streams/:stream/groups',
    describe({
      operationId: 'listGroups',
      summary: 'All groups of a stream',
      tags: TAGS,
      role: 'read',
      params: pathParameters('stream'),
      answers: { 200: json({ type: 'array', items: ref('Group') }, 'The groups.') },
    }),
    ({ params }) => {
      const stream = streamOf(relay, params.stream);
      return Promise.all(stream.groups.list().map((group) => describeGroup(stream, group, lag)));
    },
  );

  app.get<{ Params: GroupParams }>(
    '/v1/streams/:stream/groups/:group',
    describe({
      operationId: 'getGroup',
      summary: 'One group: members, assignment, checkpoints, lag',
      tags: TAGS,
      role: 'read',
      params: PARAMS,
      answers: { 200: json('Group', 'The group.') },
    }),
    ({ params }) => groupNow(streamOf(relay, params.stream), params.group, lag),
  );

  app.delete<{ Params: GroupParams }>(
    '/v1/streams/:stream/groups/:group',
    describe({
      operationId: 'deleteGroup',
      summary: 'Forget a group and its checkpoints',
      tags: TAGS,
      role: 'admin',
      params: PARAMS,
      answers: { 204: { description: 'It is forgotten.' } },
      problems: [409],
    }),
    async ({ params }, reply) => {
      await streamOf(relay, params.stream).groups.remove(params.group);
      return reply.code(204).send();
    },
  );

  for (const action of ['pause', 'resume'] as const) {
    app.post<{ Params: GroupParams }>(
      `/v1/streams/:stream/groups/:group/${action}`,
      describe({
        operationId: `${action}Group`,
        summary: action === 'pause' ? "Send no changes to a group's members" : 'Send changes to them again',
        ...(action === 'pause' ? { description: 'Until it is resumed, also over a restart of the relay.' } : {}),
        tags: TAGS,
        role: 'operate',
        params: PARAMS,
        answers: { 200: json('Group', 'The group. The change is durable.') },
      }),
      async ({ params }) => {
        const stream = streamOf(relay, params.stream);
        await stream.groups[action](params.group);
        return groupNow(stream, params.group, lag);
      },
    );
  }

  app.put<{ Params: GroupParams; Body: ResetBody }>(
    '/v1/streams/:stream/groups/:group/checkpoint',
    describe({
      operationId: 'resetCheckpoint',
      summary: "Move a group's checkpoints",
      description:
        'Of all partitions or of some, to any place that is kept. Makes the group when there is none. Commits of changes that members received before are fenced.',
      tags: TAGS,
      role: 'operate',
      params: PARAMS,
      body: ref('ResetRequest'),
      answers: { 200: json('Group', 'The group. The checkpoints are durable.') },
      problems: [409, 410],
    }),
    async ({ params, body }) => {
      const stream = streamOf(relay, params.stream);
      const { to, partitions } = body;
      const unknown = partitions?.find((partition) => partition >= stream.log.partitions);
      if (unknown !== undefined) {
        throw badRequest(
          'partitions',
          `the stream has no partition ${unknown}`,
          `It has 0 to ${stream.log.partitions - 1}.`,
        );
      }
      await atPlace('to', async () => {
        const scn = await stream.seek(typeof to === 'number' ? to : parseStart(to, 'to'));
        await (partitions === undefined
          ? stream.groups.reset(params.group, scn)
          : stream.groups.reset(params.group, scn, partitions));
      });
      return groupNow(stream, params.group, lag);
    },
  );
}

/** @throws TidingsError GROUP_UNKNOWN */
function groupNow(stream: RelayStream, name: string, lag: LagMeter): Promise<object> {
  const group = stream.groups.get(name);
  if (group === null) {
    throw new TidingsError('GROUP_UNKNOWN', 'the stream has no group of that name', {
      details: { field: 'group', stream: stream.name },
    });
  }
  return describeGroup(stream, group, lag);
}

async function describeGroup(stream: RelayStream, status: GroupStatus, lag: LagMeter): Promise<object> {
  const { group, paused, epoch, members, partitions } = status;
  return {
    group,
    paused,
    epoch,
    checkpoint: lowestCheckpoint(status),
    lag: await lag.of(stream, status),
    members: members.map(({ member, joinedMs, heardMs, partitions: own, revoking }) => ({
      member,
      joined: isoMs(joinedMs),
      heard: isoMs(heardMs),
      partitions: own,
      revoking,
    })),
    partitions: partitions.map(({ partition, member, checkpoint, committedMs }) => ({
      partition,
      member,
      checkpoint,
      committed: isoMsOrNull(committedMs),
    })),
  };
}
