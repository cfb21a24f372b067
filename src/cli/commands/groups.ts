import type { CommandSpec } from '../arguments.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { GroupSummary } from '../relay-api-client.ts';
import {
  GROUP_OPTION,
  JSON_OPTION,
  RELAY_ARGUMENT,
  RELAY_OPTIONS,
  required,
  STREAM_OPTION,
} from '../relay-arguments.ts';
import { withRelay } from '../relay-command.ts';
import { bytesText, countText, partitionsText, secondsText, textTable } from '../text-table.ts';

export const GROUPS: CommandSpec = {
  name: 'groups',
  summary: 'The groups of a stream with their lag; with --group the members of one, and what each has.',
  positionals: [RELAY_ARGUMENT],
  options: [STREAM_OPTION, GROUP_OPTION, JSON_OPTION, ...RELAY_OPTIONS],
  examples: [
    'tidings groups http://127.0.0.1:8400 --stream shop',
    'tidings groups http://127.0.0.1:8400 --stream shop --group search',
  ],
};

export async function runGroups(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: GROUPS, context }, async (parsed, api) => {
    const stream = required(parsed, 'stream', GROUPS.name);
    const name = parsed.one('group');
    if (name === undefined) {
      const groups = await api.groups(stream);
      await context.stdout.write(parsed.has('json') ? `${JSON.stringify(groups, null, 2)}\n` : groupsTable(groups));
    } else {
      const group = await api.group(stream, name);
      await context.stdout.write(
        parsed.has('json') ? `${JSON.stringify(group, null, 2)}\n` : `${groupsTable([group])}\n${membersTable(group)}`,
      );
    }
    return EXIT.ok;
  });
}

export function groupsTable(groups: readonly GroupSummary[]): string {
  return textTable(
    [
      { title: 'GROUP' },
      { title: 'STATE' },
      { title: 'MEMBERS', align: 'right' },
      { title: 'CHECKPOINT', align: 'right' },
      { title: 'CHANGES BEHIND', align: 'right' },
      { title: 'BYTES', align: 'right' },
      { title: 'TIME', align: 'right' },
    ],
    groups.map((group) => [
      group.group,
      stateOf(group),
      String(group.members.length),
      String(group.checkpoint ?? '-'),
      group.lag.changes === 0 ? '0' : `≤ ${countText(group.lag.changes)}`,
      bytesText(group.lag.bytes),
      secondsText(group.lag.seconds),
    ]),
  );
}

function stateOf({ paused, members }: GroupSummary): string {
  return paused ? 'paused' : members.length === 0 ? 'idle' : 'active';
}

function membersTable({ members, partitions }: GroupSummary): string {
  const free = partitions.filter(({ member }) => member === null).map(({ partition }) => partition);
  const rows = members.map(({ member, partitions: own, revoking, heard }) => [
    member,
    partitionsText(own),
    partitionsText(revoking),
    `${heard.slice(0, 19)}Z`,
  ]);
  if (free.length > 0) rows.push(['(nobody)', partitionsText(free), '', '']);
  return textTable(
    [{ title: 'MEMBER' }, { title: 'PARTITIONS' }, { title: 'LETTING GO OF' }, { title: 'HEARD' }],
    rows,
  );
}
