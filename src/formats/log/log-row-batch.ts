import type { TextWindow } from '../../base/text-window.ts';
import type { Change, ChangeKind, Row, Value } from '../../core/change.ts';
import { TidingsError } from '../../core/errors.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import { MOVED_ROW_HEADER_BYTES, ROW_HEADER_BYTES, type RowTarget } from '../../core/rows/row-target.ts';
import type { RowsExtent, StoredRows } from '../../core/rows/stored-rows.ts';
import type { DecodedRows } from '../../core/source.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import { ROW_OP, RUN_BYTES, SAME_STATEMENT } from './batch-layout.ts';
import type { RowRange } from './row-decoder.ts';
import { DamagedRow } from './row-runtime.ts';
import type { KnownShape } from './shape-registry.ts';

/** The body of one batch, and what its row batches share. A new one for every batch: it stands for the content of the bytes. */
export interface BatchBody {
  readonly bytes: Buffer;
  /** Over the same bytes, with the same offsets. */
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
  /** Of the batch: the runs' offsets count from it. */
  readonly firstScn: number;
  /** By what a row's hash is taken to tell its partition; null: changes do not say it. */
  readonly partitions: number | null;
  readonly window: TextWindow;
}

const KINDS: readonly ChangeKind[] = ['insert', 'update', 'delete', 'upsert'];

/** The rows of one run of a stored or filtered batch, in place: valid as long as the bytes. Nothing is decoded before it is asked for. */
export class LogRowBatch implements StoredRows {
  readonly type = 'rows';
  readonly kind: ChangeKind;
  /** The SCN of the first row; the others' follow one by one. */
  readonly scn: number;
  readonly count: number;
  readonly #op: number;
  readonly #body: BatchBody;
  readonly #statementStart: number;
  readonly #statementEnd: number;
  readonly #rowsStart: number;
  readonly #rowsEnd: number;
  readonly #known: KnownShape;

  /**
   * @param at where the run's entry begins; its lengths have been checked
   * @param previous the run before it in the batch, whose statement it may share
   */
  // oxlint-disable-next-line max-params -- one for each run: an options object more would be felt
  constructor(body: BatchBody, at: number, known: KnownShape, previous: LogRowBatch | null) {
    const { view } = body;
    this.#op = view.getUint8(at + 1);
    this.kind = KINDS[this.#op & ROW_OP.kindMask] as ChangeKind;
    this.scn = body.firstScn + view.getUint32(at + 4, true);
    this.count = view.getUint32(at + 8, true);
    const statementBytes = view.getUint32(at + 16, true);
    if (statementBytes === SAME_STATEMENT) {
      this.#statementStart = previous === null ? 0 : previous.#statementStart;
      this.#statementEnd = previous === null ? 0 : previous.#statementEnd;
      this.#rowsStart = at + RUN_BYTES;
    } else {
      this.#statementStart = at + RUN_BYTES;
      this.#statementEnd = this.#statementStart + statementBytes;
      this.#rowsStart = this.#statementEnd;
    }
    this.#rowsEnd = this.#rowsStart + view.getUint32(at + 12, true);
    this.#body = body;
    this.#known = known;
  }

  get table(): TableSchema {
    return this.#known.shape.table;
  }

  get shape(): RowShape {
    return this.#known.shape;
  }

  /** Set when the rows are halves of updates that moved the key: see `Change.moved`. */
  get moved(): 'from' | 'to' | null {
    if ((this.#op & ROW_OP.movedFrom) !== 0) return 'from';
    return (this.#op & ROW_OP.movedTo) === 0 ? null : 'to';
  }

  get snapshot(): boolean {
    return (this.#op & ROW_OP.snapshot) !== 0;
  }

  get statement(): string | null {
    if (this.#statementStart === this.#statementEnd) return null;
    return this.#body.bytes.toString('utf8', this.#statementStart, this.#statementEnd);
  }

  /** Where its rows lie, for those who read the bytes themselves. What they throw goes through `explained`. */
  get extent(): RowsExtent {
    const { bytes, view } = this.#body;
    return { bytes, view, start: this.#rowsStart, end: this.#rowsEnd };
  }

  rows(): DecodedRows {
    const before: Row[] = [];
    const after: Row[] = [];
    this.#decode(this.#known.rows, { before, after });
    const { count } = this;
    switch (this.kind) {
      case 'insert':
      case 'upsert':
        this.#checkCount(after.length);
        return { count, before: null, after };
      case 'delete':
        this.#checkCount(before.length);
        return { count, before, after: null };
      case 'update':
        this.#checkCount(after.length);
        return { count, before, after };
    }
  }

  keys(): readonly (Value | readonly Value[])[] | null {
    const { keys } = this.#known;
    if (keys === null) return null;
    const output: (Value | readonly Value[])[] = [];
    this.#decode(keys, output);
    this.#checkCount(output.length);
    return output;
  }

  changes(): Change[] {
    const { count, before, after } = this.rows();
    const { keyRow } = this.#known;
    const { kind, table, scn, statement, moved, snapshot } = this;
    const { partitions } = this.#body;
    const hashes = partitions === null ? null : this.hashes();
    return Array.from({ length: count }, (_, i) => {
      const old = before?.[i] ?? null;
      const now = after?.[i] ?? null;
      const change: Change = {
        kind,
        table,
        scn: scn + i,
        key: keyRow === null ? null : keyRow(old, now),
        before: old,
        after: now,
        statement,
      };
      if (moved === null && hashes === null && !snapshot) return change;
      return {
        ...change,
        ...(snapshot ? { snapshot } : {}),
        ...(moved === null ? {} : { moved }),
        ...(hashes === null ? {} : { partition: (hashes[i] as number) % (partitions ?? 1) }),
      };
    });
  }

  /** The partition hash of each row's key, after the change (before it, for a delete): see core/rows/key-hash.ts. */
  hashes(): Uint32Array {
    const { view } = this.#body;
    const hashes = new Uint32Array(this.count);
    let row = 0;
    this.#walk((start) => {
      hashes[row++] = view.getUint32(start + 4, true);
    });
    return hashes;
  }

  writeTo(target: RowTarget): void {
    const { bytes } = this.#body;
    this.#walk((start, end) => {
      target.room(end - start);
      bytes.copy(target.bytes, target.at, start, end);
      target.at += end - start;
      target.rows++;
    });
  }

  /** Calls back with the places of the rows, headers included. */
  #walk(visit: (start: number, end: number) => void): void {
    const { view } = this.#body;
    const rowsEnd = this.#rowsEnd;
    let rows = 0;
    let p = this.#rowsStart;
    while (p < rowsEnd) {
      const end = rowsEnd - p < ROW_HEADER_BYTES ? Infinity : rowEnd(view, p);
      if (end > rowsEnd) throw this.#damaged(p);
      visit(p, end);
      p = end;
      rows++;
    }
    this.#checkCount(rows);
  }

  #decode<Output>(
    decoder: (bytes: Buffer, view: DataView, range: RowRange, output: Output) => void,
    output: Output,
  ): void {
    const { bytes, view, window, end: limit } = this.#body;
    try {
      decoder(bytes, view, { start: this.#rowsStart, end: this.#rowsEnd, window, limit }, output);
    } catch (error) {
      throw this.explained(error);
    }
  }

  #checkCount(rows: number): void {
    if (rows !== this.count) throw this.#damaged(this.#rowsStart);
  }

  /** Names the table and the change. A read past the whole buffer, which the view refuses, is turned into what it is. */
  explained(error: unknown): unknown {
    if (error instanceof DamagedRow) return this.#damaged(error.offset);
    if (error instanceof RangeError) return this.#damaged(this.#rowsEnd);
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_STRING_TOO_LONG') return error;
    const { database, name } = this.table;
    return new TidingsError('VALUE_TOO_LONG', `${database}.${name} has a value that is longer than a text can be`, {
      details: { database, table: name, scn: this.scn },
      cause: error,
    });
  }

  #damaged(offset: number): TidingsError {
    const { database, name } = this.table;
    return new TidingsError(
      'LOG_DAMAGED',
      `a batch of the log is damaged: rows of ${database}.${name} behind change ${this.scn} contradict their description`,
      { details: { database, table: name, scn: this.scn, rows: this.count, offset: offset - this.#body.start } },
    );
  }
}

/** Behind the row at `start`, of whose header the first eight bytes are there. */
export function rowEnd(view: DataView, start: number): number {
  const length = view.getInt32(start, true);
  return length < 0 ? start + MOVED_ROW_HEADER_BYTES + (length & 0x7fff_ffff) : start + ROW_HEADER_BYTES + length;
}
