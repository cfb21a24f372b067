import { avroKind, isAsciiText } from '../../core/rows/avro-schema.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import type { Column } from '../../core/table-schema.ts';
import {
  type JsonOutput,
  jsonRuntime,
  NUMBER_BYTES_MAX,
  OVERSHOOT,
  SHORT_VALUE_MAX,
  TEXT_FACTOR,
} from '../json-bytes.ts';
import { jsonString } from '../json-text.ts';
import { INT, LENGTH, longCode } from './row-decoder.ts';
import { compileLocator, type RowColumn } from './row-locator.ts';
import { rowRuntime } from './row-runtime.ts';

/**
 * Writes the row from `from` to `end` (behind its header) as the members `"key":…,"before":…,"after":…`, straight from the log's bytes:
 * the same text as `JsonEncoder` makes of the decoded row, without an object or a string in between.
 *
 * Functions are generated per shape, as those of row-decoder.ts are and for the same reasons. Their text holds column names as bytes
 * in numbers, and nothing else from outside.
 *
 * @throws DamagedRow, NoJsonForm
 */
export type WriteJsonRow = (bytes: Buffer, view: DataView, from: number, end: number, output: JsonOutput) => void;

export interface JsonRowsOptions {
  /** JSON columns as documents, or as strings that hold their text. */
  readonly json: 'embedded' | 'text';
}

type Locate = ReturnType<typeof compileLocator>;
type Factory = (
  runtime: typeof rowRuntime,
  json: typeof jsonRuntime,
  locate: Locate,
  places: Uint32Array,
) => WriteJsonRow;

/** So many are remembered; a relay whose readers meet more kinds of rows compiles some of them again. */
const WRITERS_MAX = 4096;
const writers = new Map<string, WriteJsonRow>();

/** The same function for all readers, so that a short response costs no compiling and runs what the engine has optimised. */
export function jsonRowWriter(shape: RowShape, options: JsonRowsOptions): WriteJsonRow {
  const name = `${shape.fingerprint} ${options.json}`;
  let writer = writers.get(name);
  if (writer === undefined) {
    writer = compileJsonRow(shape, options);
    if (writers.size >= WRITERS_MAX) writers.clear();
    writers.set(name, writer);
  }
  return writer;
}

function compileJsonRow(shape: RowShape, { json }: JsonRowsOptions): WriteJsonRow {
  const places = keyColumns(shape);
  const writer = new JsonRowCode(shape, json);
  const body = [
    shape.table.key.length === 0 ? writer.constant('"key":null') : writer.key(places),
    writer.constant(',"before":'),
    writer.image('before'),
    writer.constant(',"after":'),
    writer.image('after'),
  ].join('\n');
  const columns = (shape.before?.length ?? 0) + (shape.after?.length ?? 0) + places.length;
  // The key stands there twice.
  const source = jsonRowSource(body, { fixedBytes: writer.fixedBytes, columns, times: 2 });
  // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- made of numbers and types only, see above
  const factory = new Function('r', 'j', 'locate', 'places', source) as Factory;
  return factory(rowRuntime, jsonRuntime, compileLocator(shape, places), new Uint32Array(places.length));
}

/**
 * The text of a function that writes a row, around the statements that do.
 *
 * @param columns how many values there are; `times` how often each may be written
 */
export function jsonRowSource(
  body: string,
  { fixedBytes, columns, times }: { readonly fixedBytes: number; readonly columns: number; readonly times: number },
): string {
  return `
    'use strict';
    return function (b, v, p, e, o) {
      const start = p;
      const x = ${fixedBytes + 64} + ${times * TEXT_FACTOR} * Math.min(e - p, ${columns * SHORT_VALUE_MAX});
      if (o.bytes.length - o.at < x) o.room(x);
      let w = o.bytes, wv = o.view, a = o.at, l = 0, q = 0, n = 0;
      ${body}
      if (p !== e) r.damaged(p);
      o.at = a;
    };`;
}

/** The key's columns in key order, each from the image after the change, or before it where that one does not have it. */
function keyColumns({ table, before, after }: RowShape): RowColumn[] {
  return table.key.flatMap((index): RowColumn[] => {
    if (after?.includes(index) === true) return [{ image: 'after', index }];
    return before?.includes(index) === true ? [{ image: 'before', index }] : [];
  });
}

/** Makes statements over the variables that `compileJsonRow` declares. */
export class JsonRowCode {
  readonly #shape: RowShape;
  readonly #json: 'embedded' | 'text';
  /** Room for everything that does not depend on the row's length. */
  fixedBytes = 0;

  constructor(shape: RowShape, json: 'embedded' | 'text') {
    this.#shape = shape;
    this.#json = json;
  }

  key(places: readonly RowColumn[]): string {
    const fields = places.map(
      ({ index }, at) => `p = places[${at}]; ${this.member(index, at === 0 ? '"key":{' : ',')}`,
    );
    if (fields.length === 0) return this.constant('"key":{}');
    return `locate(b, p, e, places);\n${fields.join('\n')}\n${this.constant('}')}\np = start;`;
  }

  image(name: 'before' | 'after'): string {
    const columns = this.#shape[name];
    if (columns === null) return this.constant('null');
    if (columns.length === 0) return this.constant('{}');
    const fields = columns.map((index, at) => this.member(index, at === 0 ? '{' : ','));
    return [...fields, this.constant('}')].join('\n');
  }

  /** Stores of four bytes at a time; the last may write up to three beyond, which what comes next writes over. */
  constant(text: string): string {
    const bytes = Buffer.from(text);
    this.fixedBytes += bytes.length + OVERSHOOT;
    const padded = Buffer.concat([bytes, Buffer.alloc(3)]);
    const stores: string[] = [];
    if (bytes.length < 3) {
      bytes.forEach((byte, at) => stores.push(`w[a + ${at}] = ${byte};`));
    } else {
      for (let at = 0; at < bytes.length; at += 4) {
        stores.push(`wv.setInt32(a + ${at}, ${padded.readInt32LE(at)}, true);`);
      }
    }
    return `${stores.join(' ')} a += ${bytes.length};`;
  }

  /** A column's name and value; `p` stands at the value and moves behind it. */
  member(index: number, separator: string): string {
    const column = this.#shape.table.columns[index] as Column;
    const prefix = this.constant(`${separator}${jsonString(column.name)}:`);
    this.fixedBytes += NUMBER_BYTES_MAX + OVERSHOOT;
    const kind = avroKind(column);
    if (kind === 'unsigned') {
      const branch = column.nullable ? 2 : 0;
      const none = column.nullable
        ? `else if (l === 0) { ${this.constant('null')} } else r.damaged(p);`
        : 'else r.damaged(p);';
      return `${prefix} l = b[p++];
        if (l === ${branch}) { ${longCode('n')} a = j.integer(w, a, n); }
        else if (l === ${branch + 2}) { ${LENGTH} a = j.integer(w, a, r.digits(b, p, p + l)); p += l; } ${none}`;
    }
    const value = this.#value(column, kind);
    if (!column.nullable) return `${prefix} ${value}`;
    return `${prefix} l = b[p++]; if (l === 2) { ${value} } else { if (l !== 0) r.damaged(p); ${this.constant('null')} }`;
  }

  #value(column: Column, kind: Exclude<ReturnType<typeof avroKind>, 'unsigned'>): string {
    switch (kind) {
      case 'int':
        return `${INT} l = l >>> 1 ^ -(l & 1); if (l < 0) a = j.integer(w, a, l); else a = j.digits(w, a, l);`;
      case 'long':
        return `${longCode('n')} a = j.integer(w, a, n);`;
      case 'float':
        return `if (e - p < 4) r.damaged(p); a = j.number(w, a, r.float32(v.getFloat32(p, true))); p += 4;`;
      case 'double':
        return `if (e - p < 8) r.damaged(p); a = j.number(w, a, v.getFloat64(p, true)); p += 8;`;
      case 'bytes':
        return `${LENGTH} w[a++] = 34; ${outside('j.bytes(o, b, p, p + l, x)')} w[a++] = 34; p += l;`;
      case 'floats':
        return `${INT}
          if (l === 0) { ${outside('j.vector(o, r.floats(v, p, 0), x)')} }
          else { if ((l & 1) !== 0 || !((l >>>= 1) * 4 < e - p)) r.damaged(p); ${outside('j.vector(o, r.floats(v, p, l), x)')} p += l * 4; if (b[p++] !== 0) r.damaged(p); }`;
      case 'string':
        return this.#text(column);
    }
  }

  #text(column: Column): string {
    const quote = 'w[a++] = 34;';
    if (isAsciiText(column)) {
      return `${LENGTH} ${quote} if (l > ${SHORT_VALUE_MAX}) r.damaged(p); a = j.copy(b, v, p, p + l, w, wv, a); p += l; ${quote}`;
    }
    const isDocument = column.type === 'json' && this.#json === 'embedded';
    const [short, long] = isDocument ? ['document', 'longDocument'] : ['text', 'longText'];
    const value = `if (l > ${SHORT_VALUE_MAX}) { ${outside(`j.${long}(o, b, v, p, p + l, x)`)} } else a = j.${short}(b, v, p, p + l, w, wv, a); p += l;`;
    return isDocument ? `${LENGTH} ${value}` : `${LENGTH} ${quote} ${value} ${quote}`;
  }
}

/** A call that writes to the output by itself, and may change its buffer. */
function outside(call: string): string {
  return `o.at = a; ${call}; w = o.bytes; wv = o.view; a = o.at;`;
}
