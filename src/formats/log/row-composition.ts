import type { RowShape } from '../../core/rows/row-shape.ts';
import { copyBytes } from './copy-bytes.ts';
import { compileLocator, type RowColumn } from './row-locator.ts';
import type { ProjectRow } from './row-projection.ts';

/**
 * Copies columns of both images of a row into one image, in the order given. For the half of an update whose image does not hold all
 * of the key: what it lacks was not changed, and stands in the other image.
 */
export function compileComposition(shape: RowShape, columns: readonly RowColumn[]): ProjectRow {
  const all: RowColumn[] = [
    ...(shape.before ?? []).map((index): RowColumn => ({ image: 'before', index })),
    ...(shape.after ?? []).map((index): RowColumn => ({ image: 'after', index })),
  ];
  const locate = compileLocator(shape, all);
  const chosen = columns.map(({ image, index }) => all.findIndex((one) => one.image === image && one.index === index));
  // A column ends where the next one begins.
  const places = new Uint32Array(all.length + 1);
  // oxlint-disable-next-line max-params -- as every ProjectRow
  return (bytes, view, from, end, target, targetView, at) => {
    locate(bytes, from, end, places);
    places[all.length] = end;
    let p = at;
    for (const column of chosen) {
      p = copyBytes(bytes, view, places[column] as number, places[column + 1] as number, target, targetView, p);
    }
    return p;
  };
}
