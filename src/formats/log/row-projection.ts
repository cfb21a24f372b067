import type { RowShape } from '../../core/rows/row-shape.ts';
import type { Column } from '../../core/table-schema.ts';
import { copyBytes } from './copy-bytes.ts';
import { skipCode } from './row-decoder.ts';
import { rowRuntime } from './row-runtime.ts';

/**
 * Copies the wanted columns of one row, without decoding them: bytes `from` to `end` are the row's images without its header, `at` is
 * where they go. The target has room for all of the row. Returns the offset behind what was written.
 *
 * @throws DamagedRow, and RangeError when the bytes reach past the buffer
 */
export type ProjectRow = (
  bytes: Buffer,
  view: DataView,
  from: number,
  end: number,
  target: Buffer,
  targetView: DataView,
  at: number,
) => number;

/** What generated projections call, and where they leave the end of the image before, in the target. */
export const projectionRuntime: {
  readonly damaged: (offset: number) => never;
  readonly skipLong: (bytes: Buffer, at: number) => number;
  readonly copy: typeof copyBytes;
  beforeEnd: number;
} = {
  damaged: rowRuntime.damaged,
  skipLong: rowRuntime.skipLong,
  copy: copyBytes,
  beforeEnd: 0,
};

export interface ImageColumns {
  readonly before: readonly number[] | null;
  readonly after: readonly number[] | null;
}

/**
 * The function is generated for the shape, as row decoders are: which columns to copy and how to pass over the others is
 * decided once, and wanted columns that stand side by side go in one piece.
 */
export function compileProjection(shape: RowShape, kept: ImageColumns): ProjectRow {
  const body = [imageCode(shape, 'before', kept), 'r.beforeEnd = at;', imageCode(shape, 'after', kept)].join('\n');
  const source = `
    'use strict';
    return function (b, v, p, e, o, w, at) {
      let l = 0;
      let s = 0;
      ${body}
      if (p !== e) r.damaged(p);
      return at;
    };`;
  return compiled(source) as ProjectRow;
}

function imageCode({ table, ...images }: RowShape, image: 'before' | 'after', kept: ImageColumns): string {
  const lines: string[] = [];
  // Not p > e: behind the buffer's last byte there is no number, and p is none either.
  const copy = 'if (!(p <= e)) r.damaged(p); at = r.copy(b, v, s, p, o, w, at);';
  let copying = false;
  for (const index of images[image] ?? []) {
    const wanted = kept[image]?.includes(index) === true;
    if (wanted && !copying) lines.push('s = p;');
    if (!wanted && copying) lines.push(copy);
    copying = wanted;
    lines.push(skipCode(table.columns[index] as Column));
  }
  if (copying) lines.push(copy);
  return lines.join('\n');
}

/** So many different functions are remembered; a stream with more kinds of tables compiles some of them again. */
const FACTORIES_MAX = 1024;
const factories = new Map<string, (runtime: typeof projectionRuntime) => unknown>();

/** Functions of the same text are made by the same factory, so that all readers share what the engine has learned. */
export function compiled(source: string): unknown {
  let factory = factories.get(source);
  if (factory === undefined) {
    // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- made of types and numbers only
    factory = new Function('r', source) as (runtime: typeof projectionRuntime) => unknown;
    if (factories.size >= FACTORIES_MAX) factories.clear();
    factories.set(source, factory);
  }
  return factory(projectionRuntime);
}
