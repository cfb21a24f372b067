import type { Column } from '../../../../core/table-schema.ts';

export type Comparison = '<' | '<=' | '=' | '>=' | '>';

/** With more members than this the list of numbers would cost the server more than the rows. */
const MEMBERS_MAX = 1000;
/** The servers compare the number of a SET as a double (MySQL) or with a sign (MariaDB): up to 2^52 that makes no difference. */
const EXACT_MEMBERS_MAX = 52;
/** How far the range of an index reaches beyond a FLOAT, relative to it: more than one float32 to the next. */
const FLOAT_MARGIN = 1e-6;

/**
 * The condition that compares a key column with a literal (key-literals.ts), in the order in which the servers sort the column. Neither
 * rows that it is not true for nor an index that is not used: the plain comparison would give the one or the other for some types.
 *
 * - ENUM: neither server uses an index for `<` and `>`, both do for `=` and `IN`. So the numbers are named for which it is true.
 * - SET: as ENUM without a remedy; and a large one is converted, or the numbers would be compared as doubles.
 * - FLOAT, DOUBLE: with (m, d) a value may lie beyond what the type admits, for it is the nearest float; MySQL compares nothing with a literal
 *   that the type does not admit. So the index finds a little more, and an expression decides.
 *
 * @param quoted the column's name, quoted
 */
export function comparison(
  { type, members }: Pick<Column, 'type' | 'members'>,
  operator: Comparison,
  { quoted, literal }: { readonly quoted: string; readonly literal: string },
): string {
  switch (type) {
    case 'enum':
      return members === null || members.length > MEMBERS_MAX || operator === '='
        ? `${quoted} ${operator} ${literal}`
        : amongNumbers(operator, { quoted, at: Number(literal), count: members.length });
    case 'set':
      return (members?.length ?? 0) > EXACT_MEMBERS_MAX && /^\d+$/.test(literal)
        ? `CAST(${quoted} AS UNSIGNED) ${operator} ${literal}`
        : `${quoted} ${operator} ${literal}`;
    case 'float':
    case 'double': {
      const value = Number(literal);
      const margin = Math.abs(value) * FLOAT_MARGIN;
      const bounds = [
        ...(operator.startsWith('<') ? [] : [`${quoted} >= ${doubleLiteral(value - margin)}`]),
        ...(operator.startsWith('>') ? [] : [`${quoted} <= ${doubleLiteral(value + margin)}`]),
      ];
      return `(${bounds.join(' AND ')} AND ${quoted} * 1e0 ${operator} ${literal})`;
    }
    default:
      return `${quoted} ${operator} ${literal}`;
  }
}

/** Whether `=` is just that, so that `IN` may stand for several. */
export function isComparedPlainly({ type }: Pick<Column, 'type'>): boolean {
  return type !== 'set' && type !== 'float' && type !== 'double';
}

function amongNumbers(
  operator: Comparison,
  { quoted, at, count }: { readonly quoted: string; readonly at: number; readonly count: number },
): string {
  const first = operator === '>' ? at + 1 : operator === '>=' ? at : 0;
  const last = operator === '<' ? at - 1 : operator === '<=' ? at : count;
  if (first > last) return 'FALSE';
  return `${quoted} IN (${Array.from({ length: last - first + 1 }, (_, i) => first + i).join(', ')})`;
}

/** Without an exponent it would be a DECIMAL. */
export function doubleLiteral(value: number): string {
  const text = String(Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value)));
  return text.includes('e') ? text : `${text}e0`;
}
