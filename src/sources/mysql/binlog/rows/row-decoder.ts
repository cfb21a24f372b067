import type { Row, Value } from '../../../../core/change.ts';
import { COLUMN_TYPE } from '../column-types.ts';
import type { BoundColumn } from './bound-column.ts';
import { type CodeContext, skipCode, valueCode } from './column-code.ts';
import { GeneratedFunction } from './generated-functions.ts';
import {
  documentVariables,
  imageCode,
  type ImageLayout,
  type ImageName,
  isDiffTest,
  isEmptyLayout,
} from './image-walk.ts';
import { rowRuntime } from './row-runtime.ts';

/**
 * Functions generated for one table and one pair of column bitmaps. They walk the rows of one event once and put what they read
 * into arrays that are empty at first.
 *
 * Why generated: the loop over columns, the switch over types, the test whether a column is logged, nullable or wanted are all
 * decided once per table instead of once per value, and every row is made by one object literal (one hidden class). The text of
 * a generated function holds column names (as JSON string literals) and numbers, nothing else from outside.
 *
 * Layout of one row image, for each column of the image's bitmap in table order:
 *
 *     null bitmap   (columns in the image + 7) / 8 bytes, bit set: NULL
 *     values        those that are not NULL
 *
 * An update has the before image, then the after image; with PARTIAL_UPDATE_ROWS the after image starts with
 *
 *     options       length-encoded; bit 0: some JSON columns hold a diff instead of a document
 *     partial bits  when bit 0 is set: one bit for each JSON column of the table, in (count + 7) / 8 bytes
 *
 * Source: MySQL, libs/mysql/binlog/event/rows_event.h; sql/rpl_record.cc, pack_row().
 */
export type RowsFunction = (
  bytes: Buffer,
  view: DataView,
  range: { readonly start: number; readonly end: number },
  output: { readonly before: Row[]; readonly after: Row[] },
) => void;

export type KeysFunction = (
  bytes: Buffer,
  view: DataView,
  range: { readonly start: number; readonly end: number },
  output: (Value | readonly Value[])[],
) => void;

export interface DecoderOptions {
  readonly columns: readonly BoundColumn[];
  readonly layout: ImageLayout;
  readonly json: 'text' | 'parsed';
}

export function compileRows({ columns, layout, json }: DecoderOptions): RowsFunction {
  const generator = new Generator(columns, layout, json);
  const wanted = columns.map((bound) => bound.selected);
  const body = [generator.image('before', wanted), generator.image('after', wanted)].join('\n');
  const store = (image: ImageName): string =>
    layout[image] === null ? '' : `output.${image}[n] = ${generator.object(image, wanted)};`;
  return generator.compile(body, `${store('before')} ${store('after')}`) as RowsFunction;
}

/** Null when some column of the key is in neither image: then there is no key to tell. */
export function compileKeys({
  columns,
  layout,
  json,
  key,
}: DecoderOptions & { readonly key: readonly number[] }): KeysFunction | null {
  const generator = new Generator(columns, layout, json);
  const { before, after } = layout;
  const places = key.map((index): ImageName | null => {
    if (after?.[index] === true) return 'after';
    return before?.[index] === true ? 'before' : null;
  });
  if (places.includes(null)) return null;
  const from = (image: ImageName): boolean[] =>
    columns.map((_, i) => key.some((index, at) => index === i && places[at] === image));
  const body = [generator.image('before', from('before')), generator.image('after', from('after'))].join('\n');
  const values = key.map((index, at) => variable(places[at] as ImageName, index));
  return generator.compile(
    body,
    `output[n] = ${values.length === 1 ? values[0] : `[${values.join(', ')}]`};`,
  ) as KeysFunction;
}

function variable(image: ImageName, index: number): string {
  return `${image === 'before' ? 'x' : 'y'}${index}`;
}

class Generator {
  readonly #columns: readonly BoundColumn[];
  readonly #layout: ImageLayout;
  readonly #function = new GeneratedFunction();
  readonly #context: CodeContext;

  constructor(columns: readonly BoundColumn[], layout: ImageLayout, json: 'text' | 'parsed') {
    this.#columns = columns;
    this.#layout = layout;
    this.#context = { json, constant: (value) => this.#function.constant(value) };
  }

  /** Statements that walk one image, reading the wanted columns into variables and skipping the rest. */
  image(image: ImageName, wanted: readonly boolean[]): string {
    return imageCode(image, { columns: this.#columns, layout: this.#layout }, ({ bound, index, notNull }) => {
      const code = this.#column(image, { bound, index, wanted: wanted[index] === true });
      const name = variable(image, index);
      const declaration = wanted[index] === true ? (notNull === null ? `let ${name};` : `let ${name} = null;`) : '';
      return `${declaration} ${notNull === null ? '' : `if (${notNull}) `}{ ${code} }`;
    });
  }

  /** An object literal of the wanted columns of an image; columns that were not logged are absent. */
  object(image: ImageName, wanted: readonly boolean[]): string {
    const present = this.#layout[image];
    const fields = this.#columns.flatMap((bound, index) =>
      present?.[index] === true && wanted[index] === true
        ? [`[${JSON.stringify(bound.column.name)}]: ${variable(image, index)}`]
        : [],
    );
    // A computed name of a literal costs nothing, and keeps a column called __proto__ an ordinary property.
    return `{ ${fields.map(plainName).join(', ')} }`;
  }

  compile(body: string, store: string): unknown {
    if (isEmptyLayout(this.#layout)) return this.#function.make(emptyRow(store), rowRuntime);
    const source = `
      'use strict';
      return function (b, v, range, output) {
        let p = range.start;
        const end = range.end;
        let l = 0;
        let q = 0;
        let n = 0;
        while (p < end) {
          ${documentVariables(this.#columns, this.#layout)}
          ${body}
          // Not p > end: behind the buffer's last byte there is no number, and p is none either.
          if (!(p <= end)) r.short(end);
          ${store}
          n++;
        }
      };`;
    return this.#function.make(source, rowRuntime);
  }

  #column(image: ImageName, { bound, index, wanted }: { bound: BoundColumn; index: number; wanted: boolean }): string {
    const plain = wanted ? valueCode(bound, variable(image, index), this.#context) : skipCode(bound);
    if (!this.#layout.partial || bound.wire.type !== COLUMN_TYPE.JSON) return plain;
    // A diff applies to the document of the before image: remember where that lies.
    if (image === 'before') {
      return `const d = p; ${skipCode(bound)} js${index} = d + ${bound.wire.size}; je${index} = p; p = d; ${plain}`;
    }
    const patch = wanted
      ? `l = v.getUint32(p, true); p += 4; if (l > end - p) r.short(end); ${variable(image, index)} = r.patch(b, { start: js${index}, end: je${index} }, { start: p, end: p + l }, ${JSON.stringify(this.#context.json)}); p += l;`
      : 'l = v.getUint32(p, true); p += 4 + l;';
    return `if (${isDiffTest(this.#columns, index)}) { ${patch} } else { ${plain} }`;
  }
}

/** The servers log at most one row without a byte in an event, and apply an event without a byte as one row. */
function emptyRow(store: string): string {
  return `
    'use strict';
    return function (b, v, range, output) {
      if (range.start < range.end) r.bytesWithoutColumns(range.start);
      const n = 0;
      ${store}
    };`;
}

/** `["id"]: x` becomes `"id": x`; only `__proto__` needs the brackets. */
function plainName(field: string): string {
  return field.startsWith('["__proto__"]') ? field : field.replace(/^\[("(?:[^"\\]|\\.)*")\]/, '$1');
}
