import type { StartAt } from '../core/consumer.ts';
import { parseStartAt as startAtOf } from '../core/start-at.ts';
import { type CommandArguments, type OptionSpec, type PositionalSpec, usageError } from './arguments.ts';
import type { CliContext } from './context.ts';
import { LOG_LEVEL_NAMES } from './logger.ts';

export const RELAY_ARGUMENT: PositionalSpec = {
  name: 'relay',
  description: "The relay's address: http://host:8400 or https://….",
};

export const STREAM_OPTION: OptionSpec = { name: 'stream', value: '<name>', description: 'The stream.' };

export const GROUP_OPTION: OptionSpec = { name: 'group', value: '<name>', description: 'The group.' };

export const JSON_OPTION: OptionSpec = { name: 'json', value: null, description: 'Print JSON, for programs.' };

export const LOG_LEVEL_OPTION: OptionSpec = {
  name: 'log-level',
  value: '<level>',
  description: `What stderr is told: ${LOG_LEVEL_NAMES.join(', ')}. Default: info.`,
};

export const HELP_OPTION: OptionSpec = { name: 'help', short: 'h', value: null, description: 'Show this help.' };

const TOKEN_OPTION: OptionSpec = {
  name: 'token',
  value: '<token>',
  description:
    'The token that the relay wants. Better in the variable TIDINGS_TOKEN: others see the arguments of a process.',
};

/** Of every command that talks to a relay. */
export const RELAY_OPTIONS: readonly OptionSpec[] = [TOKEN_OPTION, LOG_LEVEL_OPTION, HELP_OPTION];

export interface RelayAddress {
  readonly url: string;
  readonly token: string | undefined;
}

/** The relay that the command line names, and the token for it, which no text shows from then on. */
export function parseRelay(args: CommandArguments, context: CliContext): RelayAddress {
  return relayAt(args.positionals[0] ?? '', args, context);
}

/** The same for an address that stands elsewhere. */
export function relayAt(text: string, args: CommandArguments, context: CliContext): RelayAddress {
  const hint = 'Write it as http://host:8400 or https://host:8400.';
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw usageError(`"${text}" is not the address of a relay`, hint);
  }
  if (url.username !== '' || url.password !== '') {
    throw usageError("the relay's address holds a user or a password", 'Give the token in TIDINGS_TOKEN or --token.');
  }
  const variable = context.env['TIDINGS_TOKEN'];
  const token = args.one('token') ?? (variable === '' ? undefined : variable);
  if (token !== undefined) context.hide([token]);
  return { url: url.href.replace(/\/$/, ''), token };
}

export function required(args: CommandArguments, name: string, command: string): string {
  const value = args.one(name);
  if (value !== undefined) return value;
  throw usageError(`tidings ${command} needs --${name}`, `tidings ${command} --help shows more.`);
}

/** A place in a stream: `earliest`, `latest`, an SCN, a time with its zone. */
export function parseStartAt(text: string, option: string): StartAt {
  const start = startAtOf(text);
  if (start !== null) return start;
  throw usageError(
    `--${option} "${text}" is no place in a stream`,
    'Write earliest, latest, an SCN, or a time with its zone such as 2026-11-20T09:15:02Z.',
  );
}

/** `0-15,20` */
export function parsePartitions(args: CommandArguments): readonly number[] | undefined {
  const text = args.one('partitions');
  if (text === undefined) return undefined;
  const partitions = new Set<number>();
  for (const item of text.split(',')) {
    const [, first, last = first] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(item) ?? [];
    if (first === undefined || Number(first) > Number(last)) {
      throw usageError(`--partitions "${text}" is no list of partitions`, 'For example: --partitions 0-15,20');
    }
    for (let partition = Number(first); partition <= Number(last); partition++) partitions.add(partition);
  }
  return [...partitions].toSorted((a, b) => a - b);
}
