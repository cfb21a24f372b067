import { expressionError } from './faults.ts';
import { parseExpression } from './expression/parser.ts';
import type { Expression } from './expression/syntax.ts';

/** A text with values in it: `orders-{region}`. */
export type Template = readonly TemplatePart[];

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  /** The source's name, as the mapping renames it. */
  | { readonly kind: 'database' | 'table' }
  | { readonly kind: 'value'; readonly expression: Expression };

/**
 * `{database}` and `{table}` are the source's names, every other `{…}` is an expression; a column of such a name stands in backticks. `{{` and `}}` are plain
 * braces.
 *
 * @throws TidingsError MAPPING_INVALID naming the place
 */
export function parseTemplate(text: string): Template {
  const parts: TemplatePart[] = [];
  let plain = '';
  const endText = (): void => {
    if (plain !== '') parts.push({ kind: 'text', text: plain });
    plain = '';
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    const isDoubled = text[at + 1] === character;
    if ((character === '{' || character === '}') && isDoubled) {
      plain += character;
      at += 1;
    } else if (character === '{') {
      endText();
      const end = placeholderEnd(text, at + 1);
      parts.push(placeholder(text.slice(at + 1, end), at + 1));
      at = end;
    } else if (character === '}') {
      throw expressionError('"}" ends nothing', at, 'A plain brace is doubled: }}.');
    } else plain += character;
  }
  endText();
  return parts;
}

/** Braces in strings and quoted names do not count. */
function placeholderEnd(text: string, from: number): number {
  let quote = '';
  for (let at = from; at < text.length; at++) {
    const character = text[at] as string;
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === "'" || character === '`') quote = character;
    else if (character === '}') return at;
  }
  throw expressionError('"{" has no end', from - 1, 'A plain brace is doubled: {{.');
}

function placeholder(text: string, at: number): TemplatePart {
  const word = text.trim();
  if (word === 'database' || word === 'table') return { kind: word };
  // The blanks keep the places in messages those of the whole template.
  return { kind: 'value', expression: parseExpression(' '.repeat(at) + text) };
}

export interface TargetNames {
  readonly database: Template;
  readonly table: Template;
}

/** `database.table`; without a point the database is the source's. The first point outside of braces counts. @throws TidingsError MAPPING_INVALID */
export function parseTargetName(text: string): TargetNames {
  const template = parseTemplate(text);
  const index = template.findIndex((part) => part.kind === 'text' && part.text.includes('.'));
  if (index < 0) {
    if (template.length === 0) throw expressionError('the name is empty', 0);
    return { database: [{ kind: 'database' }], table: template };
  }
  const middle = (template[index] as Extract<TemplatePart, { kind: 'text' }>).text;
  const point = middle.indexOf('.');
  const database = [...template.slice(0, index), ...textPart(middle.slice(0, point))];
  const table = [...textPart(middle.slice(point + 1)), ...template.slice(index + 1)];
  if (database.length === 0 || table.length === 0) {
    throw expressionError('a part of the name is empty', 0, 'Write database.table, or a name without a point.');
  }
  return { database, table };
}

function textPart(text: string): Template {
  return text === '' ? [] : [{ kind: 'text', text }];
}
