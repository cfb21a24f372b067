import { type PlainRows, plainRowBatch } from '../../core/plain-rows.ts';
import type { StoredRows } from '../../core/rows/stored-rows.ts';
import { KEY_MOVED, MOVED_ROW_HEADER_BYTES, ROW_HEADER_BYTES, type RowTarget } from '../../core/rows/row-target.ts';

/** Rows in the log's form, as a sink with `packing` gets them. */
export function storedRun(plain: PlainRows, scn: number): StoredRows {
  const batch = plainRowBatch(plain);
  const target = new GrowingTarget();
  batch.writeTo(target);
  const { kind, table, statement, shape } = batch;
  return {
    type: 'rows',
    kind,
    table,
    statement,
    shape,
    scn,
    count: target.rows,
    moved: null,
    extent: { bytes: target.bytes, view: target.view, start: 0, end: target.at },
    rows: () => batch.rows(),
    keys: () => batch.keys(),
    changes: () => batch.changes(),
    writeTo: (to) => batch.writeTo(to),
  };
}

export interface StoredPlace {
  /** Of a row's images, behind its header. */
  readonly start: number;
  readonly end: number;
  /** Its key moved: it has the longer header. */
  readonly isMoved: boolean;
}

export function* placesOf({ extent: { view, start, end } }: StoredRows): Generator<StoredPlace> {
  for (let p = start; p < end;) {
    const length = view.getInt32(p, true);
    const isMoved = length < 0;
    const from = p + (isMoved ? MOVED_ROW_HEADER_BYTES : ROW_HEADER_BYTES);
    p = from + (length & ~KEY_MOVED);
    yield { start: from, end: p, isMoved };
  }
}

const FIRST_BYTES = 4096;

class GrowingTarget implements RowTarget {
  bytes: Buffer = Buffer.alloc(FIRST_BYTES);
  view: DataView = viewOf(this.bytes);
  at = 0;
  end: number = FIRST_BYTES;
  rows = 0;

  room(size: number): void {
    this.grow(this.at, size);
  }

  grow(offset: number, size: number): number {
    if (size > this.end - offset) {
      const grown = Buffer.alloc((offset + size) * 2);
      this.bytes.copy(grown, 0, 0, offset);
      this.bytes = grown;
      this.view = viewOf(grown);
      this.end = grown.length;
    }
    return offset;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
