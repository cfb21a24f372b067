import type { StartAt } from '../../core/consumer.ts';
import { type CommandSpec, parseCommandLine, usageError } from '../arguments.ts';
import { chooseEncoder, FORMAT_OPTION } from '../choose-encoder.ts';
import { FILTER_OPTIONS, parseFilterOptions } from '../consume-arguments.ts';
import { type CliContext, commandLog } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { commandHelp } from '../help.ts';
import type { RelayApi } from '../relay-api-client.ts';
import {
  GROUP_OPTION,
  parseRelay,
  parseStartAt,
  RELAY_ARGUMENT,
  RELAY_OPTIONS,
  required,
  STREAM_OPTION,
} from '../relay-arguments.ts';
import { firstScn } from '../scn-of.ts';
import { type IsPast, StdoutTarget } from '../stdout-target.ts';
import { groupsTable } from './groups.ts';

export const REPLAY: CommandSpec = {
  name: 'replay',
  summary: 'Print the changes since a time again, without touching a checkpoint; or send a group back to that time.',
  positionals: [RELAY_ARGUMENT],
  options: [
    STREAM_OPTION,
    {
      name: 'from',
      value: '<place>',
      description: 'earliest, an SCN (what is behind it comes), or a time (2026-11-20T09:15:02Z).',
    },
    {
      name: 'to',
      value: '<place>',
      description:
        'Up to the transaction with this SCN, or without the first one committed at or after this time. Default: what is there now.',
    },
    ...FILTER_OPTIONS,
    FORMAT_OPTION,
    {
      ...GROUP_OPTION,
      description:
        'Print nothing: move the checkpoints of this group there, so that its members get the changes again. Asks first.',
    },
    { name: 'yes', short: 'y', value: null, description: 'Do not ask.' },
    ...RELAY_OPTIONS,
  ],
  examples: [
    'tidings replay http://127.0.0.1:8400 --stream shop --from 2026-11-20T09:00:00Z --to 2026-11-20T10:00:00Z',
    'tidings replay http://127.0.0.1:8400 --stream shop --from 2026-11-20T09:00:00Z --group search',
  ],
};

export async function runReplay(args: readonly string[], context: CliContext): Promise<ExitCode> {
  const parsed = parseCommandLine(args, REPLAY);
  if (parsed.has('help')) {
    await context.stdout.write(commandHelp(REPLAY));
    return EXIT.ok;
  }
  const address = parseRelay(parsed, context);
  const stream = required(parsed, 'stream', REPLAY.name);
  const from = required(parsed, 'from', REPLAY.name);
  const start = parseStartAt(from, 'from');
  const group = parsed.one('group');
  const { RelayApi } = await import('../relay-api-client.ts');
  const api = new RelayApi(address, context.stop);
  try {
    if (group !== undefined) {
      const other = ['to', 'tables', 'ops', 'columns', 'where', 'format'].find((name) => parsed.has(name));
      if (other !== undefined) {
        throw usageError(
          `--${other} does not go with --group`,
          'A group gets everything again that it reads: leave it out.',
        );
      }
      return await sendBack(api, { stream, group, from, asks: !parsed.has('yes'), context });
    }
    if (parsed.has('yes')) throw usageError('--yes is for --group', 'Without a group nothing is changed.');
    const to = parsed.one('to');
    const isPast = untilOf(to === undefined ? 'latest' : parseStartAt(to, 'to'));
    const log = commandLog(parsed, context);
    const { readRelay, relayJson } = await import('../read-relay.ts');
    const encoder = chooseEncoder(parsed.one('format'), { context, log, json: () => relayJson(null) });
    const options = { ...parseFilterOptions(parsed), from: start, untilEnd: true };
    await api.stream(stream);
    const target = new StdoutTarget(context.stdout, encoder, isPast);
    return await readRelay({ address, stream, options, target, log, stop: context.stop, commit: false });
  } finally {
    api.close();
  }
}

/** The same rule as for `from`, so that one replay ends where the next one begins. */
function untilOf(end: StartAt): IsPast {
  if (end === 'latest') return () => false;
  if (end === 'earliest') throw usageError('--to earliest would print nothing', 'Give an SCN or a time.');
  if (typeof end === 'number') return (part) => (firstScn(part) ?? 0) > end;
  const endUs = end.getTime() * 1000;
  return ({ transaction }) => transaction.committedAtUs >= endUs;
}

interface SendBack {
  readonly stream: string;
  readonly group: string;
  readonly from: string;
  readonly asks: boolean;
  readonly context: CliContext;
}

async function sendBack(api: RelayApi, { stream, group, from, asks, context }: SendBack): Promise<ExitCode> {
  const { confirm, stdout, stderr } = context;
  if (asks) {
    if (confirm === null) {
      throw usageError('moving the checkpoints of a group needs a yes, and there is nobody to ask', 'Give --yes.');
    }
    const before = await api.group(stream, group);
    stderr.write(groupsTable([before]));
    if (!(await confirm(`Send group ${group} of stream ${stream} back to ${from}?`))) return EXIT.ok;
  }
  await stdout.write(groupsTable([await api.resetCheckpoint(stream, group, { to: from, partitions: undefined })]));
  return EXIT.ok;
}
