import { numberText, parseJsonDigits } from '../../base/exact-json.ts';
import {
  type CommandArguments,
  type CommandSpec,
  type OptionSpec,
  type PositionalSpec,
  usageError,
} from '../arguments.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { JSON_OPTION, RELAY_ARGUMENT, RELAY_OPTIONS, required } from '../relay-arguments.ts';
import { withRelay } from '../relay-command.ts';
import type { DeadLetterDetails, DeadLetterEdit } from '../relay-sinks.ts';
import { terminalSafe } from '../terminal-text.ts';
import { textTable } from '../text-table.ts';

const RELAY = 'http://127.0.0.1:8400';

const SINK_OPTION: OptionSpec = { name: 'sink', value: '<name>', description: 'The sink.' };
const ID_ARGUMENT: PositionalSpec = {
  name: 'id',
  description: "The dead letter's number: tidings dead-letters list shows it.",
};

export const DEAD_LETTERS_LIST: CommandSpec = {
  name: 'dead-letters list',
  summary: 'Changes that a sink has set aside: those that could not be written, and the later ones of the same keys.',
  positionals: [RELAY_ARGUMENT],
  options: [SINK_OPTION, JSON_OPTION, ...RELAY_OPTIONS],
  examples: [`tidings dead-letters list ${RELAY} --sink copy`],
};

export const DEAD_LETTERS_SHOW: CommandSpec = {
  name: 'dead-letters show',
  summary: 'One dead letter: the change with its rows, and why it was refused.',
  positionals: [RELAY_ARGUMENT, ID_ARGUMENT],
  options: [SINK_OPTION, ...RELAY_OPTIONS],
  examples: [`tidings dead-letters show ${RELAY} 7 --sink copy`],
};

export const DEAD_LETTERS_EDIT: CommandSpec = {
  name: 'dead-letters edit',
  summary: "Change values of a dead letter's rows; it is written when it is redriven.",
  positionals: [RELAY_ARGUMENT, ID_ARGUMENT],
  options: [
    SINK_OPTION,
    {
      name: 'after',
      value: '<json>',
      description: 'Columns and values of the row after the change: {"note":"short"}.',
    },
    { name: 'before', value: '<json>', description: 'The same of the row before it.' },
    ...RELAY_OPTIONS,
  ],
  examples: [`tidings dead-letters edit ${RELAY} 7 --sink copy --after '{"note":"short"}'`],
};

export const DEAD_LETTERS_REDRIVE: CommandSpec = {
  name: 'dead-letters redrive',
  summary: 'Write what was set aside: all of a sink, or the changes of one key. Fails when some is refused again.',
  positionals: [
    RELAY_ARGUMENT,
    { ...ID_ARGUMENT, optional: true, description: 'Only the changes of the same key as this one.' },
  ],
  options: [SINK_OPTION, JSON_OPTION, ...RELAY_OPTIONS],
  examples: [`tidings dead-letters redrive ${RELAY} --sink copy`],
};

export const DEAD_LETTERS_DROP: CommandSpec = {
  name: 'dead-letters drop',
  summary: 'Forget a change that was set aside: it is never written.',
  positionals: [RELAY_ARGUMENT, ID_ARGUMENT],
  options: [SINK_OPTION, ...RELAY_OPTIONS],
  examples: [`tidings dead-letters drop ${RELAY} 7 --sink copy`],
};

export async function runDeadLettersList(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: DEAD_LETTERS_LIST, context }, async (parsed, api) => {
    const letters = await api.deadLetters(required(parsed, 'sink', DEAD_LETTERS_LIST.name));
    await context.stdout.write(parsed.has('json') ? json(letters) : lettersTable(letters));
    return EXIT.ok;
  });
}

export async function runDeadLettersShow(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: DEAD_LETTERS_SHOW, context }, async (parsed, api) => {
    await context.stdout.write(
      json(await api.deadLetter(required(parsed, 'sink', DEAD_LETTERS_SHOW.name), idOf(parsed))),
    );
    return EXIT.ok;
  });
}

export async function runDeadLettersEdit(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: DEAD_LETTERS_EDIT, context }, async (parsed, api) => {
    const edit: DeadLetterEdit = { ...imageOf(parsed, 'before'), ...imageOf(parsed, 'after') };
    if (Object.keys(edit).length === 0) {
      throw usageError(
        'tidings dead-letters edit needs --after or --before',
        'For example: --after \'{"note":"short"}\'',
      );
    }
    const sink = required(parsed, 'sink', DEAD_LETTERS_EDIT.name);
    await context.stdout.write(json(await api.editDeadLetter(sink, idOf(parsed), edit)));
    return EXIT.ok;
  });
}

export async function runDeadLettersRedrive(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: DEAD_LETTERS_REDRIVE, context }, async (parsed, api) => {
    const sink = required(parsed, 'sink', DEAD_LETTERS_REDRIVE.name);
    const outcome = await api.redrive(sink, parsed.positionals[1] === undefined ? undefined : idOf(parsed));
    const { written, left, refused } = outcome;
    const again = refused.length === 0 ? '' : `; refused again: ${refused.join(', ')}`;
    await context.stdout.write(parsed.has('json') ? json(outcome) : `${written} written, ${left} left${again}\n`);
    return left === 0 ? EXIT.ok : EXIT.failed;
  });
}

export async function runDeadLettersDrop(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: DEAD_LETTERS_DROP, context }, async (parsed, api) => {
    await api.dropDeadLetter(required(parsed, 'sink', DEAD_LETTERS_DROP.name), idOf(parsed));
    return EXIT.ok;
  });
}

function lettersTable(letters: readonly DeadLetterDetails[]): string {
  const table = textTable(
    [
      { title: 'ID', align: 'right' },
      { title: 'TABLE' },
      { title: 'OP' },
      { title: 'SCN', align: 'right' },
      { title: 'SET ASIDE' },
      { title: 'TRIED', align: 'right' },
      { title: 'REASON' },
    ],
    letters.map(({ id, change, parked, attempts, reason }) => [
      String(id),
      `${change.db}.${change.table}`,
      change.op,
      String(change.scn),
      `${parked.slice(0, 19)}Z`,
      String(attempts),
      reason === null ? 'an earlier change of its key' : `${reason.code}: ${reason.message}`,
    ]),
  );
  return letters.length === 0 ? '' : table;
}

function idOf(parsed: CommandArguments): number {
  const text = parsed.positionals[1] ?? '';
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw usageError(`"${terminalSafe(text)}" is no number of a dead letter`, 'tidings dead-letters list shows them.');
}

function imageOf(parsed: CommandArguments, name: 'before' | 'after'): DeadLetterEdit {
  const text = parsed.one(name);
  if (text === undefined) return {};
  const hint = 'Write columns and values as JSON: {"note":"short"}.';
  let value: unknown;
  try {
    value = parseJsonDigits(text);
  } catch {
    throw usageError(`--${name} is no JSON`, hint);
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value) && numberText(value) === null;
  if (!isObject) throw usageError(`--${name} is no JSON object`, hint);
  return { [name]: value };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
