import type { Column } from '../../core/table-schema.ts';
import type { Flavour } from '../../drivers/mysql/server-version.ts';
import { quoteText } from './sql-text.ts';

/** What a column of the target has beside its type: a default, AUTO_INCREMENT, a comment, a check and whatever else the server knows. */
export interface ColumnAttributes {
  /** The words behind the type and NOT NULL, as SHOW CREATE TABLE has them, with texts quoted as `quoteText` does. */
  readonly words: readonly string[];
  readonly zerofill: boolean;
}

/** A text, a name, a comment or a run of anything else that is no bracket, comma or blank. */
const PIECE = /'(?:[^'\\]|\\[^]|'')*'|`(?:[^`]|``)*`|\/\*[^]*?\*\/|\s+|[(),]|[^\s'`(),]+/gy;
const ESCAPES: Readonly<Record<string, string>> = { '0': '\0', n: '\n', r: '\r', t: '\t', b: '\b', Z: '\x1a' };

/**
 * The attributes of a table's columns, by name in lower case.
 *
 * @param create what SHOW CREATE TABLE says, in which a backslash escapes whatever the session's mode is
 */
export function columnAttributes(create: string): ReadonlyMap<string, ColumnAttributes> {
  const found = new Map<string, ColumnAttributes>();
  for (const [name = '', ...words] of elements(create)) {
    // Keys, checks and partitions begin with a word.
    if (!name.startsWith('`')) continue;
    found.set(name.slice(1, -1).replaceAll('``', '`').toLowerCase(), attributesOf(words));
  }
  return found;
}

/** The words of each element between the outer brackets; what stands in brackets belongs to the word before. */
function elements(create: string): string[][] {
  const all: string[][] = [];
  let words: string[] = [];
  let word = '';
  let depth = 0;
  const endWord = (): void => {
    if (word !== '') words.push(word);
    word = '';
  };
  const endElement = (): void => {
    endWord();
    if (words.length > 0) all.push(words);
    words = [];
  };
  for (const [piece] of create.matchAll(PIECE)) {
    if (piece === ')' && --depth === 0) break;
    if (depth === 1 && piece === ',') endElement();
    else if (depth === 1 && piece.trim() === '') endWord();
    else if (depth > 0) word += piece.startsWith("'") ? quoteText(unquoted(piece)) : piece;
    if (piece === '(') depth++;
  }
  endElement();
  return all;
}

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/''|\\([^])/g, (_, escaped?: string) => {
    return escaped === undefined ? "'" : (ESCAPES[escaped] ?? escaped);
  });
}

function attributesOf([, ...behindType]: readonly string[]): ColumnAttributes {
  const words = [...behindType];
  const kept: string[] = [];
  let zerofill = false;
  for (;;) {
    const word = words[0]?.toLowerCase() ?? '';
    if (word === 'unsigned') words.shift();
    else if (word === 'zerofill') {
      zerofill = true;
      words.shift();
    } else if (word === 'character') words.splice(0, 3);
    else if (word === 'charset' || word === 'collate') words.splice(0, 2);
    else if (word.startsWith('/*')) kept.push(...words.splice(0, 1));
    else break;
  }
  if (words[0]?.toUpperCase() === 'NOT') words.splice(0, 2);
  else if (words[0]?.toUpperCase() === 'NULL') words.shift();
  return { words: [...kept, ...words], zerofill };
}

/** The attributes as text behind NULL or NOT NULL, for a column that becomes the one given. */
export function attributesText({ words }: ColumnAttributes, { type, length }: Column, flavour: Flavour): string {
  const digits = length ?? 0;
  return words
    .map((word, i) => {
      // Its digits must be those of the type.
      if ((type === 'datetime' || type === 'timestamp') && /^current_timestamp(?:\(\d*\))?$/i.test(word)) {
        return `current_timestamp(${digits})`;
      }
      // MySQL takes only expressions as defaults of a text without a limit.
      const isLiteral = words[i - 1]?.toUpperCase() === 'DEFAULT' && word.endsWith("'");
      return isLiteral && flavour === 'mysql' && (type === 'text' || type === 'blob') ? `(${word})` : word;
    })
    .join(' ');
}
