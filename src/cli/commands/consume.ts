import { resolve } from 'node:path';
import type { StreamOptions } from '../../core/consumer.ts';
import type { Logger } from '../../core/logger.ts';
import { retry } from '../../core/retry.ts';
import { type CommandArguments, type CommandSpec, parseCommandLine, usageError } from '../arguments.ts';
import type { BatchTarget } from '../batch-target.ts';
import { chooseEncoder, type EncoderWorld, FORMAT_OPTION, namedEncoder } from '../choose-encoder.ts';
import { FILTER_OPTIONS, parseFilterOptions } from '../consume-arguments.ts';
import { type CliContext, commandLog } from '../context.ts';
import { ExecTarget } from '../exec-target.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { commandHelp } from '../help.ts';
import type { StreamDetails } from '../relay-api-client.ts';
import {
  GROUP_OPTION,
  parseRelay,
  parseStartAt,
  RELAY_ARGUMENT,
  RELAY_OPTIONS,
  type RelayAddress,
  required,
  STREAM_OPTION,
} from '../relay-arguments.ts';
import { StdoutTarget } from '../stdout-target.ts';

export const CONSUME: CommandSpec = {
  name: 'consume',
  summary: 'Follow a stream of a relay: print its changes, or feed them to a command that acknowledges them.',
  positionals: [RELAY_ARGUMENT],
  options: [
    STREAM_OPTION,
    {
      ...GROUP_OPTION,
      description: 'Share the stream with the other members of this group, which has its checkpoint in the relay.',
    },
    { name: 'member', value: '<name>', description: "The member's name within the group. Default: a random one." },
    ...FILTER_OPTIONS,
    {
      name: 'from',
      value: '<start>',
      description:
        'Where to start without a checkpoint: earliest, latest, an SCN, or a time (2026-11-20T09:15:02Z). Default: latest.',
    },
    { name: 'checkpoint-file', value: '<path>', description: 'Where a reader without a group keeps its checkpoint.' },
    { name: 'until-end', value: null, description: 'Stop at the end of what is there now.' },
    {
      name: 'exec',
      value: '<command>',
      description:
        'Feed a shell command through its stdin. It prints "ack" and an SCN when everything up to there is done: docs/reference/cli.md.',
    },
    FORMAT_OPTION,
    ...RELAY_OPTIONS,
  ],
  examples: [
    'tidings consume http://127.0.0.1:8400 --stream shop --from earliest --until-end',
    "tidings consume http://127.0.0.1:8400 --stream shop --group search --exec './index-orders'",
    'tidings consume http://127.0.0.1:8400 --stream shop --checkpoint-file shop.checkpoint >> changes.ndjson',
  ],
};

export async function runConsume(args: readonly string[], context: CliContext): Promise<ExitCode> {
  const parsed = parseCommandLine(args, CONSUME);
  if (parsed.has('help')) {
    await context.stdout.write(commandHelp(CONSUME));
    return EXIT.ok;
  }
  const address = parseRelay(parsed, context);
  const stream = required(parsed, 'stream', CONSUME.name);
  const log = commandLog(parsed, context);
  const options = streamOptions(parsed);
  const file = parsed.one('checkpoint-file');
  const checkpointFile = file === undefined ? undefined : resolve(context.cwd, file);
  const { readRelay, relayJson } = await import('../read-relay.ts');
  const targetFor = (partitions: number | null): BatchTarget =>
    makeTarget(parsed, { context, log, json: () => relayJson(partitions) });
  // Wrong arguments are told before anything is waited for.
  targetFor(null);
  const details = await whenReachable(stream, { address, context, log, patient: options.untilEnd !== true });
  if (details === null) return EXIT.ok;
  const target = targetFor(options.group === undefined ? null : details.partitions);
  return readRelay({ address, stream, options, checkpointFile, target, log, stop: context.stop, commit: true });
}

function streamOptions(args: CommandArguments): StreamOptions {
  const [group, member, from, file] = ['group', 'member', 'from', 'checkpoint-file'].map((name) => args.one(name));
  if (group === undefined && member !== undefined) throw usageError('--member needs --group', 'Name the group, too.');
  if (group !== undefined && file !== undefined) {
    throw usageError(
      '--checkpoint-file does not go with --group',
      "A group's checkpoints are kept by the relay: leave it out.",
    );
  }
  return {
    ...parseFilterOptions(args),
    ...(group === undefined ? {} : { group }),
    ...(member === undefined ? {} : { member }),
    ...(from === undefined ? {} : { from: parseStartAt(from, 'from') }),
    ...(args.has('until-end') ? { untilEnd: true } : {}),
  };
}

function makeTarget(args: CommandArguments, world: EncoderWorld): BatchTarget {
  const { stdout, stop } = world.context;
  const command = args.one('exec');
  const format = args.one('format');
  if (command === undefined) return new StdoutTarget(stdout, chooseEncoder(format, world));
  return new ExecTarget({ command, encoder: namedEncoder(format ?? 'json', world), stdout, log: world.log, stop });
}

const PAUSE = { delayMinMs: 250, delayMaxMs: 10_000 };

interface Reaching {
  readonly address: RelayAddress;
  readonly context: CliContext;
  readonly log: Logger;
  /** Wait for a relay that does not answer, as for one that goes away later. */
  readonly patient: boolean;
}

/** The stream, as soon as its relay answers; null when the command was told to stop before that. */
async function whenReachable(
  stream: string,
  { address, context, log, patient }: Reaching,
): Promise<StreamDetails | null> {
  const [{ RelayApi }, { Strangers }] = await Promise.all([
    import('../relay-api-client.ts'),
    import('../../client/strangers.ts'),
  ]);
  const api = new RelayApi(address, context.stop);
  const strangers = new Strangers();
  try {
    if (!patient) return await api.stream(stream);
    return await retry(() => strangers.attempt(() => api.stream(stream)), {
      backoff: PAUSE,
      signal: context.stop,
      log,
    });
  } catch (error) {
    if (context.stop.aborted) return null;
    throw error;
  } finally {
    api.close();
  }
}
