import { MatchTooSlow, timedMatch } from '../base/timed-match.ts';
import { TidingsError } from './errors.ts';

/** One of the patterns that say which tables are meant. Names are compared as they are, upper and lower case differ. */
export interface TablePattern {
  /** @throws TidingsError CONFIG_INVALID when a regular expression takes too long */
  matches(database: string, table: string): boolean;
  /** Whether the pattern can match a table of this database. */
  touches(database: string): boolean;
  /** The database that the pattern names literally; null when it names several, or any. */
  readonly database: string | null;
  /** The table, likewise. */
  readonly table: string | null;
}

export interface PatternOptions {
  /** The database of a pattern that names none; null: such a pattern means tables of any database. */
  readonly database?: string | null;
}

/** A pattern is checked against every new table, on the thread that serves everybody. */
const PATTERN_LENGTH_MAX = 1000;

/**
 * `shop.orders`, `shop.*`, `orders_*`, `/regular expression/` over `database.table`. A star stands for any characters; a name in
 * backticks is meant literally, dots and stars included, and a backtick in it is doubled. docs/reference/filters.md
 *
 * @throws TidingsError CONFIG_INVALID naming the pattern
 */
export function parseTablePattern(text: string, { database = null }: PatternOptions = {}): TablePattern {
  if (text.length > PATTERN_LENGTH_MAX) {
    throw new TidingsError('CONFIG_INVALID', `a table pattern has ${text.length} characters`, {
      hint: `A pattern has at most ${PATTERN_LENGTH_MAX} characters: write several.`,
      details: { pattern: `${text.slice(0, 40)}…` },
    });
  }
  const regular = /^\/(.*)\/([a-z]*)$/s.exec(text);
  if (regular !== null) {
    const matches = timedMatch(compile(regular[1] ?? '', regular[2] ?? '', text));
    return {
      database: null,
      table: null,
      matches: (db, table) => {
        try {
          return matches(`${db}.${table}`);
        } catch (error) {
          throw error instanceof MatchTooSlow ? tooSlow(text, `${db}.${table}`) : error;
        }
      },
      touches: () => true,
    };
  }
  const parts = splitName(text);
  if (parts.length === 0 || parts.length > 2 || parts.some((part) => part.text === '')) {
    throw new TidingsError('CONFIG_INVALID', `"${text}" is no table pattern`, {
      hint: 'Write database.table, with * for any characters (shop.*), or /regular expression/ over database.table; quote names that hold dots or stars in backticks.',
      details: { pattern: text },
    });
  }
  const [first, second] = parts;
  const tablePart = second ?? first;
  const databasePart =
    second === undefined ? (database === null ? null : { text: database, literal: true }) : (first ?? null);
  const matchDatabase = databasePart === null ? () => true : matcher(databasePart);
  const matchTable = tablePart === undefined ? () => true : matcher(tablePart);
  return {
    database: databasePart === null ? null : literalText(databasePart),
    table: tablePart === undefined ? null : literalText(tablePart),
    matches: (db, table) => matchDatabase(db) && matchTable(table),
    touches: matchDatabase,
  };
}

function compile(source: string, flags: string, text: string): RegExp {
  try {
    return new RegExp(source, flags.replaceAll(/[gy]/g, ''));
  } catch (error) {
    throw new TidingsError('CONFIG_INVALID', `"${text}" is no regular expression`, {
      cause: error,
      details: { pattern: text },
    });
  }
}

function tooSlow(pattern: string, table: string): TidingsError {
  return new TidingsError('CONFIG_INVALID', `"${pattern}" takes too long to tell whether it matches ${table}`, {
    hint: 'Write it without repetitions of what is repeated already, such as (a*)*.',
    details: { pattern },
  });
}

interface NamePart {
  readonly text: string;
  /** Quoted in backticks: no wildcards in it. */
  readonly literal: boolean;
}

function splitName(text: string): NamePart[] {
  const parts: NamePart[] = [];
  let rest = text.trim();
  for (;;) {
    const found = /^(?:`((?:[^`]|``)*)`|([^`.]*))(\.|$)/.exec(rest);
    if (found === null) return [];
    parts.push(
      found[1] === undefined
        ? { text: found[2] ?? '', literal: false }
        : { text: found[1].replaceAll('``', '`'), literal: true },
    );
    rest = rest.slice(found[0].length);
    if (found[3] === '') return parts;
  }
}

function literalText({ text, literal }: NamePart): string | null {
  return literal || !text.includes('*') ? text : null;
}

function matcher({ text, literal }: NamePart): (name: string) => boolean {
  if (literalText({ text, literal }) !== null) return (name) => name === text;
  const pieces = text.split('*');
  return (name) => matchesPieces(name, pieces);
}

/**
 * The first piece at the beginning, the last at the end, each of the others at its first place behind the one before: no backtracking,
 * so that no pattern takes more than the product of both lengths.
 */
function matchesPieces(name: string, pieces: readonly string[]): boolean {
  const first = pieces[0] ?? '';
  const last = pieces.at(-1) ?? '';
  const end = name.length - last.length;
  if (first.length > end || !name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
