import type { Row, Value } from '../../../../core/change.ts';
import { COLUMN_TYPE } from '../column-types.ts';
import type { BoundColumn } from './bound-column.ts';
import { type CodeContext, skipCode, valueCode } from './column-code.ts';
import { rowRuntime } from './row-runtime.ts';

/**
 * Functions generated for one table and one pair of column bitmaps. They walk the rows of one event once and push what they read.
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

/** Which images an event has, and which columns each holds. */
export interface ImageLayout {
  /** Per column of the table: logged in the before image. Null for an insert. */
  readonly before: readonly boolean[] | null;
  /** Null for a delete. */
  readonly after: readonly boolean[] | null;
  /** PARTIAL_UPDATE_ROWS. */
  readonly partial: boolean;
}

export interface DecoderOptions {
  readonly columns: readonly BoundColumn[];
  readonly layout: ImageLayout;
  readonly json: 'text' | 'parsed';
}

type ImageName = 'before' | 'after';

export function compileRows({ columns, layout, json }: DecoderOptions): RowsFunction {
  const generator = new Generator(columns, layout, json);
  const wanted = columns.map((bound) => bound.selected);
  const body = [generator.image('before', wanted), generator.image('after', wanted)].join('\n');
  const push = (image: ImageName): string =>
    layout[image] === null ? '' : `output.${image}.push(${generator.object(image, wanted)});`;
  return generator.compile(body, `${push('before')} ${push('after')}`) as RowsFunction;
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
    `output.push(${values.length === 1 ? values[0] : `[${values.join(', ')}]`});`,
  ) as KeysFunction;
}

function variable(image: ImageName, index: number): string {
  return `${image === 'before' ? 'x' : 'y'}${index}`;
}

type Factory = (...values: unknown[]) => unknown;

/** So many different functions are remembered; a server with more kinds of tables compiles some of them again. */
const FACTORIES_MAX = 4096;
const factories = new Map<string, Factory>();

/**
 * Functions of the same text are made by the same factory and so share what the engine has learned and optimised: after a
 * reconnect, a DDL, or for the next of a thousand tables of one shape, decoding is fast from its first row.
 */
function factoryOf(names: readonly string[], source: string): Factory {
  const key = `${names.length} ${source}`;
  let factory = factories.get(key);
  if (factory === undefined) {
    // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- made of types and quoted names only, see the head of this file
    factory = new Function('r', ...names, source) as Factory;
    if (factories.size >= FACTORIES_MAX) factories.clear();
    factories.set(key, factory);
  }
  return factory;
}

class Generator {
  readonly #columns: readonly BoundColumn[];
  readonly #layout: ImageLayout;
  readonly #constants: unknown[] = [];
  readonly #context: CodeContext;

  constructor(columns: readonly BoundColumn[], layout: ImageLayout, json: 'text' | 'parsed') {
    this.#columns = columns;
    this.#layout = layout;
    this.#context = {
      json,
      constant: (value) => {
        const known = this.#constants.indexOf(value);
        const index = known >= 0 ? known : this.#constants.push(value) - 1;
        return `k${index}`;
      },
    };
  }

  /** Statements that walk one image, reading the wanted columns into variables and skipping the rest. */
  image(image: ImageName, wanted: readonly boolean[]): string {
    const present = this.#layout[image];
    if (present === null) return '';
    const lines: string[] = [];
    if (image === 'after' && this.#layout.partial) lines.push(this.#partialHeader());
    const logged = this.#columns
      .map((bound, index) => ({ bound, index }))
      .filter(({ index }) => present[index] === true);
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
      const code = this.#column(image, { bound, index, wanted: wanted[index] === true });
      const notNull = `(${nulls}${at >> 3} & ${1 << (at & 7)}) === 0`;
      const name = variable(image, index);
      const declaration = wanted[index] === true ? (bound.wire.nullable ? `let ${name} = null;` : `let ${name};`) : '';
      lines.push(`${declaration} ${bound.wire.nullable ? `if (${notNull}) ` : ''}{ ${code} }`);
    }
    return lines.join('\n');
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

  compile(body: string, push: string): unknown {
    const names = this.#constants.map((_, i) => `k${i}`);
    if (this.#isEmpty()) return factoryOf(names, emptyRow(push))(rowRuntime, ...this.#constants);
    const source = `
      'use strict';
      return function (b, v, range, output) {
        let p = range.start;
        const end = range.end;
        let l = 0;
        let q = 0;
        while (p < end) {
          ${this.#documents()}
          ${body}
          // Not p > end: behind the buffer's last byte there is no number, and p is none either.
          if (!(p <= end)) r.short(end);
          ${push}
        }
      };`;
    return factoryOf(names, source)(rowRuntime, ...this.#constants);
  }

  /** MINIMAL, and a row all of whose values are defaults: not a single byte is logged of it. */
  #isEmpty(): boolean {
    const { before, after, partial } = this.#layout;
    return !partial && before?.includes(true) !== true && after?.includes(true) !== true;
  }

  #column(image: ImageName, { bound, index, wanted }: { bound: BoundColumn; index: number; wanted: boolean }): string {
    const plain = wanted ? valueCode(bound, variable(image, index), this.#context) : skipCode(bound);
    if (!this.#layout.partial || bound.wire.type !== COLUMN_TYPE.JSON) return plain;
    // A diff applies to the document of the before image: remember where that lies.
    if (image === 'before') {
      return `const d = p; ${skipCode(bound)} js${index} = d + ${bound.wire.size}; je${index} = p; p = d; ${plain}`;
    }
    const bit = this.#jsonOrdinal(index);
    const patch = wanted
      ? `l = v.getUint32(p, true); p += 4; if (l > end - p) r.short(end); ${variable(image, index)} = r.patch(b, { start: js${index}, end: je${index} }, { start: p, end: p + l }, ${JSON.stringify(this.#context.json)}); p += l;`
      : 'l = v.getUint32(p, true); p += 4 + l;';
    return `if (pb !== 0 && (b[pb + ${bit >> 3}] & ${1 << (bit & 7)}) !== 0) { ${patch} } else { ${plain} }`;
  }

  /** Where the before image's JSON documents lie, for diffs to apply to; -1: not logged, or NULL. */
  #documents(): string {
    if (!this.#layout.partial) return '';
    return this.#columns
      .map(({ wire }, i) => (wire.type === COLUMN_TYPE.JSON ? `let js${i} = -1, je${i} = -1;` : ''))
      .join(' ');
  }

  #partialHeader(): string {
    const count = this.#columns.filter(({ wire }) => wire.type === COLUMN_TYPE.JSON).length;
    // Options above 0xfa would be a longer integer: no server has that many, and a changed layout must not be walked.
    return `let pb = 0; l = b[p]; p += 1; if (l > 1) r.unknownOptions(l); if (l === 1) { pb = p; p += ${(count + 7) >> 3}; }`;
  }

  #jsonOrdinal(index: number): number {
    return this.#columns.slice(0, index).filter(({ wire }) => wire.type === COLUMN_TYPE.JSON).length;
  }
}

/** The servers log at most one row without a byte in an event, and apply an event without a byte as one row. */
function emptyRow(push: string): string {
  return `
    'use strict';
    return function (b, v, range, output) {
      if (range.start < range.end) r.bytesWithoutColumns(range.start);
      ${push}
    };`;
}

/** `["id"]: x` becomes `"id": x`; only `__proto__` needs the brackets. */
function plainName(field: string): string {
  return field.startsWith('["__proto__"]') ? field : field.replace(/^\[("(?:[^"\\]|\\.)*")\]/, '$1');
}
