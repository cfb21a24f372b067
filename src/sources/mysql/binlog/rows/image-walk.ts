import { COLUMN_TYPE } from '../column-types.ts';
import type { BoundColumn } from './bound-column.ts';

/** Which images an event has, and which columns each holds. */
export interface ImageLayout {
  /** Per column of the table: logged in the before image. Null for an insert. */
  readonly before: readonly boolean[] | null;
  /** Null for a delete. */
  readonly after: readonly boolean[] | null;
  /** PARTIAL_UPDATE_ROWS. */
  readonly partial: boolean;
}

export type ImageName = 'before' | 'after';

/** A column that an image holds. */
export interface LoggedColumn {
  readonly bound: BoundColumn;
  /** Among the table's columns. */
  readonly index: number;
  /** The test whether the row has a value there; null for a column that its TABLE_MAP calls NOT NULL. */
  readonly notNull: string | null;
}

/**
 * Statements of a generated function that walk one row image. The layout is in row-decoder.ts, what they have in scope in
 * column-code.ts; `value` gives the statements for one column, which move `p` behind its value if there is one.
 */
export function imageCode(
  image: ImageName,
  { columns, layout }: { columns: readonly BoundColumn[]; layout: ImageLayout },
  value: (logged: LoggedColumn) => string,
): string {
  const present = layout[image];
  if (present === null) return '';
  const lines: string[] = [];
  if (image === 'after' && layout.partial) lines.push(partialHeader(columns));
  const logged = columns.map((bound, index) => ({ bound, index })).filter(({ index }) => present[index] === true);
  const nullBytes = (logged.length + 7) >> 3;
  const nulls = image === 'before' ? 'm' : 'n';
  // Columns that the TABLE_MAP calls NOT NULL are read without a test each: one test a row covers them all. That keeps their
  // variables plain numbers and strings for the optimiser.
  const never = Array.from({ length: nullBytes }, () => 0);
  for (const [at, { bound }] of logged.entries()) {
    if (!bound.wire.nullable) never[at >> 3] = (never[at >> 3] ?? 0) | (1 << (at & 7));
  }
  for (let i = 0; i < nullBytes; i++) lines.push(`const ${nulls}${i} = b[p + ${i}];`);
  const impossible = never.flatMap((mask, i) => (mask === 0 ? [] : [`(${nulls}${i} & ${mask})`])).join(' | ');
  if (impossible !== '') lines.push(`if ((${impossible}) !== 0) r.impossibleNull(p, end);`);
  lines.push(`p += ${nullBytes};`);
  for (const [at, { bound, index }] of logged.entries()) {
    const notNull = bound.wire.nullable ? `(${nulls}${at >> 3} & ${1 << (at & 7)}) === 0` : null;
    lines.push(value({ bound, index, notNull }));
  }
  return lines.join('\n');
}

/** MINIMAL, and a row all of whose values are defaults: not a single byte is logged of it. */
export function isEmptyLayout({ before, after, partial }: ImageLayout): boolean {
  return !partial && before?.includes(true) !== true && after?.includes(true) !== true;
}

/** Where the before image's JSON documents lie (`js`, `je`), for diffs to apply to; -1: not logged, or NULL. */
export function documentVariables(columns: readonly BoundColumn[], { partial }: ImageLayout): string {
  if (!partial) return '';
  return columns
    .map(({ wire }, i) => (wire.type === COLUMN_TYPE.JSON ? `let js${i} = -1, je${i} = -1;` : ''))
    .join(' ');
}

/** The test whether an after image holds a diff of the JSON column `index` instead of a document. */
export function isDiffTest(columns: readonly BoundColumn[], index: number): string {
  const bit = columns.slice(0, index).filter(({ wire }) => wire.type === COLUMN_TYPE.JSON).length;
  return `pb !== 0 && (b[pb + ${bit >> 3}] & ${1 << (bit & 7)}) !== 0`;
}

function partialHeader(columns: readonly BoundColumn[]): string {
  const count = columns.filter(({ wire }) => wire.type === COLUMN_TYPE.JSON).length;
  // Options above 0xfa would be a longer integer: no server has that many, and a changed layout must not be walked.
  return `let pb = 0; l = b[p]; p += 1; if (l > 1) r.unknownOptions(l); if (l === 1) { pb = p; p += ${(count + 7) >> 3}; }`;
}
