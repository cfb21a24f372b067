import { constants, zstdCompressSync } from 'node:zlib';
import type { SchemaChange, TransactionInfo, Truncation } from '../../core/change.ts';
import type { Position } from '../../core/position.ts';
import type { RowTarget } from '../../core/rows/row-target.ts';
import type { ChangeBatch, RowBatch, TransactionPart } from '../../core/source.ts';
import { FLAG } from '../../formats/log/batch-layout.ts';
import { BUFFER_BYTES } from './append-buffers.ts';
import { BatchDraft } from './batch-draft.ts';
import { moveRuns } from './body-walk.ts';
import {
  checkEntryBytes,
  encodeStatement,
  putShape,
  putStatement,
  putTransaction,
  shapeBytesMax,
  transactionBytesMax,
} from './entry-bytes.ts';
import type { LogAppender } from './log-appender.ts';
import { RowRun } from './row-run.ts';
import type { Segment } from './segment.ts';
import type { ShapeBook, ShapeState } from './shape-book.ts';
import { SourceProgress } from './source-progress.ts';
import type { TableBook } from './table-book.ts';

/** What a batch has room for: a reader's buffer holds one, unless a single row is larger. */
const BATCH_BYTES = 256 * 1024;
/** Left for header, position and fingerprints, as far as they are of the usual size. */
const HEAD_BYTES = 4096;
const BODY_BYTES = BATCH_BYTES - HEAD_BYTES;
/** A transaction that begins when less is left begins the next batch. */
const TRANSACTION_ROOM = 512;
/** Below this a frame of zstd is hardly smaller than what it holds. */
const COMPRESS_FROM_BYTES = 256;
/** Very large rows get memory in steps of this size at most. */
const BIG_STEP_BYTES = 64 * 1024 * 1024;

export interface BatchWriterOptions {
  readonly appender: LogAppender;
  readonly shapes: ShapeBook;
  readonly tables: TableBook;
  readonly compression: 'none' | 'zstd';
  /** Where the source resumes as of the log's end; null for a new log. */
  readonly position: string | null;
  /** A segment is full and gets a successor. */
  readonly sealed: (segment: Segment) => void;
}

/**
 * Turns what a source hands over into the bodies of batches. Rows write themselves into it (`RowTarget`); nothing is allocated per row
 * or transaction.
 *
 * A batch ends when it is full, or when somebody wants to write it (`seal`). It holds complete transactions, or a piece of one: a
 * transaction that is handed over in parts begins a batch and ends one, and one that turns out to be larger than a batch is moved into
 * a batch of its own before it is cut.
 */
export class BatchWriter implements RowTarget {
  bytes: Buffer;
  view: DataView;
  at = 0;
  end: number = BODY_BYTES;
  rows = 0;

  readonly #options: BatchWriterOptions;
  /** What bodies are made in, mostly no further than to BODY_BYTES. */
  readonly #usual: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  /** What the body at hand is made in instead, with room for the head before it: the log may take it over as it is. */
  #large: Buffer | null = null;
  readonly #progress: SourceProgress;
  /** The batch in the making: its body are the bytes up to `at`. */
  readonly #draft: BatchDraft = new BatchDraft();

  // The transaction in the making.
  #transaction: TransactionInfo | null = null;
  /** Where it begins in the batch in the making. */
  #transactionAt = 0;
  /** Behind its entry there. */
  #entryEnd = 0;
  /** It has batches of its own. */
  #alone = false;
  /** Batches of it were sealed. */
  #cut = false;

  readonly #run: RowRun = new RowRun();
  /** The run is all that is in the batch besides its transaction's entry. */
  #runIsFirst = false;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
    this.bytes = this.#usual;
    this.view = new DataView(this.bytes.buffer);
    this.#progress = new SourceProgress(options.position);
  }

  /** Inside a transaction. */
  get isOpen(): boolean {
    return this.#transaction !== null;
  }

  /** There is something that `seal` would make a batch of. */
  get hasBatch(): boolean {
    return this.at > 0 && (this.#transaction === null || this.at > this.#entryEnd);
  }

  /** There are whole transactions that wait for their batch to be full. */
  get hasTransactions(): boolean {
    return this.at > 0 && !this.#alone;
  }

  /** The source has come further than the last batch says, without anything that would make a batch. */
  get hasPosition(): boolean {
    return this.#transaction === null && this.at === 0 && this.#progress.isAheadOfSealed;
  }

  /**
   * @throws TidingsError whatever a row batch cannot write. The transaction is taken back then; those before it stay.
   */
  append(batch: ChangeBatch): void {
    this.#progress.addBytes(batch.bytes);
    try {
      for (const part of batch.parts) this.#part(part);
    } catch (error) {
      this.abandon();
      throw error;
    }
    if (this.#transaction === null) this.#progress.moveTo(batch.position);
  }

  /** Makes a batch of what there is, also of an unfinished transaction. */
  seal(): void {
    if (this.at === 0) return;
    this.#endRun();
    if (this.#transaction === null) this.#seal(0, this.at);
    else if (!this.#alone && this.#transactionAt > 0) this.#split();
    else if (this.at > this.#entryEnd) this.#cutTransaction();
  }

  /** Makes an empty batch, of the position alone. */
  sealPosition(): void {
    if (this.#transaction !== null || this.at > 0 || this.#progress.position === null) return;
    this.#startBatch();
    this.#seal(0, 0);
  }

  /** Takes the transaction in the making back, wherever its batches are by now. */
  abandon(): void {
    if (this.#transaction === null) return;
    const { appender, shapes, tables } = this.#options;
    this.#transaction = null;
    this.#run.abandon();
    tables.rollback();
    if (this.#cut) {
      appender.rollback();
      shapes.forgetDefinitions();
      this.#clear();
      return;
    }
    this.at = this.#transactionAt;
    this.#draft.rollback();
    if (this.at === 0) this.#clear();
  }

  room(size: number): void {
    if (this.end - this.at >= size) return;
    this.#endRun();
    this.#beginRun(size);
  }

  grow(offset: number, size: number): number {
    if (this.end - offset >= size) return offset;
    const done = offset - this.at;
    const needed = done + size;
    checkEntryBytes(needed);
    if (this.rows === 0 && this.#runIsFirst) {
      // Nothing but this row is in the batch: it gets what it needs.
      this.#enlarge(Math.max(needed, Math.min(2 * needed, needed + BIG_STEP_BYTES)), offset);
      return offset;
    }
    // Everything before the row goes into a batch of its own. A copy, as the next batch is made in the same memory.
    const begun = Buffer.from(this.bytes.subarray(this.at, offset));
    this.room(needed);
    begun.copy(this.bytes, this.at);
    return this.at + done;
  }

  #part(part: TransactionPart): void {
    if (part.begins) this.#begin(part);
    else if (this.#transaction === null) throw new Error('a transaction goes on that has not begun');
    for (const entry of part.entries) {
      if (entry.type === 'rows') this.#rows(entry);
      else this.#statementEntry(entry);
    }
    if (part.end !== null) this.#finish(part.end);
  }

  #begin({ transaction, end }: TransactionPart): void {
    // It begins again (`restarted`), or the source was opened again and has forgotten that it had begun.
    if (this.#transaction !== null) this.abandon();
    this.#progress.startAt(transaction.start);
    this.#alone = end === null;
    this.#cut = false;
    const size = transactionBytesMax(transaction) + TRANSACTION_ROOM;
    if (this.at > 0 && (this.#alone || this.end - this.at < size)) this.#seal(0, this.at);
    if (this.at === 0) this.#startBatch();
    this.#transactionAt = this.at;
    this.#draft.mark();
    this.#transaction = transaction;
    this.#transactionEntry(false);
  }

  #transactionEntry(continued: boolean): void {
    const transaction = this.#transaction as TransactionInfo;
    this.#draft.addTransaction(transaction);
    this.at = putTransaction(this, this.at, { transaction, continued });
    this.#entryEnd = this.at;
  }

  #finish(end: Position): void {
    this.#endRun();
    this.#draft.transactions++;
    this.#transaction = null;
    this.#progress.moveTo(end);
    this.#options.tables.commit();
    // A large one is as full as it gets, and the log shall know how much waits for the disk.
    if (this.#alone || this.#large !== null) this.#seal(0, this.at);
  }

  #rows(batch: RowBatch): void {
    const shape = this.#options.shapes.state(batch.shape);
    if (!this.#run.takes(shape, batch)) {
      this.#endRun();
      this.#options.tables.use(shape.key, shape.shape);
      this.#run.set(shape, batch);
      this.#beginRun(0);
    }
    batch.writeTo(this);
  }

  /** The entry of the run, with room for `size` bytes of rows behind it; what the shape means before it, if this segment does not say. */
  #beginRun(size: number): void {
    checkEntryBytes(size);
    const run = this.#run;
    const { shape } = run;
    const needed = run.headBytes + size;
    const isDefined = shape.definedIn === this.#options.appender.segment;
    const definition = isDefined ? 0 : shapeBytesMax(shape.shape.text);
    this.#ensure(this.#draft.isFullFor(shape) ? Infinity : definition + needed);
    this.#define(shape);
    // After a definition that a new segment made necessary.
    if (this.end - this.at < needed) this.#enlarge(needed, this.at);
    this.#runIsFirst = this.#transactionAt === 0 && this.at <= this.#entryEnd + definition;
    this.at = run.open(this, this.at, this.#draft.count);
    this.rows = 0;
  }

  #endRun(): void {
    if (!this.#run.isOpen) return;
    this.at = this.#run.close(this.view, { rows: this.rows, end: this.at });
    this.#draft.count += this.rows;
  }

  /** Puts the shape into the batch's list, and its description into the body where the segment does not have it yet. */
  #define(state: ShapeState): void {
    this.#draft.refer(state);
    const { segment } = this.#options.appender;
    if (state.definedIn === segment) return;
    const { text } = state.shape;
    const size = shapeBytesMax(text);
    if (this.end - this.at < size) this.#enlarge(size, this.at);
    this.at = putShape(this, this.at, text);
    this.#draft.defined(state, segment);
  }

  #statementEntry(change: SchemaChange | Truncation): void {
    this.#endRun();
    const statement = encodeStatement(change);
    this.#ensure(statement.size);
    this.at = putStatement(this, this.at, { statement, scnOffset: this.#draft.count });
    this.#draft.count++;
    this.#options.tables.forget(change.database, change.table);
  }

  /** Makes room behind `at` for an entry of the transaction in the making. `Infinity`: in another batch. */
  #ensure(size: number): void {
    if (this.end - this.at >= size) return;
    if (this.#transactionAt > 0) this.#split();
    if (this.end - this.at >= size) return;
    if (this.at > this.#entryEnd) this.#cutTransaction();
    if (size !== Infinity && this.end - this.at < size) this.#enlarge(size, this.at);
  }

  /** The transactions before the one in the making become a batch; that one is moved to the beginning of the next. */
  #split(): void {
    const draft = this.#draft;
    const { bytes, view, at } = this;
    const from = this.#transactionAt;
    const moved = draft.takeOut();
    const scns = draft.count;
    this.#addBatch(0, from);
    bytes.copyWithin(0, from, at);
    moveRuns(view, at - from, scns);
    this.at = at - from;
    this.#entryEnd -= from;
    this.#alone = true;
    draft.clear();
    draft.addTransaction(this.#transaction as TransactionInfo);
    draft.putIn(moved, this.at > this.#entryEnd);
    this.#nothingBefore();
  }

  /** What there is of the transaction becomes a batch, and the next batch goes on with it. */
  #cutTransaction(): void {
    this.#endRun();
    this.#alone = true;
    this.#cut = true;
    this.#seal(FLAG.open, this.at);
    this.#startBatch();
    this.#draft.continues = true;
    this.#nothingBefore();
    this.#transactionEntry(true);
  }

  #nothingBefore(): void {
    this.#transactionAt = 0;
    this.#draft.markEmpty();
  }

  /** Makes room for `size` bytes behind `keep`, whatever it takes. */
  #enlarge(size: number, keep: number): void {
    checkEntryBytes(size);
    const end = keep + size;
    if (end > this.bytes.length) {
      const { buffers } = this.#options.appender;
      const former = this.#large;
      const large = buffers.takeLarge(HEAD_BYTES + end);
      const bytes = large.subarray(HEAD_BYTES);
      this.bytes.copy(bytes, 0, 0, keep);
      this.#useMemory(bytes, large);
      if (former !== null) buffers.giveLarge(former);
    }
    this.end = end;
  }

  #startBatch(): void {
    const { appender, sealed } = this.#options;
    appender.rollWhenFull(sealed);
    this.#clear();
  }

  #seal(flags: number, to: number): void {
    this.#addBatch(flags, to);
    this.#clear();
  }

  /** Bytes 0 to `to` become a batch of the log. */
  #addBatch(flags: number, to: number): void {
    const { appender, compression } = this.#options;
    const draft = this.#draft;
    const position = this.#progress.encoded();
    const plain = this.bytes.subarray(0, to);
    let body = plain;
    let bodyFlags = flags;
    // Not what goes on to be used.
    let large = to < this.at ? null : this.#large;
    if (compression === 'zstd' && to >= COMPRESS_FROM_BYTES) {
      const compressed = zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
      if (compressed.length < to) {
        body = compressed;
        large = null;
        bodyFlags |= FLAG.zstd;
      }
    }
    const head = draft.head({
      flags: bodyFlags,
      firstScn: appender.nextScn,
      bodyBytes: to,
      sourceBytes: this.#progress.takeBytes(),
      position,
    });
    const range = large === null ? null : { large, from: HEAD_BYTES, to: HEAD_BYTES + to };
    if (appender.add({ head, body, defines: draft.defines(), large: range })) this.#large = null;
    if ((flags & FLAG.open) === 0) this.#progress.sealed(position);
  }

  /** The batch in the making is empty, and made in the usual memory. */
  #clear(): void {
    this.#draft.clear();
    this.at = 0;
    this.end = BODY_BYTES;
    if (this.bytes === this.#usual) return;
    if (this.#large !== null) this.#options.appender.buffers.giveLarge(this.#large);
    this.#useMemory(this.#usual, null);
  }

  #useMemory(bytes: Buffer, large: Buffer | null): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#large = large;
  }
}
