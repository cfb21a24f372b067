import type { CommandSpec } from '../arguments.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { GroupSummary } from '../relay-api-client.ts';
import {
  GROUP_OPTION,
  JSON_OPTION,
  parsePartitions,
  parseStartAt,
  RELAY_ARGUMENT,
  RELAY_OPTIONS,
  required,
  STREAM_OPTION,
} from '../relay-arguments.ts';
import { withRelay } from '../relay-command.ts';
import { partitionsText, textTable } from '../text-table.ts';
import { groupsTable } from './groups.ts';

const EXAMPLE = 'http://127.0.0.1:8400 --stream shop --group search';

export const CHECKPOINT_GET: CommandSpec = {
  name: 'checkpoint get',
  summary: "A group's checkpoints: the SCN up to which each partition is done.",
  positionals: [RELAY_ARGUMENT],
  options: [STREAM_OPTION, GROUP_OPTION, JSON_OPTION, ...RELAY_OPTIONS],
  examples: [`tidings checkpoint get ${EXAMPLE}`],
};

export const CHECKPOINT_SET: CommandSpec = {
  name: 'checkpoint set',
  summary: "Move a group's checkpoints, forward or back. Makes the group when there is none.",
  positionals: [RELAY_ARGUMENT],
  options: [
    STREAM_OPTION,
    GROUP_OPTION,
    {
      name: 'to',
      value: '<place>',
      description:
        'earliest, latest, an SCN, a time (2026-11-20T09:15:02Z), or pos: and a position of the source. What lies behind it comes (again).',
    },
    { name: 'partitions', value: '<list>', description: 'Only these, such as 0-15,20. Default: all.' },
    JSON_OPTION,
    ...RELAY_OPTIONS,
  ],
  examples: [`tidings checkpoint set ${EXAMPLE} --to 2026-11-20T09:00:00Z`],
};

export async function runCheckpointGet(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: CHECKPOINT_GET, context }, async (parsed, api) => {
    const [stream, name] = [
      required(parsed, 'stream', CHECKPOINT_GET.name),
      required(parsed, 'group', CHECKPOINT_GET.name),
    ];
    const group = await api.group(stream, name);
    await context.stdout.write(parsed.has('json') ? checkpointsJson(group) : checkpointsTable(group));
    return EXIT.ok;
  });
}

export async function runCheckpointSet(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: CHECKPOINT_SET, context }, async (parsed, api) => {
    const [stream, name] = [
      required(parsed, 'stream', CHECKPOINT_SET.name),
      required(parsed, 'group', CHECKPOINT_SET.name),
    ];
    const to = required(parsed, 'to', CHECKPOINT_SET.name);
    if (!to.startsWith('pos:')) parseStartAt(to, 'to');
    const group = await api.resetCheckpoint(stream, name, { to, partitions: parsePartitions(parsed) });
    await context.stdout.write(parsed.has('json') ? checkpointsJson(group) : groupsTable([group]));
    return EXIT.ok;
  });
}

function checkpointsJson({ group, checkpoint, partitions }: GroupSummary): string {
  return `${JSON.stringify({ group, checkpoint, partitions }, null, 2)}\n`;
}

/** Partitions with the same checkpoint on one line: mostly that is a single line. */
function checkpointsTable({ partitions }: GroupSummary): string {
  const byCheckpoint = Map.groupBy(partitions, ({ checkpoint }) => checkpoint);
  const rows = [...byCheckpoint]
    .toSorted(([a], [b]) => a - b)
    .map(([checkpoint, some]) => [String(checkpoint), partitionsText(some.map(({ partition }) => partition))]);
  return textTable([{ title: 'CHECKPOINT', align: 'right' }, { title: 'PARTITIONS' }], rows);
}
