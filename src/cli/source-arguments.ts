import type { SourceType, SourceTypes } from '../registry.ts';
import { type CommandArguments, type OptionSpec, usageError } from './arguments.ts';
import { isLogLevel, LOG_LEVEL_NAMES, type LogLevel } from './logger.ts';
import { redactUrl } from './redact.ts';

/** The environment variables that a password is taken from, first one first. */
const PASSWORD_VARIABLES = ['TIDINGS_PASSWORD', 'MYSQL_PWD'] as const;

export const URL_ARGUMENT: { readonly name: string; readonly description: string } = {
  name: 'url',
  description:
    'The server: mysql://user@host:port or mariadb://…. The password is taken from the URL, else from TIDINGS_PASSWORD or MYSQL_PWD.',
};

export const TABLE_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'tables',
    value: '<patterns>',
    repeatable: true,
    description: 'Only these tables: a comma-separated list of shop.orders, shop.*, or /regular expression/.',
  },
  { name: 'exclude', value: '<patterns>', repeatable: true, description: 'None of these tables.' },
];

export const COMMON_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'server-id',
    value: '<n>',
    description: 'The id to register as, 1 to 4294967295; no other replica of the server may have it.',
  },
  {
    name: 'log-level',
    value: '<level>',
    description: `What stderr is told: ${LOG_LEVEL_NAMES.join(', ')}. Default: info.`,
  },
  { name: 'help', short: 'h', value: null, description: 'Show this help.' },
];

/** A URL that can be opened. */
export interface SourceAddress {
  readonly url: string;
  readonly type: SourceType;
}

export interface Environment {
  readonly [name: string]: string | undefined;
}

export function parseSourceUrl(text: string, { env, types }: { env: Environment; types: SourceTypes }): SourceAddress {
  const hint = `Write it as ${[...types.keys()].map((scheme) => `${scheme}://user@host:port`).join(' or ')}.`;
  const url = URL.parse(text);
  if (url === null) throw usageError(`"${redactUrl(text)}" is not a URL`, hint);
  const scheme = url.protocol.slice(0, -1);
  const type = types.get(scheme);
  if (type === undefined) throw usageError(`there is no source for "${scheme}:" URLs`, hint);
  if (url.hostname === '') {
    if (!url.searchParams.has('socket')) throw usageError(`"${redactUrl(text)}" names no host`, hint);
    url.hostname = 'localhost'; // A URL without a host cannot carry a password.
  }
  const password = PASSWORD_VARIABLES.map((name) => env[name]).find((value) => value !== undefined && value !== '');
  if (url.password !== '' || password === undefined) return { url: text, type };
  url.password = encodeURIComponent(password);
  return { url: url.href, type };
}

/** Every password that the command was given, in all the ways that it may be given one. */
export function secretsOf(args: readonly string[], env: Environment): readonly string[] {
  const passwords = args.flatMap((argument) => {
    const password = URL.parse(argument)?.password ?? '';
    return password === '' ? [] : [password, decoded(password)];
  });
  return [...passwords, ...PASSWORD_VARIABLES.flatMap((name) => env[name] ?? [])];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A stray percent sign stands for itself.
  }
}

/** Comma-separated, and the option may be repeated. Commas inside `/…/` and back quotes belong to the pattern. */
export function parsePatterns(args: CommandArguments, name: string): readonly string[] | undefined {
  if (!args.has(name)) return undefined;
  const patterns = args.all(name).flatMap(splitList);
  if (patterns.includes('')) {
    throw usageError(`--${name} has an empty pattern in its list`, 'Separate the patterns with single commas.');
  }
  return patterns;
}

function splitList(list: string): string[] {
  const items: string[] = [];
  let rest = list;
  for (;;) {
    const at = firstOutside(rest, ',');
    items.push(rest.slice(0, at).trim());
    if (at === rest.length) return items;
    rest = rest.slice(at + 1);
  }
}

/** Where the separator first stands outside of back quotes and of a `/regular expression/`; the text's length when it does not. */
export function firstOutside(text: string, separator: string): number {
  let quote: string | null = null;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (quote !== null) {
      if (quote === '/' && character === '\\') at++;
      else if (character === quote) quote = null;
    } else if (character === separator) {
      return at;
    } else if (character === '`' || (character === '/' && text.slice(0, at).trim() === '')) {
      quote = character;
    }
  }
  return text.length;
}

/** `shop.orders=id,total`, repeatable, or several of them separated by `;`. */
export function parseColumns(args: CommandArguments): Readonly<Record<string, readonly string[]>> | undefined {
  if (!args.has('columns')) return undefined;
  const entries = args
    .all('columns')
    .flatMap((list) => list.split(';'))
    .map((item): [string, string[]] => {
      const [pattern, names] = cutAtLast(item, '=');
      const columns = names.split(',').map((name) => name.trim());
      if (pattern.trim() === '' || columns.includes('')) {
        throw usageError(
          `--columns "${item}" is not of the form table=column,column`,
          "For example: --columns 'shop.orders=id,total'",
        );
      }
      return [pattern.trim(), columns];
    });
  return Object.fromEntries(entries);
}

function cutAtLast(text: string, separator: string): [string, string] {
  const at = text.lastIndexOf(separator);
  return at < 0 ? ['', ''] : [text.slice(0, at), text.slice(at + separator.length)];
}

export function parseInteger(args: CommandArguments, name: string, { max }: { max: number }): number | undefined {
  const text = args.one(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > max) {
    throw usageError(`--${name} "${text}" is not a whole number from 1 to ${max}`, `For example: --${name} 10`);
  }
  return value;
}

export function parseLogLevel(args: CommandArguments): LogLevel {
  const level = args.one('log-level') ?? 'info';
  if (!isLogLevel(level)) {
    throw usageError(`there is no log level "${level}"`, `Use one of: ${LOG_LEVEL_NAMES.join(', ')}.`);
  }
  return level;
}

export function parseServerId(args: CommandArguments): number | undefined {
  return parseInteger(args, 'server-id', { max: 4_294_967_295 });
}
