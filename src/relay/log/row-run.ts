import type { RowBatch } from '../../core/source.ts';
import { ROW_OP, RUN_BYTES } from '../../formats/log/batch-layout.ts';
import { type EntryBuffer, finishRun, putRun } from './entry-bytes.ts';
import type { ShapeState } from './shape-book.ts';

const ROW_KIND = {
  insert: ROW_OP.insert,
  update: ROW_OP.update,
  delete: ROW_OP.delete,
  upsert: ROW_OP.upsert,
} as const;
const NOTHING: Buffer = Buffer.alloc(0);
const NONE = -1;

/** The run in the making: rows with the same shape, kind and statement behind one entry. What it is of outlives its end: a batch may cut it. */
export class RowRun {
  /** Of its entry in the body. */
  #at = NONE;
  #shape: ShapeState | null = null;
  #kind = 0;
  #statement: string | null = null;
  #statementBytes: Buffer = NOTHING;

  get isOpen(): boolean {
    return this.#at !== NONE;
  }

  get shape(): ShapeState {
    if (this.#shape === null) throw new Error('a run begins before it is known what it is of');
    return this.#shape;
  }

  /** Of its entry. */
  get headBytes(): number {
    return RUN_BYTES + this.#statementBytes.length;
  }

  /** It is open, and the rows belong to it. */
  takes(shape: ShapeState, batch: RowBatch): boolean {
    return this.isOpen && shape === this.#shape && kindOf(batch) === this.#kind && batch.statement === this.#statement;
  }

  /** The next run is of such rows. */
  set(shape: ShapeState, batch: RowBatch): void {
    const { statement } = batch;
    this.#shape = shape;
    this.#kind = kindOf(batch);
    if (statement === this.#statement) return;
    this.#statement = statement;
    this.#statementBytes = statement === null ? NOTHING : Buffer.from(statement);
  }

  /** Puts its entry at `at`. @returns the offset behind it */
  open(body: EntryBuffer, at: number, scnOffset: number): number {
    this.#at = at;
    return putRun(body, at, {
      kind: this.#kind,
      shape: this.shape.index,
      scnOffset,
      statement: this.#statementBytes,
    });
  }

  /** Its rows end at `end`. @returns the offset behind it: without rows it leaves nothing behind */
  close(view: DataView, { rows, end }: { readonly rows: number; readonly end: number }): number {
    const at = this.#at;
    this.#at = NONE;
    if (rows === 0) return at;
    finishRun(view, at, { rows, bytes: end - at - this.headBytes });
    return end;
  }

  /** It never was. */
  abandon(): void {
    this.#at = NONE;
  }
}

function kindOf(batch: RowBatch): number {
  return ROW_KIND[batch.kind] | (batch.snapshot === true ? ROW_OP.snapshot : 0);
}
