import { tableHash, tableSeed } from '../../../../core/rows/key-hash.ts';
import { MOVED_ROW_HEADER_BYTES, ROW_HEADER_BYTES, type RowTarget } from '../../../../core/rows/row-target.ts';
import type { TableSchema } from '../../../../core/table-schema.ts';
import { COLUMN_TYPE } from '../column-types.ts';
import type { BoundColumn } from './bound-column.ts';
import { skipCode } from './column-code.ts';
import { GeneratedFunction } from './generated-functions.ts';
import {
  documentVariables,
  imageCode,
  type ImageLayout,
  type ImageName,
  isDiffTest,
  isEmptyLayout,
  type LoggedColumn,
} from './image-walk.ts';
import { diffCode, mixCode, writeCode, type WriteContext } from './transcode-code.ts';
import { transcodeRuntime } from './transcode-runtime.ts';

/**
 * Functions generated for one table and one pair of column bitmaps that write the rows of one event as the relay log keeps them:
 * row-target.ts has the row, avro-schema.ts the values. As in row-decoder.ts everything is decided per table; in addition no object,
 * string or closure is made per row for the usual types, and none per event.
 *
 * Room is asked for once per row: what is left of the event, since nearly every value takes as much as it has there, and a
 * fixed sum for what takes more. What can be longer still asks for itself (`reserve` in transcode-code.ts).
 */
export type TranscodeFunction = (bytes: Buffer, view: DataView, start: number, end: number, target: RowTarget) => void;

export interface TranscoderOptions {
  readonly columns: readonly BoundColumn[];
  readonly layout: ImageLayout;
  /** Of these columns; its `nullable` decides what is a union. */
  readonly table: TableSchema;
}

/** With more bytes left of the event than this, the row is measured first, so that the room asked for is a row's and not an event's. */
const LEFT_BYTES_MAX = 32_768;
const TEXTS_IN_PLACE_MAX = 16;
/** What a copy of eight bytes at a time may need beyond its end. */
const SLACK_BYTES = 8;

export function compileTranscoder({ columns, layout, table }: TranscoderOptions): TranscodeFunction {
  return new Transcoder(columns, layout, table).compile();
}

class Transcoder {
  readonly #columns: readonly BoundColumn[];
  readonly #layout: ImageLayout;
  readonly #table: TableSchema;
  readonly #function = new GeneratedFunction();
  readonly #context: WriteContext = {
    json: 'text',
    reserve: 'fixed + end - p',
    constant: (value) => this.#function.constant(value),
    inlineText: () => this.#textsInPlace++ < TEXTS_IN_PLACE_MAX,
  };
  #textsInPlace = 0;
  #fixed = MOVED_ROW_HEADER_BYTES + SLACK_BYTES;

  constructor(columns: readonly BoundColumn[], layout: ImageLayout, table: TableSchema) {
    this.#columns = columns;
    this.#layout = layout;
    this.#table = table;
  }

  compile(): TranscodeFunction {
    return this.#function.make(
      isEmptyLayout(this.#layout) ? this.#emptyRow() : this.#rows(),
      transcodeRuntime,
    ) as TranscodeFunction;
  }

  #rows(): string {
    const walk = { columns: this.#columns, layout: this.#layout };
    const write = (image: ImageName): string => imageCode(image, walk, (logged) => this.#column(image, logged));
    const skip = (image: ImageName): string =>
      imageCode(
        image,
        walk,
        ({ bound, notNull }) => `${notNull === null ? '' : `if (${notNull})`} { ${skipCode(bound)} }`,
      );
    const { before, after } = this.#layout;
    const isUpdate = before !== null && after !== null;
    const images = [
      write('before'),
      isUpdate ? `const beforeBytes = o - t.at - ${ROW_HEADER_BYTES};` : '',
      write('after'),
    ].join('\n');
    const hash = this.#hash();
    return `
      'use strict';
      const fixed = ${this.#fixed};
      function measure(b, v, p, end) {
        let l = 0;
        ${skip('before')}
        ${skip('after')}
        if (!(p <= end)) r.short(end);
        return p;
      }
      return function (b, v, start, stop, t) {
        let p = start;
        let end = stop;
        let l = 0, q = 0, o = 0, h = 0, x;
        let d = t.bytes, w = t.view;
        while (p < stop) {
          end = stop - p > ${LEFT_BYTES_MAX} ? measure(b, v, p, stop) : stop;
          if (t.end - t.at < fixed + end - p) { t.room(fixed + end - p); d = t.bytes; w = t.view; }
          o = t.at + ${ROW_HEADER_BYTES};
          ${documentVariables(this.#columns, this.#layout)}
          ${this.#keyVariables()}
          ${images}
          // Not p > end: behind the buffer's last byte there is no number, and p is none either.
          if (!(p <= end)) r.short(end);
          ${hash}
          t.at = o;
          t.rows++;
        }
      };`;
  }

  /** The servers log at most one row without a byte in an event, and apply an event without a byte as one row. */
  #emptyRow(): string {
    const hash = this.#function.constant(tableHash(this.#table));
    return `
      'use strict';
      return function (b, v, start, stop, t) {
        if (start < stop) r.bytesWithoutColumns(start);
        r.emptyRow(t, ${hash});
      };`;
  }

  #column(image: ImageName, { bound, index, notNull }: LoggedColumn): string {
    const value = this.#value(image, bound, index);
    const keyed = this.#table.key.includes(index)
      ? `${start(image, index)} = p; ${value} ${end(image, index)} = p;`
      : value;
    if (notNull === null) return `{ ${keyed} }`;
    return `if (${notNull}) { ${keyed} }${bound.selected ? ' else d[o++] = 0;' : ''}`;
  }

  #value(image: ImageName, bound: BoundColumn, index: number): string {
    const nullable = this.#table.columns[index]?.nullable === true;
    let plain = skipCode(bound);
    if (bound.selected) {
      const { code, bytesMax } = writeCode(bound, nullable, this.#context);
      this.#fixed += bytesMax;
      plain = code;
    }
    if (!this.#layout.partial || bound.wire.type !== COLUMN_TYPE.JSON) return plain;
    // A diff applies to the document of the before image: remember where that lies.
    if (image === 'before') {
      return `const at = p; ${skipCode(bound)} js${index} = at + ${bound.wire.size}; je${index} = p; p = at; ${plain}`;
    }
    const patch = bound.selected
      ? `${nullable ? 'd[o++] = 2;' : ''} ${diffCode(index, this.#context)}`
      : 'l = v.getUint32(p, true); p += 4 + l;';
    return `if (${isDiffTest(this.#columns, index)}) { ${patch} } else { ${plain} }`;
  }

  /** Where the key's values lie in each image; -1: NULL, which no primary key is. */
  #keyVariables(): string {
    return (['before', 'after'] as const)
      .flatMap((image) =>
        [...new Set(this.#table.key)]
          .filter((index) => this.#layout[image]?.[index] === true)
          .map((index) => `let ${start(image, index)} = -1, ${end(image, index)} = -1;`),
      )
      .join(' ');
  }

  /** Statements that complete the row: its length, the hash of its key, and the old hash if the key moved. */
  #hash(): string {
    const { before, after } = this.#layout;
    const plain = (hash: string): string =>
      `w.setInt32(t.at, o - t.at - ${ROW_HEADER_BYTES}, true); w.setInt32(t.at + 4, ${hash}, true);`;
    const now = this.#places('after', 'before');
    // No primary key, or one that was not logged.
    if (now === null) return plain(this.#function.constant(tableHash(this.#table)));
    const both = this.#table.key.filter((index) => before?.[index] === true && after?.[index] === true);
    const mixNow = this.#mix(now);
    if (both.length === 0) return `${mixNow} ${plain('h')}`;
    const mixThen = this.#mix(this.#places('before', 'after') as ImageName[]);
    const moved = both.map(
      (index) =>
        `r.differ(b, ${start('before', index)}, ${end('before', index)}, ${start('after', index)}, ${end('after', index)})`,
    );
    return `
      if (${moved.join(' || ')}) {
        ${mixThen}
        const oldHash = h;
        ${mixNow}
        o = r.moved(t, o, beforeBytes, h, oldHash);
      } else {
        ${mixNow}
        ${plain('h')}
      }`;
  }

  /** In which image each column of the key is found; null when some are in neither. */
  #places(first: ImageName, second: ImageName): ImageName[] | null {
    const places = this.#table.key.map((index): ImageName | null => {
      if (this.#layout[first]?.[index] === true) return first;
      return this.#layout[second]?.[index] === true ? second : null;
    });
    return places.length === 0 || places.includes(null) ? null : (places as ImageName[]);
  }

  /** Statements that leave the hash of the key in `h`. They read the values again, in key order. */
  #mix(places: readonly ImageName[]): string {
    const seed = this.#function.constant(tableSeed(this.#table));
    const steps = this.#table.key.map((index, at) => {
      const bound = this.#columns[index] as BoundColumn;
      const place = start(places[at] as ImageName, index);
      const step = `p = ${place}; ${mixCode(bound, this.#context)}`;
      if (!bound.wire.nullable) return step;
      return `if (${place} < 0) h = r.mixValue(h, ${this.#function.constant(bound.column)}, null); else { ${step} }`;
    });
    return `{ const next = p; h = ${seed}; ${steps.join(' ')} h = r.finish(h); p = next; }`;
  }
}

/** The variables of where a key column's value begins and ends in an image. */
function start(image: ImageName, index: number): string {
  return `${image === 'before' ? 'x' : 'y'}${index}s`;
}

function end(image: ImageName, index: number): string {
  return `${image === 'before' ? 'x' : 'y'}${index}e`;
}
