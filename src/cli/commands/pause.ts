import { type CommandSpec, usageError } from '../arguments.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { GROUP_OPTION, RELAY_ARGUMENT, RELAY_OPTIONS, required, STREAM_OPTION } from '../relay-arguments.ts';
import { withRelay } from '../relay-command.ts';

const OPTIONS = [
  STREAM_OPTION,
  { ...GROUP_OPTION, description: 'Only this group of the stream.' },
  { name: 'sink', value: '<name>', description: 'A sink, instead of a stream.' },
  ...RELAY_OPTIONS,
];

export const PAUSE: CommandSpec = {
  name: 'pause',
  summary:
    'Stop reading a source, sending changes to a group, or writing to a sink, until it is resumed; also over a restart of the relay.',
  positionals: [RELAY_ARGUMENT],
  options: OPTIONS,
  examples: ['tidings pause http://127.0.0.1:8400 --stream shop --group search'],
};

export const RESUME: CommandSpec = {
  name: 'resume',
  summary: 'Go on after a pause, or after a failure that was cured.',
  positionals: [RELAY_ARGUMENT],
  options: OPTIONS,
  examples: ['tidings resume http://127.0.0.1:8400 --stream shop'],
};

export function runPause(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return turn(args, { spec: PAUSE, action: 'pause', context });
}

export function runResume(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return turn(args, { spec: RESUME, action: 'resume', context });
}

function turn(
  args: readonly string[],
  { spec, action, context }: { spec: CommandSpec; action: 'pause' | 'resume'; context: CliContext },
): Promise<ExitCode> {
  return withRelay(args, { spec, context }, async (parsed, api) => {
    const sink = parsed.one('sink');
    if (sink === undefined) await api.turn(action, required(parsed, 'stream', spec.name), parsed.one('group'));
    else if (parsed.one('stream') === undefined && parsed.one('group') === undefined) await api.turnSink(action, sink);
    else throw usageError('--sink goes without --stream and --group', `tidings ${spec.name} --help shows more.`);
    return EXIT.ok;
  });
}
