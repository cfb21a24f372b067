import { systemClock } from '../../base/clock.ts';
import { areHours, HOURS_TEXT, SNAPSHOT_BOUNDS } from '../../core/snapshots/request-bounds.ts';
import {
  type CommandArguments,
  type CommandSpec,
  type OptionSpec,
  type PositionalSpec,
  usageError,
} from '../arguments.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { followSnapshot, snapshotExit } from '../follow-snapshot.ts';
import { readKeys } from '../key-list-input.ts';
import type { RelayApi } from '../relay-api-client.ts';
import { JSON_OPTION, RELAY_ARGUMENT, RELAY_OPTIONS, required, STREAM_OPTION } from '../relay-arguments.ts';
import { withRelay } from '../relay-command.ts';
import type { SnapshotAction, SnapshotDetails, SnapshotOrder } from '../relay-snapshots.ts';
import { snapshotReport, snapshotsTable } from '../snapshot-report.ts';
import { parsePatterns } from '../source-arguments.ts';

const RELAY = 'http://127.0.0.1:8400';

const ID_ARGUMENT: PositionalSpec = {
  name: 'id',
  description: "The snapshot's number: tidings snapshot list shows it.",
};

const WAIT_OPTION: OptionSpec = {
  name: 'wait',
  value: null,
  description: 'Follow it until it is over; it fails when the snapshot does. stderr is told how far it is.',
};

export const SNAPSHOT_START: CommandSpec = {
  name: 'snapshot start',
  summary: 'Bring the rows that exist already into a stream, for all its consumers.',
  positionals: [RELAY_ARGUMENT],
  options: [
    STREAM_OPTION,
    {
      name: 'tables',
      value: '<patterns>',
      repeatable: true,
      description:
        'Only these tables: a comma-separated list of shop.orders, shop.*, or /regular expression/. Default: all of the stream.',
    },
    {
      name: 'where',
      value: '<condition>',
      description: 'Only rows for which this is true: SQL of the source, such as "created >= \'2026-01-01\'".',
    },
    {
      name: 'keys',
      value: '<keys>',
      description:
        'Only the rows of the one table in --tables that have these primary keys: a file with the JSON of a key in each line, - for stdin, or the list itself: [7,8].',
    },
    {
      name: 'group',
      value: '<name>',
      description: 'Only this group gets the rows; nobody else sees them. Default: everyone.',
    },
    {
      name: 'truncate',
      value: null,
      description: 'Let consumers empty each table before its first row, so that rows that vanished unseen go.',
    },
    {
      name: 'parallel',
      value: '<n>',
      description: `Tables that are read at a time, 1 to ${SNAPSHOT_BOUNDS.parallel}. Default: 2.`,
    },
    { name: 'rows-per-second', value: '<n>', description: 'No faster than this. Default: no limit.' },
    {
      name: 'threads-running',
      value: '<n>',
      description: "Read nothing while more of the server's connections work. Default: no limit.",
    },
    {
      name: 'replica-lag-seconds',
      value: '<n>',
      description:
        "Read nothing while one of the replicas that the configuration of the stream's source names is further behind. Default: no limit.",
    },
    {
      name: 'hours',
      value: '<from-to>',
      description: 'Read at these times of the day only, in UTC: 22:00-05:30. Default: always.',
    },
    WAIT_OPTION,
    JSON_OPTION,
    ...RELAY_OPTIONS,
  ],
  examples: [
    `tidings snapshot start ${RELAY} --stream shop --tables 'shop.*' --wait`,
    `tidings snapshot start ${RELAY} --stream shop --tables shop.orders --keys '[17,18]' --wait`,
    `tidings snapshot start ${RELAY} --stream shop --rows-per-second 20000 --hours 22:00-05:30`,
  ],
};

export const SNAPSHOT_LIST: CommandSpec = {
  name: 'snapshot list',
  summary: 'The snapshots of a stream: those that are to come, that are being read, and the last that are over.',
  positionals: [RELAY_ARGUMENT],
  options: [STREAM_OPTION, JSON_OPTION, ...RELAY_OPTIONS],
  examples: [`tidings snapshot list ${RELAY} --stream shop`],
};

export const SNAPSHOT_SHOW: CommandSpec = {
  name: 'snapshot show',
  summary: 'One snapshot, table by table.',
  positionals: [RELAY_ARGUMENT, ID_ARGUMENT],
  options: [STREAM_OPTION, WAIT_OPTION, JSON_OPTION, ...RELAY_OPTIONS],
  examples: [`tidings snapshot show ${RELAY} 3 --stream shop --wait`],
};

export const SNAPSHOT_PAUSE: CommandSpec = turnSpec('pause', 'Read no more of a snapshot until it is resumed.');
export const SNAPSHOT_RESUME: CommandSpec = turnSpec('resume', 'Go on with a snapshot where it was.');
export const SNAPSHOT_CANCEL: CommandSpec = turnSpec('cancel', 'End a snapshot. What it has brought stays.');

function turnSpec(action: SnapshotAction, summary: string): CommandSpec {
  return {
    name: `snapshot ${action}`,
    summary,
    positionals: [RELAY_ARGUMENT, ID_ARGUMENT],
    options: [STREAM_OPTION, JSON_OPTION, ...RELAY_OPTIONS],
    examples: [`tidings snapshot ${action} ${RELAY} 3 --stream shop`],
  };
}

export async function runSnapshotStart(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: SNAPSHOT_START, context }, async (parsed, api) => {
    const stream = required(parsed, 'stream', SNAPSHOT_START.name);
    const snapshot = await api.startSnapshot(stream, await parseOrder(parsed, context));
    return finish(snapshot, { parsed, api, stream, context });
  });
}

export async function runSnapshotList(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: SNAPSHOT_LIST, context }, async (parsed, api) => {
    const snapshots = await api.snapshots(required(parsed, 'stream', SNAPSHOT_LIST.name));
    await context.stdout.write(parsed.has('json') ? json(snapshots) : snapshotsTable(snapshots));
    return EXIT.ok;
  });
}

export async function runSnapshotShow(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: SNAPSHOT_SHOW, context }, async (parsed, api) => {
    const stream = required(parsed, 'stream', SNAPSHOT_SHOW.name);
    const snapshot = await api.snapshot(stream, parseId(parsed));
    return finish(snapshot, { parsed, api, stream, context });
  });
}

export function runSnapshotPause(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return turn(args, { spec: SNAPSHOT_PAUSE, action: 'pause', context });
}

export function runSnapshotResume(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return turn(args, { spec: SNAPSHOT_RESUME, action: 'resume', context });
}

export function runSnapshotCancel(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return turn(args, { spec: SNAPSHOT_CANCEL, action: 'cancel', context });
}

function turn(
  args: readonly string[],
  { spec, action, context }: { spec: CommandSpec; action: SnapshotAction; context: CliContext },
): Promise<ExitCode> {
  return withRelay(args, { spec, context }, async (parsed, api) => {
    const stream = required(parsed, 'stream', spec.name);
    const snapshot = await api.turnSnapshot(action, stream, parseId(parsed));
    await context.stdout.write(parsed.has('json') ? json(snapshot) : snapshotsTable([snapshot]));
    return EXIT.ok;
  });
}

interface Finishing {
  readonly parsed: CommandArguments;
  readonly api: RelayApi;
  readonly stream: string;
  readonly context: CliContext;
}

/** Prints it, with `--wait` once it is over. */
async function finish(snapshot: SnapshotDetails, { parsed, api, stream, context }: Finishing): Promise<ExitCode> {
  const { stdout, stderr, stop, redact } = context;
  const print = (shown: SnapshotDetails): Promise<void> =>
    stdout.write(parsed.has('json') ? json(shown) : snapshotReport(shown));
  if (!parsed.has('wait')) {
    await print(snapshot);
    return EXIT.ok;
  }
  const over = await followSnapshot({
    look: () => api.snapshot(stream, snapshot.id),
    progress: {
      columns: stderr.isTerminal ? widthOf(stdout) : null,
      write: (text) => stderr.write(redact(text)),
    },
    clock: systemClock,
    stop,
  });
  if (over === null) {
    stderr.write(`snapshot ${snapshot.id} goes on without this command: tidings snapshot show tells how far it is\n`);
    return EXIT.interrupted;
  }
  await print(over);
  return snapshotExit(over);
}

/** How wide the terminal is, only stdout can say; where that is none, or does not know, what every terminal has. */
function widthOf({ columns }: CliContext['stdout']): number {
  return columns === null || columns === 0 ? 80 : columns;
}

async function parseOrder(args: CommandArguments, context: CliContext): Promise<SnapshotOrder> {
  const tables = parsePatterns(args, 'tables');
  const where = args.one('where');
  const keys = args.one('keys');
  if (keys !== undefined) checkKeyOptions(args, tables);
  if (where !== undefined && args.has('truncate')) {
    throw usageError(
      '--truncate does not go with --where: rows that are not asked for would go, too',
      'Leave one of them out.',
    );
  }
  const limits = {
    ...optional('parallel', parseCount(args, 'parallel', SNAPSHOT_BOUNDS.parallel)),
    ...optional('rowsPerSecond', parseCount(args, 'rows-per-second', SNAPSHOT_BOUNDS.rowsPerSecond)),
    ...optional('threadsRunning', parseCount(args, 'threads-running', SNAPSHOT_BOUNDS.threadsRunning)),
    ...optional('replicaLagSeconds', parseCount(args, 'replica-lag-seconds', SNAPSHOT_BOUNDS.replicaLagSeconds)),
    ...optional('hours', parseHours(args)),
  };
  return {
    ...optional('tables', tables),
    ...optional('where', where),
    ...optional('keys', keys === undefined ? undefined : await readKeys(keys, context)),
    ...optional('group', args.one('group')),
    ...(args.has('truncate') ? { truncate: true } : {}),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
}

/** What the relay would refuse, in the words of the command. */
function checkKeyOptions(args: CommandArguments, tables: readonly string[] | undefined): void {
  if (tables?.length !== 1) {
    throw usageError('--keys needs the one table whose keys they are', 'Name it: --tables shop.orders.');
  }
  for (const other of ['where', 'truncate']) {
    if (args.has(other)) throw usageError(`--keys does not go with --${other}`, 'Leave one of them out.');
  }
}

function optional<K extends string, V>(name: K, value: V | undefined): { readonly [name in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [name in K]?: V });
}

function parseCount(args: CommandArguments, name: string, max: number): number | undefined {
  const text = args.one(name);
  if (text === undefined) return undefined;
  const count = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= max) return count;
  throw usageError(`--${name} "${text}" cannot be used`, `Give a whole number from 1 to ${max}.`);
}

function parseHours(args: CommandArguments): string | undefined {
  const text = args.one('hours');
  if (text === undefined || areHours(text)) return text;
  throw usageError(`--hours "${text}" cannot be used`, `Give ${HOURS_TEXT}.`);
}

function parseId(args: CommandArguments): number {
  const text = args.positionals[1] ?? '';
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw usageError(`"${text}" is not the number of a snapshot`, 'tidings snapshot list shows those that there are.');
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
