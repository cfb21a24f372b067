import { constants, zstdCompressSync } from 'node:zlib';
import type { SchemaChange, TransactionInfo, Truncation } from '../../core/change.ts';
import { TidingsError } from '../../core/errors.ts';
import type { Position } from '../../core/position.ts';
import type { RowTarget } from '../../core/rows/row-target.ts';
import type { ChangeBatch, RowBatch, TransactionPart } from '../../core/source.ts';
import { POSITION_BYTES_MAX, shapesMax } from '../../formats/log/batch-builder.ts';
import { FLAG, ROW_OP, RUN_BYTES } from '../../formats/log/batch-layout.ts';
import { moveRuns } from './body-walk.ts';
import {
  checkEntryBytes,
  encodeStatement,
  finishRun,
  putRun,
  putShape,
  putStatement,
  putTransaction,
  shapeBytesMax,
  transactionBytesMax,
} from './entry-bytes.ts';
import type { LogAppender } from './log-appender.ts';
import type { Segment } from './segment.ts';
import type { ShapeBook, ShapeState } from './shape-book.ts';
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
const U32_MAX = 0xffff_ffff;

const ROW_KIND = {
  insert: ROW_OP.insert,
  update: ROW_OP.update,
  delete: ROW_OP.delete,
  upsert: ROW_OP.upsert,
} as const;

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

/** What the batch in the making was before the transaction in the making began in it. */
interface Before {
  at: number;
  count: number;
  firstCommitUs: number;
  maxCommitUs: number;
  shapes: number;
  defines: number;
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
  /** What bodies are made in, unless a row is too large for it. */
  readonly #usual: Buffer;
  /** What the last large batch was made in, for the next one. */
  #large: Buffer | null = null;
  /** Batches since then that needed no such memory. */
  #usualBatches = 0;
  #position: Position | string | null;
  #positionBytes: Buffer;
  #positionOf: Position | string | null = null;
  /** The position that the last batch with an end of a transaction carries. */
  #sealedPosition: Buffer | null;
  #sourceBytes = 0;

  // The batch in the making: the bytes up to `at`.
  #batch = 0;
  #count = 0;
  #transactions = 0;
  #firstCommitUs = 0;
  #maxCommitUs = 0;
  #continues = false;
  #addressed = false;
  readonly #shapes: ShapeState[] = [];
  readonly #defines: { readonly state: ShapeState; readonly fingerprint: string }[] = [];

  // The transaction in the making.
  #transaction: TransactionInfo | null = null;
  readonly #before: Before = { at: 0, count: 0, firstCommitUs: 0, maxCommitUs: 0, shapes: 0, defines: 0 };
  /** Behind its entry in the batch in the making. */
  #entryEnd = 0;
  /** It has batches of its own. */
  #alone = false;
  /** Batches of it were sealed. */
  #cut = false;

  // The run in the making: rows with the same shape, kind and statement.
  /** Its entry; -1 when there is none. */
  #runAt = -1;
  #runShape: ShapeState | null = null;
  #runKind = 0;
  #runStatement: string | null = null;
  #statement: Buffer = NOTHING;
  /** The run is all that is in the batch besides its transaction's entry. */
  #runIsFirst = false;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
    this.#usual = Buffer.allocUnsafeSlow(BODY_BYTES);
    this.bytes = this.#usual;
    this.view = new DataView(this.#usual.buffer);
    this.#position = options.position;
    this.#positionBytes = NOTHING;
    this.#sealedPosition = options.position === null ? null : Buffer.from(options.position);
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
    if (this.#transaction !== null || this.at > 0 || this.#position === null) return false;
    const sealed = this.#sealedPosition;
    return sealed === null || !sealed.equals(this.#encodedPosition());
  }

  /**
   * @throws TidingsError whatever a row batch cannot write. The transaction is taken back then; those before it stay.
   */
  append(batch: ChangeBatch): void {
    this.#sourceBytes += batch.bytes;
    try {
      for (const part of batch.parts) this.#part(part);
    } catch (error) {
      this.abandon();
      throw error;
    }
    if (this.#transaction === null) this.#position = batch.position;
  }

  /** Makes a batch of what there is, also of an unfinished transaction. */
  seal(): void {
    if (this.at === 0) return;
    this.#endRun();
    if (this.#transaction === null) this.#seal(0, this.at);
    else if (!this.#alone && this.#before.at > 0) this.#split();
    else if (this.at > this.#entryEnd) this.#cutTransaction();
  }

  /** Makes an empty batch, of the position alone. */
  sealPosition(): void {
    if (this.#transaction !== null || this.at > 0 || this.#position === null) return;
    this.#startBatch();
    this.#seal(0, 0);
  }

  /** Takes the transaction in the making back, wherever its batches are by now. */
  abandon(): void {
    if (this.#transaction === null) return;
    const { appender, shapes, tables } = this.#options;
    this.#transaction = null;
    this.#runAt = -1;
    tables.rollback();
    if (this.#cut) {
      appender.rollback();
      shapes.forgetDefinitions();
      this.#clear();
      return;
    }
    const before = this.#before;
    this.at = before.at;
    this.#count = before.count;
    this.#firstCommitUs = before.firstCommitUs;
    this.#maxCommitUs = before.maxCommitUs;
    for (const { state } of this.#defines.splice(before.defines)) state.definedIn = null;
    for (const state of this.#shapes.splice(before.shapes)) state.batch = -1;
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
    this.#position ??= transaction.start;
    this.#alone = end === null;
    this.#cut = false;
    const size = transactionBytesMax(transaction) + TRANSACTION_ROOM;
    if (this.at > 0 && (this.#alone || this.end - this.at < size)) this.#seal(0, this.at);
    if (this.at === 0) this.#startBatch();
    const before = this.#before;
    before.at = this.at;
    before.count = this.#count;
    before.firstCommitUs = this.#firstCommitUs;
    before.maxCommitUs = this.#maxCommitUs;
    before.shapes = this.#shapes.length;
    before.defines = this.#defines.length;
    this.#transaction = transaction;
    this.#transactionEntry(false);
  }

  #transactionEntry(continued: boolean): void {
    const transaction = this.#transaction as TransactionInfo;
    const { committedAtUs, audience } = transaction;
    if (audience !== undefined) this.#addressed = true;
    this.at = putTransaction(this, this.at, { transaction, continued });
    this.#entryEnd = this.at;
    if (this.#firstCommitUs === 0) this.#firstCommitUs = committedAtUs;
    this.#maxCommitUs = Math.max(this.#maxCommitUs, committedAtUs);
  }

  #finish(end: Position): void {
    this.#endRun();
    this.#transactions++;
    this.#transaction = null;
    this.#position = end;
    this.#options.tables.commit();
    if (this.#alone) this.#seal(0, this.at);
  }

  #rows(batch: RowBatch): void {
    const shape = this.#options.shapes.state(batch.shape);
    const kind = ROW_KIND[batch.kind] | (batch.snapshot === true ? ROW_OP.snapshot : 0);
    const { statement } = batch;
    const goesOn =
      this.#runAt >= 0 && shape === this.#runShape && kind === this.#runKind && statement === this.#runStatement;
    if (!goesOn) {
      this.#endRun();
      this.#options.tables.use(shape.key, shape.shape);
      this.#runShape = shape;
      this.#runKind = kind;
      if (statement !== this.#runStatement) {
        this.#runStatement = statement;
        this.#statement = statement === null ? NOTHING : Buffer.from(statement);
      }
      this.#beginRun(0);
    }
    batch.writeTo(this);
  }

  /** The entry of the run, with room for `size` bytes of rows behind it; what the shape means before it, if this segment does not say. */
  #beginRun(size: number): void {
    checkEntryBytes(size);
    const shape = this.#runShape as ShapeState;
    const statement = this.#statement;
    const isDefined = shape.definedIn === this.#options.appender.segment;
    const definition = isDefined ? 0 : shapeBytesMax(shape.shape.text);
    const isListFull = shape.batch !== this.#batch && this.#shapes.length >= SHAPES_MAX;
    this.#ensure(isListFull ? Infinity : definition + RUN_BYTES + statement.length + size);
    this.#define(shape);
    const needed = RUN_BYTES + statement.length + size;
    // After a definition that a new segment made necessary.
    if (this.end - this.at < needed) this.#enlarge(needed, this.at);
    const { at } = this;
    this.#runAt = at;
    this.#runIsFirst = this.#before.at === 0 && at <= this.#entryEnd + definition;
    this.at = putRun(this, at, { kind: this.#runKind, shape: shape.index, scnOffset: this.#count, statement });
    this.rows = 0;
  }

  #endRun(): void {
    const at = this.#runAt;
    if (at < 0) return;
    this.#runAt = -1;
    if (this.rows === 0) {
      this.at = at;
      return;
    }
    finishRun(this.view, at, { rows: this.rows, bytes: this.at - at - RUN_BYTES - this.#statement.length });
    this.#count += this.rows;
  }

  /** Puts the shape into the batch's list, and its description into the body where the segment does not have it yet. */
  #define(state: ShapeState): void {
    if (state.batch !== this.#batch) {
      state.batch = this.#batch;
      state.index = this.#shapes.length;
      this.#shapes.push(state);
    }
    const { segment } = this.#options.appender;
    if (state.definedIn === segment) return;
    const { text, fingerprint } = state.shape;
    const size = shapeBytesMax(text);
    if (this.end - this.at < size) this.#enlarge(size, this.at);
    this.at = putShape(this, this.at, text);
    state.definedIn = segment;
    this.#defines.push({ state, fingerprint });
  }

  #statementEntry(change: SchemaChange | Truncation): void {
    this.#endRun();
    const statement = encodeStatement(change);
    this.#ensure(statement.size);
    this.at = putStatement(this, this.at, { statement, scnOffset: this.#count });
    this.#count++;
    this.#options.tables.forget(change.database, change.table);
  }

  /** Makes room behind `at` for an entry of the transaction in the making. `Infinity`: in another batch. */
  #ensure(size: number): void {
    if (this.end - this.at >= size) return;
    if (this.#before.at > 0) this.#split();
    if (this.end - this.at >= size) return;
    if (this.at > this.#entryEnd) this.#cutTransaction();
    if (size !== Infinity && this.end - this.at < size) this.#enlarge(size, this.at);
  }

  /** The transactions before the one in the making become a batch; that one is moved to the beginning of the next. */
  #split(): void {
    const before = this.#before;
    const moved = before.at;
    const [at, count] = [this.at, this.#count];
    const shapes = [...this.#shapes];
    const defines = this.#defines.splice(before.defines);
    const entryEnd = this.#entryEnd;
    this.#shapes.length = before.shapes;
    this.#count = before.count;
    this.#firstCommitUs = before.firstCommitUs;
    this.#maxCommitUs = before.maxCommitUs;
    const { bytes, view } = this;
    this.#addBatch(0, moved);
    // In the same segment: what the transaction's runs refer to is defined there.
    bytes.copyWithin(0, moved, at);
    moveRuns(view, at - moved, before.count);
    this.#resetBatch();
    this.#addressed = this.#transaction?.audience !== undefined;
    this.#alone = true;
    this.at = at - moved;
    this.#count = count - before.count;
    this.#entryEnd = entryEnd - moved;
    this.#firstCommitUs = (this.#transaction as TransactionInfo).committedAtUs;
    this.#maxCommitUs = this.#firstCommitUs;
    this.#defines.push(...defines);
    // Its runs keep the numbers of their shapes, so it gets the whole list, if it has runs.
    for (const state of this.at > this.#entryEnd ? shapes : []) {
      state.batch = this.#batch;
      this.#shapes.push(state);
    }
    this.#nothingBefore();
  }

  /** What there is of the transaction becomes a batch, and the next batch goes on with it. */
  #cutTransaction(): void {
    this.#endRun();
    this.#alone = true;
    this.#cut = true;
    this.#seal(FLAG.open, this.at);
    this.#startBatch();
    this.#continues = true;
    this.#nothingBefore();
    this.#transactionEntry(true);
  }

  #nothingBefore(): void {
    const before = this.#before;
    before.at = 0;
    before.count = 0;
    before.firstCommitUs = 0;
    before.maxCommitUs = 0;
    before.shapes = 0;
    before.defines = 0;
  }

  /** Makes room for `size` bytes behind `keep`, whatever it takes. */
  #enlarge(size: number, keep: number): void {
    checkEntryBytes(size);
    const large = this.#large;
    const bytes = large !== null && large.length >= keep + size ? large : Buffer.allocUnsafeSlow(keep + size);
    this.#large = null;
    this.bytes.copy(bytes, 0, 0, keep);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
    this.end = bytes.length;
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
    const position = this.#encodedPosition();
    const plain = this.bytes.subarray(0, to);
    let body = plain;
    let allFlags = flags | (this.#continues ? FLAG.continues : 0) | (this.#addressed ? FLAG.addressed : 0);
    if (compression === 'zstd' && to >= COMPRESS_FROM_BYTES) {
      const compressed = zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
      if (compressed.length < to) {
        body = compressed;
        allFlags |= FLAG.zstd;
      }
    }
    const sourceBytes = Math.min(this.#sourceBytes, U32_MAX);
    this.#sourceBytes -= sourceBytes;
    const head = {
      flags: allFlags,
      firstScn: appender.nextScn,
      count: this.#count,
      transactions: this.#transactions,
      firstCommitUs: this.#firstCommitUs,
      maxCommitUs: this.#maxCommitUs,
      bodyBytes: to,
      sourceBytes,
      position,
      shapes: this.#shapes.map(({ shape }) => shape.fingerprint),
    };
    appender.add({ head, body, defines: this.#defines.map(({ fingerprint }) => fingerprint) });
    if ((flags & FLAG.open) === 0) this.#sealedPosition = position;
  }

  #encodedPosition(): Buffer {
    const position = this.#position;
    if (position === this.#positionOf || position === null) return this.#positionBytes;
    const bytes = Buffer.from(position.toString());
    if (bytes.length > POSITION_BYTES_MAX) {
      throw new TidingsError('POSITION_INVALID', `a position of the source has ${bytes.length} bytes`, {
        hint: `The log keeps positions of up to ${POSITION_BYTES_MAX} bytes. Purge old GTIDs on the server, or start from a file and offset.`,
      });
    }
    this.#positionOf = position;
    this.#positionBytes = bytes;
    return bytes;
  }

  /** The batch in the making is empty, and made in the usual memory. */
  #clear(): void {
    this.#resetBatch();
    this.at = 0;
    if (this.bytes === this.#usual) {
      if (this.#large !== null && ++this.#usualBatches > LARGE_KEPT_BATCHES) this.#large = null;
    } else {
      // Rows of that size mostly come together, and memory that is thrown away stays for a while.
      this.#large = this.bytes.length <= LARGE_KEPT_BYTES ? this.bytes : null;
      this.#usualBatches = 0;
      this.bytes = this.#usual;
      this.view = new DataView(this.#usual.buffer);
    }
    this.end = BODY_BYTES;
  }

  #resetBatch(): void {
    this.#batch++;
    this.#count = 0;
    this.#transactions = 0;
    this.#firstCommitUs = 0;
    this.#maxCommitUs = 0;
    this.#continues = false;
    this.#addressed = false;
    this.#shapes.length = 0;
    this.#defines.length = 0;
  }
}

const NOTHING: Buffer = Buffer.alloc(0);
/** In one batch. Fewer than its header could name beside the longest position. */
const SHAPES_MAX: number = shapesMax(POSITION_BYTES_MAX);
const LARGE_KEPT_BYTES = 32 * 1024 * 1024;
const LARGE_KEPT_BATCHES = 64;
/** Very large rows get memory in steps of this size at most. */
const BIG_STEP_BYTES = 64 * 1024 * 1024;
