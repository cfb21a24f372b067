import { expressionError } from './faults.ts';

/** Where a value goes: a column, or a place in the document that a column holds. */
export interface TargetPath {
  readonly column: string;
  /** Names of members and indexes of elements, from the column's document on; empty: the column itself. */
  readonly steps: readonly (string | number)[];
  readonly text: string;
}

const NAME = /`((?:[^`]|``)+)`|([^`.[\]]+)/y;
const INDEX = /\[([0-9]{0,4})\]/y;

/**
 * `total`, `address.city`, `items[0].sku`. `items[]` is the first and only element, so that the columns of one row make a list of one. A name with
 * points or brackets stands in backticks.
 *
 * @throws TidingsError MAPPING_INVALID naming the place
 */
export function parseTargetPath(text: string): TargetPath {
  const steps: (string | number)[] = [];
  for (let at = 0; at < text.length || steps.length === 0;) {
    if (steps.length > 0 && text[at] === '[') {
      INDEX.lastIndex = at;
      const found = INDEX.exec(text);
      if (found === null) throw wrongPath(at);
      steps.push(Number(found[1] ?? 0));
      at = INDEX.lastIndex;
      continue;
    }
    if (steps.length > 0) {
      if (text[at] !== '.') throw wrongPath(at);
      at += 1;
    }
    NAME.lastIndex = at;
    const found = NAME.exec(text);
    if (found === null) throw wrongPath(at);
    steps.push(found[1]?.replaceAll('``', '`') ?? found[2] ?? '');
    at = NAME.lastIndex;
  }
  return { column: steps[0] as string, steps: steps.slice(1), text };
}

function wrongPath(at: number): Error {
  return expressionError(
    'it is no column and no place in a document',
    at,
    'Write total, address.city, items[].sku or tags[0]; a name with points or brackets stands in backticks.',
  );
}
