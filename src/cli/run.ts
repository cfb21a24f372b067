import { nearest } from '../base/nearest.ts';
import { isTidingsError } from '../core/errors.ts';
import { type CommandSpec, usageError } from './arguments.ts';
import { CHECKPOINT_GET, CHECKPOINT_SET, runCheckpointGet, runCheckpointSet } from './commands/checkpoint.ts';
import { CONSUME, runConsume } from './commands/consume.ts';
import {
  DEAD_LETTERS_DROP,
  DEAD_LETTERS_EDIT,
  DEAD_LETTERS_LIST,
  DEAD_LETTERS_REDRIVE,
  DEAD_LETTERS_SHOW,
  runDeadLettersDrop,
  runDeadLettersEdit,
  runDeadLettersList,
  runDeadLettersRedrive,
  runDeadLettersShow,
} from './commands/dead-letters.ts';
import { DOCTOR, runDoctor } from './commands/doctor.ts';
import { GROUPS, runGroups } from './commands/groups.ts';
import { PAUSE, RESUME, runPause, runResume } from './commands/pause.ts';
import { PREVIEW, runPreview } from './commands/preview.ts';
import { REPLAY, runReplay } from './commands/replay.ts';
import { RUN, runRelay } from './commands/run-relay.ts';
import {
  runSnapshotCancel,
  runSnapshotList,
  runSnapshotPause,
  runSnapshotResume,
  runSnapshotShow,
  runSnapshotStart,
  SNAPSHOT_CANCEL,
  SNAPSHOT_LIST,
  SNAPSHOT_PAUSE,
  SNAPSHOT_RESUME,
  SNAPSHOT_SHOW,
  SNAPSHOT_START,
} from './commands/snapshot.ts';
import { runSinks, SINKS } from './commands/sinks.ts';
import { runStreams, STREAMS } from './commands/streams.ts';
import { runTail, TAIL } from './commands/tail.ts';
import { runValidate, VALIDATE } from './commands/validate.ts';
import type { CliContext } from './context.ts';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts';
import { overviewHelp } from './help.ts';
import { OutputClosedError } from './output.ts';
import { terminalSafe } from './terminal-text.ts';

interface Command {
  readonly spec: CommandSpec;
  readonly run: (args: readonly string[], context: CliContext) => Promise<ExitCode>;
}

export const COMMANDS: readonly Command[] = [
  { spec: RUN, run: runRelay },
  { spec: VALIDATE, run: runValidate },
  { spec: CONSUME, run: runConsume },
  { spec: STREAMS, run: runStreams },
  { spec: GROUPS, run: runGroups },
  { spec: CHECKPOINT_GET, run: runCheckpointGet },
  { spec: CHECKPOINT_SET, run: runCheckpointSet },
  { spec: REPLAY, run: runReplay },
  { spec: SNAPSHOT_START, run: runSnapshotStart },
  { spec: SNAPSHOT_LIST, run: runSnapshotList },
  { spec: SNAPSHOT_SHOW, run: runSnapshotShow },
  { spec: SNAPSHOT_PAUSE, run: runSnapshotPause },
  { spec: SNAPSHOT_RESUME, run: runSnapshotResume },
  { spec: SNAPSHOT_CANCEL, run: runSnapshotCancel },
  { spec: SINKS, run: runSinks },
  { spec: PREVIEW, run: runPreview },
  { spec: DEAD_LETTERS_LIST, run: runDeadLettersList },
  { spec: DEAD_LETTERS_SHOW, run: runDeadLettersShow },
  { spec: DEAD_LETTERS_EDIT, run: runDeadLettersEdit },
  { spec: DEAD_LETTERS_REDRIVE, run: runDeadLettersRedrive },
  { spec: DEAD_LETTERS_DROP, run: runDeadLettersDrop },
  { spec: PAUSE, run: runPause },
  { spec: RESUME, run: runResume },
  { spec: TAIL, run: runTail },
  { spec: DOCTOR, run: runDoctor },
];

/** The whole command, from its arguments to its exit code. Every error ends here, as text on stderr. */
export async function runCli(args: readonly string[], context: CliContext): Promise<ExitCode> {
  try {
    return await dispatch(args, context);
  } catch (error) {
    if (error instanceof OutputClosedError) return EXIT.ok;
    context.stderr.write(context.redact(errorText(error, wantsStack(args))));
    return exitCodeOf(error);
  }
}

async function dispatch(args: readonly string[], context: CliContext): Promise<ExitCode> {
  const [name] = args;
  const specs = COMMANDS.map(({ spec }) => spec);
  if (name === '--version') {
    await context.stdout.write(`${context.version}\n`);
    return EXIT.ok;
  }
  if (name === '--help' || name === '-h') {
    await context.stdout.write(overviewHelp(specs));
    return EXIT.ok;
  }
  if (name === undefined) {
    context.stderr.write(overviewHelp(specs));
    return EXIT.usage;
  }
  const words = COMMANDS.find(({ spec }) => spec.name === args.slice(0, 2).join(' ')) === undefined ? 1 : 2;
  const command = COMMANDS.find(({ spec }) => spec.name === args.slice(0, words).join(' '));
  if (command !== undefined) return command.run(args.slice(words), context);
  const actions = specs.filter((spec) => spec.name.startsWith(`${name} `));
  if (actions.length === 0) throw unknownCommand(name, specs);
  if (args[1] === '--help' || args[1] === '-h') {
    await context.stdout.write(overviewHelp(actions));
    return EXIT.ok;
  }
  throw usageError(
    `tidings ${name} needs to be told what to do`,
    `Write ${actions.map((spec) => `tidings ${spec.name}`).join(' or ')}.`,
  );
}

function unknownCommand(name: string, specs: readonly CommandSpec[]): Error {
  const names = [...new Set(specs.map((spec) => spec.name.split(' ', 1)[0] ?? ''))];
  // A URL where the command belongs may carry a password; the redaction of all texts takes care of it.
  const near = nearest(name, names);
  const hint = near === undefined ? `The commands are: ${names.join(', ')}.` : `Did you mean tidings ${near}?`;
  return usageError(`there is no command "${name}"`, `${hint} tidings --help says more.`);
}

function wantsStack(args: readonly string[]): boolean {
  return args.includes('--log-level=debug') || args[args.indexOf('--log-level') + 1] === 'debug';
}

/** `error CODE: message`, the hint below it, and what caused it. Stacks are for `--log-level debug`. */
function errorText(error: unknown, stack: boolean): string {
  const lines = isTidingsError(error)
    ? [`error ${error.code}: ${error.message}`, ...(error.hint === '' ? [] : [`  ${error.hint}`])]
    : [`error: ${error instanceof Error ? error.message : String(error)}`];
  for (let cause = causeOf(error); cause instanceof Error; cause = causeOf(cause)) {
    lines.push(`  cause: ${cause.message}`);
  }
  if (stack && error instanceof Error) lines.push(...(error.stack ?? '').split('\n'));
  return `${lines.map(terminalSafe).join('\n')}\n`;
}

/** The last words of a process that an error ends which nothing has caught. Only the stack says where it comes from. */
export function uncaughtText(error: unknown): string {
  return `${errorText(error, true)}  Nothing could catch this error: it was thrown in a timer or an event, or by a promise that nobody awaits.\n`;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
