import type { Row } from '../../../../core/change.ts';
import type { Key } from '../../../../core/plain-rows.ts';
import { tableHash, tableSeed } from '../../../../core/rows/key-hash.ts';
import { MOVED_ROW_HEADER_BYTES, ROW_HEADER_BYTES, type RowTarget } from '../../../../core/rows/row-target.ts';
import type { TableSchema } from '../../../../core/table-schema.ts';
import { GeneratedFunction } from '../../binlog/rows/generated-functions.ts';
import type { WriteContext } from '../../binlog/rows/transcode-code.ts';
import { columnCode, textMixCode, textValueCode, textWriteCode } from './text-code.ts';
import type { ResultColumns, TextColumn } from './text-columns.ts';
import { textRuntime } from './text-runtime.ts';

/**
 * Functions generated for one table and selection of columns, over the rows of a result set. As in row-decoder.ts and row-transcoder.ts everything is
 * decided per table: one call reads many rows, without a look at a type, and writing makes no object or string per row for the usual
 * types.
 *
 * `left` has the indexes of the rows to read, of which there are `count`; null: the first `count`.
 */
export type TextFunction<Output> = (
  bytes: Buffer,
  view: DataView,
  rows: { readonly starts: Uint32Array; readonly ends: Uint32Array },
  left: Uint32Array | null,
  count: number,
  output: Output,
) => void;

interface TextFunctionOptions {
  readonly table: TableSchema;
  readonly result: ResultColumns;
}

/** Writes rows in the log's form: row-target.ts has the row, avro-schema.ts the values. */
export function compileTextTranscoder({ table, result }: TextFunctionOptions): TextFunction<RowTarget> {
  const made = new GeneratedFunction();
  let textsInPlace = 0;
  let fixed = MOVED_ROW_HEADER_BYTES + SLACK_BYTES;
  const context: WriteContext = {
    json: 'text',
    reserve: 'fixed + end - p',
    constant: (value) => made.constant(value),
    inlineText: () => textsInPlace++ < TEXTS_IN_PLACE_MAX,
  };
  const columns = result.columns.map((text) => {
    const { selected, column, index } = text;
    let value = '';
    if (selected) {
      const written = textWriteCode(text, column.nullable, context);
      fixed += written.bytesMax;
      value = written.code;
    }
    const place = table.key.includes(index) ? `s${index} = p; n${index} = l;` : '';
    return columnCode(text, `${place} ${value}`, column.nullable ? (selected ? 'd[o++] = 0;' : '') : null);
  });
  const places = [...new Set(table.key)].map((index) => `let s${index} = -1, n${index} = 0;`);
  const source = `
    'use strict';
    const fixed = ${fixed};
    return function (b, v, rows, left, count, t) {
      const starts = rows.starts, ends = rows.ends;
      let p = 0, l = 0, q = 0, o = 0, h = 0, x;
      let d = t.bytes, w = t.view;
      for (let i = 0; i < count; i++) {
        const at = left === null ? i : left[i];
        const end = ends[at];
        p = starts[at];
        if (t.end - t.at < fixed + end - p) { t.room(fixed + end - p); d = t.bytes; w = t.view; }
        o = t.at + ${ROW_HEADER_BYTES};
        ${places.join(' ')}
        ${columns.join('\n')}
        ${skipMore(result)}
        if (p !== end) r.longRow();
        ${hashCode({ table, result }, made, context)}
        w.setInt32(t.at, o - t.at - ${ROW_HEADER_BYTES}, true);
        w.setInt32(t.at + 4, h, true);
        t.at = o;
        t.rows++;
      }
    };`;
  return made.make(source, textRuntime) as TextFunction<RowTarget>;
}

/** A function that grows too long is not optimised at all. */
const TEXTS_IN_PLACE_MAX = 16;
/** What a copy of eight bytes at a time may need beyond its end. */
const SLACK_BYTES = 8;

/** Statements that leave the hash of the row's key in `h`. */
function hashCode({ table, result }: TextFunctionOptions, made: GeneratedFunction, context: WriteContext): string {
  if (table.key.length === 0) return `h = ${made.constant(tableHash(table))};`;
  const steps = table.key.map((index) => {
    const text = result.columns.find((each) => each.index === index) as TextColumn;
    const step = `p = s${index}; l = n${index}; ${textMixCode(text, context)}`;
    if (!text.column.nullable) return step;
    return `if (s${index} < 0) h = r.mixValue(h, ${made.constant(text.column)}, null); else { ${step} }`;
  });
  return `h = ${made.constant(tableSeed(table))}; ${steps.join(' ')} h = r.finish(h);`;
}

/** Reads rows as objects. */
export function compileTextRows({
  result,
  json,
}: TextFunctionOptions & { readonly json: 'text' | 'parsed' }): TextFunction<Row[]> {
  const selected = result.columns.filter((text) => text.selected);
  // A computed name keeps a column called __proto__ an ordinary property; for others it would make the objects slower.
  const fields = selected.map(({ column: { name }, index }) => {
    const quoted = JSON.stringify(name);
    return `${name === '__proto__' ? `[${quoted}]` : quoted}: x${index}`;
  });
  const wanted = new Set(selected.map(({ index }) => index));
  return compileReader(result, { json, wanted, push: `output.push({ ${fields.join(', ')} });` }) as TextFunction<Row[]>;
}

/** Reads the values of some columns as keys: bare, or as tuples. */
export function compileTextKeys({
  result,
  json,
  key,
}: {
  readonly result: ResultColumns;
  readonly json: 'text' | 'parsed';
  readonly key: readonly number[];
}): TextFunction<Key[]> {
  const values = key.map((index) => `x${index}`);
  const push = `output.push(${values.length === 1 ? values[0] : `[${values.join(', ')}]`});`;
  return compileReader(result, { json, wanted: new Set(key), push }) as TextFunction<Key[]>;
}

function compileReader(
  result: ResultColumns,
  {
    json,
    wanted,
    push,
  }: { readonly json: 'text' | 'parsed'; readonly wanted: ReadonlySet<number>; readonly push: string },
): unknown {
  const made = new GeneratedFunction();
  const context = { json, constant: (value: unknown) => made.constant(value) };
  const columns = result.columns.map((text) => {
    const { index, column } = text;
    const missing = column.nullable ? '' : null;
    if (!wanted.has(index)) return columnCode(text, '', missing);
    const declared = column.nullable ? `let x${index} = null;` : `let x${index};`;
    return `${declared} ${columnCode(text, textValueCode(text, `x${index}`, context), missing)}`;
  });
  const source = `
    'use strict';
    return function (b, v, rows, left, count, output) {
      const starts = rows.starts, ends = rows.ends;
      let l = 0, q = 0;
      for (let i = 0; i < count; i++) {
        const at = left === null ? i : left[i];
        const end = ends[at];
        let p = starts[at];
        ${columns.join('\n')}
        ${skipMore(result)}
        if (p !== end) r.longRow();
        ${push}
      }
    };`;
  return made.make(source, textRuntime);
}

/** Numbers of ENUM and SET columns: they are short, and may be NULL as the columns may. */
function skipMore({ more }: ResultColumns): string {
  return Array.from({ length: more }, () => 'l = b[p++]; if (l !== 251) p += l;').join(' ');
}
