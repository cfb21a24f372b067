import type { Row, Value } from '../../core/change.ts';
import { type AvroKind, avroKind, isAsciiText } from '../../core/rows/avro-schema.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import type { Column } from '../../core/table-schema.ts';
import { type TextWindow, WINDOW_VALUE_BYTES_MAX } from '../../base/text-window.ts';
import { rowRuntime } from './row-runtime.ts';

/**
 * Functions generated for one shape, that walk the rows of a run once and put what they read into arrays that are empty at first:
 * see src/core/rows/row-target.ts for a row's layout and src/core/rows/avro-schema.ts for its values.
 *
 * Why generated: which columns there are, of what type, which can be NULL and which are wanted is decided once per shape instead of
 * once per value, and every row is made by one object literal (one hidden class). The text of a generated function holds
 * column names (as JSON string literals) and numbers, nothing else from outside.
 *
 * Bounds: a row must lie within the run, a value of variable length within its row, and a row must end where its header says. Small
 * fixed parts may be read beyond the row before that is noticed; nothing of such a row is ever handed out.
 */
export type RowsFunction = (
  bytes: Buffer,
  view: DataView,
  range: RowRange,
  output: { readonly before: Row[]; readonly after: Row[] },
) => void;

/** The rows of a run. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
  /** Kept from run to run of the same bytes. */
  readonly window: TextWindow;
  /** How far the window may reach: the end of the bytes that will be asked for. */
  readonly limit: number;
}

export type KeysFunction = (
  bytes: Buffer,
  view: DataView,
  range: RowRange,
  output: (Value | readonly Value[])[],
) => void;

export interface RowsOptions {
  /** Per column of the table; null: all. The others are absent from the rows. */
  readonly wanted: readonly boolean[] | null;
  /** JSON columns as `JSON.parse` yields them, or as the database's text. */
  readonly json: 'text' | 'parsed';
}

type ImageName = 'before' | 'after';

/** The function throws DamagedRow, and RangeError when the bytes reach past the buffer. */
export function compileRows(shape: RowShape, { wanted, json }: RowsOptions): RowsFunction {
  const isWanted = (index: number): boolean => wanted?.[index] !== false;
  const generator = new Generator(shape, { before: isWanted, after: isWanted, json });
  const store = (image: ImageName): string =>
    shape[image] === null ? '' : `output.${image}[n] = ${generator.object(image)};`;
  return compile(generator.body(), `${store('before')} ${store('after')}`) as RowsFunction;
}

/**
 * Null when the table has no key, or when some column of it is in neither image: then there is no key to tell. The function throws
 * as that of `compileRows`.
 */
export function compileKeys(shape: RowShape, json: 'text' | 'parsed'): KeysFunction | null {
  const places = keyPlaces(shape);
  if (places === null) return null;
  const from =
    (image: ImageName) =>
    (index: number): boolean =>
      places.some((place) => place.index === index && place.image === image);
  const generator = new Generator(shape, { before: from('before'), after: from('after'), json });
  const values = places.map(({ image, index }) => variable(image, index));
  return compile(
    generator.body(),
    `output[n] = ${values.length === 1 ? values[0] : `[${values.join(', ')}]`};`,
  ) as KeysFunction;
}

export interface KeyPlace {
  readonly image: ImageName;
  readonly index: number;
}

/** In which image each column of the key stands: after the change, or before it when it is not in the image after. */
export function keyPlaces({ table, before, after }: RowShape): KeyPlace[] | null {
  if (table.key.length === 0) return null;
  const places: KeyPlace[] = [];
  for (const index of table.key) {
    if (after?.includes(index) === true) places.push({ image: 'after', index });
    else if (before?.includes(index) === true) places.push({ image: 'before', index });
    else return null;
  }
  return places;
}

function variable(image: ImageName, index: number): string {
  return `${image === 'before' ? 'x' : 'y'}${index}`;
}

type Factory = (runtime: typeof rowRuntime) => unknown;

/** So many different functions are remembered; a stream with more kinds of tables compiles some of them again. */
const FACTORIES_MAX = 4096;
const factories = new Map<string, Factory>();

/** Functions of the same text are made by the same factory, and so share what the engine has learned and optimised. */
function factoryOf(source: string): Factory {
  let factory = factories.get(source);
  if (factory === undefined) {
    // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- made of types and quoted names only, see the head of this file
    factory = new Function('r', source) as Factory;
    if (factories.size >= FACTORIES_MAX) factories.clear();
    factories.set(source, factory);
  }
  return factory;
}

function compile(body: string, store: string): unknown {
  const source = `
    'use strict';
    return function (b, v, range, output) {
      let p = range.start;
      const end = range.end;
      let l = 0;
      let q = 0;
      let e = 0;
      let n = 0;
      const window = range.window;
      const limit = range.limit;
      let t = window.text;
      let s = window.start;
      let w = p < s ? 0 : window.end;
      while (p < end) {
        if (end - p < 8) r.damaged(p);
        l = v.getInt32(p, true);
        p += 8;
        if (l < 0) { l &= 0x7fffffff; p += 8; }
        e = p + l;
        if (e > end) r.damaged(p);
        ${body}
        ${store}
        n++;
        p = e;
      }
      window.text = t;
      window.start = s;
      window.end = w;
    };`;
  return factoryOf(source)(rowRuntime);
}

interface Wanted {
  readonly before: (index: number) => boolean;
  readonly after: (index: number) => boolean;
  readonly json: 'text' | 'parsed';
}

class Generator {
  readonly #shape: RowShape;
  readonly #wanted: Wanted;

  constructor(shape: RowShape, wanted: Wanted) {
    this.#shape = shape;
    this.#wanted = wanted;
  }

  /** Statements that walk a row from `p`, reading the wanted columns into variables. `p` may end anywhere within the row. */
  body(): string {
    const columns = [...this.#columns('before'), ...this.#columns('after')];
    const last = columns.findLastIndex(({ wanted }) => wanted);
    // What lies behind the last wanted column need not be looked at.
    const read = columns.slice(0, last + 1);
    const lines = read.map(({ image, index, wanted, column }) =>
      wanted ? readCode(column, variable(image, index), this.#wanted.json) : skipCode(column),
    );
    // Not p > e: behind the buffer's last byte there is no number, and p is none either.
    const check = read.length === columns.length ? 'if (p !== e) r.damaged(p);' : 'if (!(p <= e)) r.damaged(p);';
    return [...lines, check].join('\n');
  }

  /** An object literal of the wanted columns of an image. */
  object(image: ImageName): string {
    const fields = this.#columns(image)
      .filter(({ wanted }) => wanted)
      .map(({ column, index }) => `${propertyName(column.name)}: ${variable(image, index)}`);
    return `{ ${fields.join(', ')} }`;
  }

  #columns(image: ImageName): { image: ImageName; index: number; column: Column; wanted: boolean }[] {
    return (this.#shape[image] ?? []).map((index) => ({
      image,
      index,
      column: this.#shape.table.columns[index] as Column,
      wanted: this.#wanted[image](index),
    }));
  }
}

/** In brackets, `__proto__` is an ordinary property. */
function propertyName(name: string): string {
  const quoted = JSON.stringify(name);
  return name === '__proto__' ? `[${quoted}]` : quoted;
}

/** Declares the variable `name` and reads the column's value into it. */
function readCode(column: Column, name: string, json: 'text' | 'parsed'): string {
  const kind = avroKind(column);
  if (kind === 'unsigned') {
    const branch = column.nullable ? 2 : 0;
    const none = column.nullable ? 'else if (l !== 0) r.damaged(p);' : 'else r.damaged(p);';
    return `let ${name} = null; l = b[p++];
      if (l === ${branch}) { ${longCode(name)} } else if (l === ${branch + 2}) { ${LENGTH} ${name} = r.digits(b, p, p + l); p += l; } ${none}`;
  }
  const code = valueCode(kind, column, { name, json });
  if (!column.nullable) return `let ${name}; ${code}`;
  return `let ${name} = null; l = b[p++]; if (l === 2) { ${code} } else if (l !== 0) r.damaged(p);`;
}

/** Moves `p` behind the column's value. */
export function skipCode(column: Column): string {
  const kind = avroKind(column);
  if (kind === 'unsigned') {
    const branch = column.nullable ? 2 : 0;
    const none = column.nullable ? 'else if (l !== 0) r.damaged(p);' : 'else r.damaged(p);';
    return `l = b[p++]; if (l === ${branch}) { ${SKIP_LONG} } else if (l === ${branch + 2}) { ${LENGTH} p += l; } ${none}`;
  }
  const code = skipValueCode(kind);
  return column.nullable ? `l = b[p++]; if (l === 2) { ${code} } else if (l !== 0) r.damaged(p);` : code;
}

/** An int's zig-zag form into `l`. */
export const INT: string = `l = b[p++];
  if (l > 127) { l = l & 127 | b[p++] << 7;
  if (l > 16383) { l = l & 16383 | b[p++] << 14;
  if (l > 2097151) { l = l & 2097151 | b[p++] << 21;
  if (l > 268435455) l = l & 268435455 | b[p++] << 28; } } }`;

/** A length into `l`: not negative, and not beyond the row. */
export const LENGTH: string = `${INT} if ((l & 1) !== 0 || !((l >>>= 1) <= e - p)) r.damaged(p);`;

const SKIP_LONG = 'if (b[p++] > 127) p = r.skipLong(b, p);';

/**
 * The first 28 bits go into `l`, the next into `q`. Up to 2^53 the zig-zag form is exact as a number; beyond it, which is ±2^52, the
 * runtime decides what the value is.
 */
export function longCode(name: string): string {
  return `l = b[p++];
    if (l > 127) { l = l & 127 | b[p++] << 7;
    if (l > 16383) { l = l & 16383 | b[p++] << 14;
    if (l > 2097151) { l = l & 2097151 | b[p++] << 21; } } }
    if (l <= 268435455) ${name} = l >>> 1 ^ -(l & 1);
    else {
      l &= 268435455;
      q = b[p++];
      if (q > 127) { q = q & 127 | b[p++] << 7;
      if (q > 16383) { q = q & 16383 | b[p++] << 14;
      if (q > 2097151) q = q & 2097151 | b[p++] << 21; } }
      if (q < 33554432) ${name} = (l & 1) === 0 ? (q * 268435456 + l) / 2 : (q * 268435456 + l + 1) / -2;
      else { ${name} = r.wideLong(b, p - 8); if (q > 268435455) p = r.longEnd(b, p); }
    }`;
}

function valueCode(
  kind: Exclude<AvroKind, 'unsigned'>,
  column: Column,
  { name, json }: { name: string; json: 'text' | 'parsed' },
): string {
  switch (kind) {
    case 'int':
      return `${INT} ${name} = l >>> 1 ^ -(l & 1);`;
    case 'long':
      return longCode(name);
    case 'float':
      return `${name} = r.float32(v.getFloat32(p, true)); p += 4;`;
    case 'double':
      return `${name} = v.getFloat64(p, true); p += 8;`;
    case 'bytes':
      return `${LENGTH} ${name} = r.blob(b, p, p + l); p += l;`;
    case 'floats':
      return `${INT}
        if (l === 0) ${name} = r.floats(v, p, 0);
        else { if ((l & 1) !== 0 || !((l >>>= 1) * 4 < e - p)) r.damaged(p); ${name} = r.floats(v, p, l); p += l * 4; if (b[p++] !== 0) r.damaged(p); }`;
    case 'string':
      return `${LENGTH} ${name} = ${textCode(column, json)}; p += l;`;
  }
}

/** The next `l` bytes as text, which are ASCII: a part of the window `t`, which holds the bytes from `s` to `w`. */
const WINDOW_TEXT =
  '(p + l > w && (t = r.windowFrom(b, p, { length: l, limit }), s = p, w = p + t.length), t.substring(p - s, p + l - s))';

function textCode(column: Column, json: 'text' | 'parsed'): string {
  if (isAsciiText(column)) return WINDOW_TEXT;
  const text = `(l > ${WINDOW_VALUE_BYTES_MAX} || !r.isAscii(b, v, p, p + l) ? r.utf8(b, p, p + l) : ${WINDOW_TEXT})`;
  return column.type === 'json' && json === 'parsed' ? `r.json(${text}, p)` : text;
}

function skipValueCode(kind: Exclude<AvroKind, 'unsigned'>): string {
  switch (kind) {
    case 'int':
    case 'long':
      return SKIP_LONG;
    case 'float':
      return 'p += 4;';
    case 'double':
      return 'p += 8;';
    case 'bytes':
    case 'string':
      return `${LENGTH} p += l;`;
    case 'floats':
      return `${INT} if (l !== 0) { if ((l & 1) !== 0 || !((l >>>= 1) * 4 < e - p)) r.damaged(p); p += l * 4 + 1; }`;
  }
}
