import type { RowShape } from '../../core/rows/row-shape.ts';
import type { Column } from '../../core/table-schema.ts';
import { skipCode } from './row-decoder.ts';
import { compiled } from './row-projection.ts';

/** Where in a row the values of some columns begin: `places` by their number, for a nullable column at the byte that tells whether it is NULL. */
export type LocateRow = (bytes: Buffer, from: number, end: number, places: Uint32Array) => void;

/** A column of one image, by its index in the table. */
export interface RowColumn {
  readonly image: 'before' | 'after';
  readonly index: number;
}

/**
 * The n-th of `columns` is found at `places[n]`. All are in the shape. The generated function reads no further than it must.
 *
 * @returns what throws DamagedRow for a row that contradicts its shape
 */
export function compileLocator(shape: RowShape, columns: readonly RowColumn[]): LocateRow {
  const lines: string[] = [];
  let found = 0;
  for (const image of ['before', 'after'] as const) {
    for (const index of shape[image] ?? []) {
      if (found === columns.length) break;
      const place = columns.findIndex((column) => column.image === image && column.index === index);
      if (place >= 0) {
        found += 1;
        lines.push(`x[${place}] = p;`);
      }
      lines.push(skipCode(shape.table.columns[index] as Column));
    }
  }
  const source = `
    'use strict';
    return function (b, p, e, x) {
      let l = 0;
      ${lines.join('\n')}
      if (!(p <= e)) r.damaged(p);
    };`;
  return compiled(source) as LocateRow;
}
