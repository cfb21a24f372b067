import type { FilterRequest } from '../../client/transport.ts';
import type { ChangeKind } from '../../core/change.ts';
import type { StartAt } from '../../core/consumer.ts';
import { isTidingsError, withDetails } from '../../core/errors.ts';
import { parseStartAt } from '../../core/start-at.ts';
import { badRequest } from './problem.ts';

/** The query of a `changes` request as it arrives: checked for names, counts and lengths by the route's schema. */
export interface ChangesQuery {
  readonly from?: string;
  readonly tables?: readonly string[];
  readonly partitions?: readonly string[];
  readonly reader?: string;
  readonly ops?: readonly string[];
  readonly columns?: readonly string[];
  readonly where?: readonly string[];
  readonly limit?: string;
  readonly wait?: string;
  readonly follow?: string;
  readonly json?: string;
}

/** Where a reading begins: a place that the log knows, or one of the source's own. */
export type RequestedStart = StartAt | { readonly position: string };

export const LIMIT_DEFAULT = 10_000;
const LIMIT_MAX = 1_000_000;
const WAIT_MAX_MS = 300_000;

const OPS: readonly ChangeKind[] = ['insert', 'update', 'delete', 'upsert'];
const PATTERNS_MAX = 1000;
const COLUMNS_MAX = 4096;

/** @throws TidingsError REQUEST_INVALID naming the parameter */
export function parseFilter(query: ChangesQuery): FilterRequest {
  const tables = query.tables && listOf(query.tables, { field: 'tables', max: PATTERNS_MAX, what: 'table pattern' });
  const ops = query.ops && listOf(query.ops, { field: 'ops', max: 100, what: 'operation' }).map(parseOp);
  const columns = query.columns && parseColumns(query.columns);
  const where = query.where && parseWhere(query.where);
  return {
    ...(tables === undefined ? {} : { tables }),
    ...(ops === undefined ? {} : { ops }),
    ...(columns === undefined ? {} : { columns }),
    ...(where === undefined ? {} : { where }),
  };
}

/**
 * `earliest`, `latest`, an SCN, a time with its zone, or `pos:` with a position of the source.
 *
 * @throws TidingsError REQUEST_INVALID
 */
export function parseStart(text: string, field: string): RequestedStart {
  const start = parseStartAt(text);
  if (start !== null) return start;
  if (text.startsWith('pos:') && text.length > 4) return { position: text.slice(4) };
  throw badRequest(
    field,
    `"${field}" is no place in a stream`,
    'Give earliest, latest, an SCN, a time with its zone (2026-11-20T09:15:02Z), or pos: and a position of the source.',
  );
}

const OF_PLACES: ReadonlySet<string> = new Set(['POSITION_INVALID', 'SCN_PURGED', 'SCN_UNKNOWN']);

/** Says in which field the place stands that the log refuses. */
export async function atPlace<T>(field: string, seek: () => Promise<T>): Promise<T> {
  try {
    return await seek();
  } catch (error) {
    throw isTidingsError(error) && OF_PLACES.has(error.code) ? withDetails(error, { field }) : error;
  }
}

/**
 * `0-15,20`, each below `count`.
 *
 * @throws TidingsError REQUEST_INVALID
 */
export function parsePartitions(texts: readonly string[], count: number): readonly number[] {
  const partitions = new Set<number>();
  for (const item of texts.flatMap((text) => text.split(','))) {
    const [, first, last = first] = /^\s*(\d{1,6})(?:-(\d{1,6}))?\s*$/.exec(item) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === undefined || from > to || to >= count) {
      throw badRequest(
        'partitions',
        `"partitions" holds what is no partition of this stream`,
        `It has 0 to ${count - 1}: 0-15,20.`,
      );
    }
    for (let partition = from; partition <= to; partition++) partitions.add(partition);
  }
  return [...partitions].sort((a, b) => a - b);
}

/** @throws TidingsError REQUEST_INVALID */
export function parseLimit(text: string): number {
  const limit = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw badRequest('limit', `"limit" must be a number from 1 to ${LIMIT_MAX}`);
}

/** Seconds, or a number with `ms` or `s`. @throws TidingsError REQUEST_INVALID */
export function parseWaitMs(text: string): number {
  const [, digits, unit] = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s)?$/.exec(text) ?? [];
  const waitMs = digits === undefined ? Number.NaN : Number(digits) * (unit === 'ms' ? 1 : 1000);
  if (waitMs <= WAIT_MAX_MS) return Math.round(waitMs);
  throw badRequest('wait', `"wait" must be 0 to ${WAIT_MAX_MS / 1000} seconds`, 'Write 30, 30s or 500ms.');
}

/** @throws TidingsError REQUEST_INVALID */
export function parseChoice<T extends string>(text: string, field: string, choices: readonly T[]): T {
  const choice = choices.find((each) => each === text);
  if (choice !== undefined) return choice;
  throw badRequest(field, `"${field}" must be ${choices.join(' or ')}`);
}

function parseOp(text: string): ChangeKind {
  return parseChoice(text, 'ops', OPS);
}

/** `shop.orders:id,status`, each for one pattern. */
function parseColumns(texts: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const columns = new Map<string, readonly string[]>();
  for (const text of texts) {
    const [pattern, names] = cutPattern(text, 'columns', 'shop.orders:id,status');
    const wanted = listOf([names], { field: 'columns', max: COLUMNS_MAX, what: 'column' }).map(unquoted);
    columns.set(pattern, [...(columns.get(pattern) ?? []), ...wanted]);
  }
  return Object.fromEntries(columns);
}

/** `shop.orders:status = 'paid'`, one for each pattern. */
function parseWhere(texts: readonly string[]): Readonly<Record<string, string>> {
  const conditions = new Map<string, string>();
  for (const text of texts) {
    const [pattern, condition] = cutPattern(text, 'where', "shop.orders:status = 'paid'");
    if (conditions.has(pattern)) {
      throw badRequest('where', '"where" has two conditions for one table pattern', 'Join them with `and`.');
    }
    conditions.set(pattern, condition);
  }
  return Object.fromEntries(conditions);
}

function cutPattern(text: string, field: string, example: string): [pattern: string, rest: string] {
  const at = endOfItem(text, 0, ':');
  const [pattern, rest] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (pattern !== '' && rest !== '') return [pattern, rest];
  throw badRequest(
    field,
    `"${field}" must name a table pattern, a colon, and what is wanted of it`,
    `For example ${example}`,
  );
}

function unquoted(name: string): string {
  return /^`.*`$/s.test(name) ? name.slice(1, -1).replaceAll('``', '`') : name;
}

interface ListRules {
  readonly field: string;
  readonly max: number;
  readonly what: string;
}

/** The items of comma-separated lists. Commas inside of back quotes and of regular expressions belong to the item. */
function listOf(texts: readonly string[], { field, max, what }: ListRules): string[] {
  const items: string[] = [];
  for (const text of texts) {
    for (let start = 0; start <= text.length;) {
      const end = endOfItem(text, start, ',');
      items.push(text.slice(start, end).trim());
      start = end + 1;
    }
  }
  if (items.includes('')) throw badRequest(field, `"${field}" has an empty ${what} in its list`);
  if (items.length > max) throw badRequest(field, `"${field}" has more than ${max} of them`);
  return items;
}

/** Where the item that begins at `start` ends: at the separator, or with the text. */
function endOfItem(text: string, start: number, separator: string): number {
  let quote: string | null = null;
  let blank = true;
  for (let at = start; at < text.length; at++) {
    const character = text[at] ?? '';
    if (quote !== null) {
      if (quote === '/' && character === '\\') at++;
      else if (character === quote) quote = null;
    } else if (character === separator) {
      return at;
    } else if (character === '`' || (character === '/' && blank)) {
      quote = character;
    }
    if (character !== ' ') blank = false;
  }
  return text.length;
}
