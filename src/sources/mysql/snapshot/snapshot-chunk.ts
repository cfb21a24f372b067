import { keyText, type SnapshotChunk } from '../../../core/snapshot.ts';
import type { RowBatch } from '../../../core/source.ts';
import type { TableSchema } from '../../../core/table-schema.ts';
import type { MysqlPosition } from '../mysql-position.ts';
import type { ChunkKey } from './chunk-key.ts';
import type { RowBuffer, RowBuffers } from './row-buffer.ts';
import { TextRowBatch, type TextRows, type TextRowViews } from './text-rows/text-row-batch.ts';

export interface ChunkParts {
  readonly views: TextRowViews;
  /** Null: the table has none. */
  readonly key: ChunkKey | null;
  readonly buffer: RowBuffer;
  readonly buffers: RowBuffers;
  readonly bytes: number;
  readonly next: string | null;
  readonly mark: MysqlPosition;
  readonly readAtUs: number;
}

/** Written within a few milliseconds. */
const BATCH_ROWS = 2000;

function piece({ bytes, view, starts, ends }: TextRows, from: number, to: number): TextRows {
  return { bytes, view, starts: starts.subarray(from, to), ends: ends.subarray(from, to), count: to - from };
}

/** A chunk's rows, in the buffer in which they were received. */
export class MysqlSnapshotChunk implements SnapshotChunk {
  readonly table: TableSchema;
  readonly key: readonly string[];
  readonly count: number;
  readonly columns: number;
  readonly bytes: number;
  readonly next: string | null;
  readonly mark: MysqlPosition;
  readonly readAtUs: number;
  readonly #views: TextRowViews;
  readonly #buffers: RowBuffers;
  #buffer: RowBuffer | null;

  constructor({ views, key, buffer, buffers, bytes, next, mark, readAtUs }: ChunkParts) {
    this.table = views.table;
    this.key = key?.parts.map(({ column }) => column) ?? [];
    this.count = buffer.count;
    this.columns = views.shape.after?.length ?? 0;
    this.bytes = bytes;
    this.next = next;
    this.mark = mark;
    this.readAtUs = readAtUs;
    this.#views = views;
    this.#buffers = buffers;
    this.#buffer = buffer;
  }

  rows(except: ReadonlySet<string>): readonly RowBatch[] {
    const buffer = this.#buffer;
    if (buffer === null) return [];
    const left = except.size === 0 ? null : this.#without(except, buffer);
    const count = left === null ? buffer.count : left.length;
    const batches: RowBatch[] = [];
    for (let from = 0; from < count; from += BATCH_ROWS) {
      const to = Math.min(from + BATCH_ROWS, count);
      batches.push(
        left === null
          ? new TextRowBatch(this.#views, piece(buffer, from, to), null)
          : new TextRowBatch(this.#views, buffer, left.subarray(from, to)),
      );
    }
    return batches;
  }

  release(): void {
    if (this.#buffer !== null) this.#buffers.give(this.#buffer);
    this.#buffer = null;
  }

  /** The rows whose keys are not in the set; null: all. */
  #without(except: ReadonlySet<string>, buffer: RowBuffer): Uint32Array | null {
    const keys = this.#views.chunkKeys(buffer);
    if (keys === null) return null;
    const left = new Uint32Array(buffer.count);
    let count = 0;
    for (let i = 0; i < buffer.count; i++) {
      const key = keys[i];
      if (key === undefined || !except.has(keyText(key))) left[count++] = i;
    }
    return count === buffer.count ? null : left.subarray(0, count);
  }
}
