import { zstdDecompressSync } from 'node:zlib';
import { utf8Text } from '../../base/avro-bytes.ts';
import { emptyWindow, isAscii, windowFrom } from '../../base/text-window.ts';
import type { SchemaChange, TransactionInfo, Truncation } from '../../core/change.ts';
import { TidingsError } from '../../core/errors.ts';
import type { Position } from '../../core/position.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import type { TransactionPart } from '../../core/source.ts';
import {
  batchBodyBytes,
  batchBodyStart,
  batchCount,
  batchFirstScn,
  batchFlags,
  batchMaxCommitUs,
  batchPosition,
  batchShape,
  batchShapeCount,
  batchSourceBytes,
  batchTransactions,
  checkBatch,
  damagedBatch,
  readLong,
} from './batch-header.ts';
import {
  ENTRY,
  FLAG,
  ROW_OP,
  RUN_BYTES,
  SAME_STATEMENT,
  SHAPE_ENTRY_BYTES,
  STATEMENT_ENTRY_BYTES,
  TRANSACTION_BYTES,
  TRANSACTION_FLAG,
} from './batch-layout.ts';
import { type BatchBody, LogRowBatch } from './log-row-batch.ts';
import type { KnownShape, ShapeRegistry } from './shape-registry.ts';

export interface ReadBatchOptions {
  /** Behind the last byte that may belong to the batch. @default the buffer's end */
  readonly end?: number;
  /**
   * The position of the batch before this one: where the source would resume to get this batch's transactions again. Positions are
   * known per batch, not per transaction. @default not known: an empty text. This batch's own would be behind its transactions
   */
  readonly previousPosition?: string;
  /** Into how many slices the stream is shared, for changes to say theirs (`Change.partition`). @default they do not */
  readonly partitions?: number;
}

export type LogEntry = LogRowBatch | LogSchemaChange | LogTruncation;
export type LogSchemaChange = SchemaChange & { readonly scn: number };
export type LogTruncation = Truncation & { readonly scn: number };

/**
 * A part of a transaction, or the whole. `transaction.start` and `end` are positions of the source, and coarser than transactions:
 * `start` is the position of the batch before; so is `end`, except for the last transaction that ends in the batch, whose end is the
 * batch's position. Resuming at either misses nothing behind it, and may repeat what was before it in the batch.
 */
export interface LogTransactionPart extends TransactionPart {
  readonly entries: readonly LogEntry[];
}

export interface DecodedBatch {
  readonly length: number;
  /** SCNs that the batch covers, also those of rows that a filter has left out: `firstScn` to `lastScn`. */
  readonly firstScn: number;
  readonly lastScn: number;
  /** How many SCNs the batch covers. */
  readonly count: number;
  /** How many transactions end in the stored batch. */
  readonly transactions: number;
  /** The latest commit time in it, µs since 1970 UTC. */
  readonly maxCommitUs: number;
  /** Where the source resumes once the batch is durable. */
  readonly position: string;
  /** Bytes of the source's log that the batch covers. */
  readonly sourceBytes: number;
  /** Its first transaction began in an earlier batch. */
  readonly continues: boolean;
  /** Its last transaction goes on in the next batch: a checkpoint must not lie at this batch's end. */
  readonly open: boolean;
  readonly parts: readonly LogTransactionPart[];
}

/**
 * The stored or filtered batch at `start`. What it needs of the bytes is read at once, except for the rows, which are decoded when they
 * are asked for: `bytes` must stay as they are as long as the row batches are used.
 *
 * Lengths are checked, checksums are not.
 *
 * @param view over the same bytes, with the same offsets
 * @param shapes knows the shapes that earlier batches and control frames have defined, and learns those of this one
 * @throws TidingsError LOG_DAMAGED, LOG_VERSION_UNKNOWN
 */
// oxlint-disable-next-line max-params -- the bytes, and what is read of them
export function readBatch(
  bytes: Buffer,
  view: DataView,
  start: number,
  shapes: ShapeRegistry,
  { end = bytes.length, previousPosition, partitions }: ReadBatchOptions = {},
): DecodedBatch {
  const length = checkBatch(view, start, end);
  const position = batchPosition(bytes, view, start);
  const flags = batchFlags(view, start);
  const firstScn = batchFirstScn(view, start);
  const count = batchCount(view, start);
  const open = (flags & FLAG.open) !== 0;
  const body = batchBody(bytes, view, start, start + length, partitions ?? null);
  const parser = new EntryParser(body, shapes, { bytes, view, start });
  const parts = parser.parts({
    open,
    position: new LogPosition(position),
    previous: new LogPosition(previousPosition ?? ''),
  });
  return {
    length,
    firstScn,
    lastScn: firstScn + count - 1,
    count,
    transactions: batchTransactions(view, start),
    maxCommitUs: batchMaxCommitUs(view, start),
    position,
    sourceBytes: batchSourceBytes(view, start),
    continues: (flags & FLAG.continues) !== 0,
    open,
    parts,
  };
}

/** A source's position, as a reader of the log has it: its text. */
class LogPosition implements Position {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

// oxlint-disable-next-line max-params -- see readBatch
function batchBody(bytes: Buffer, view: DataView, start: number, end: number, partitions: number | null): BatchBody {
  const bodyStart = start + batchBodyStart(view, start);
  const bodyBytes = batchBodyBytes(view, start);
  const firstScn = batchFirstScn(view, start);
  if ((batchFlags(view, start) & FLAG.zstd) === 0) {
    if (bodyBytes !== end - bodyStart) {
      throw damagedBatch('the lengths in its header contradict each other', { start, end });
    }
    return { bytes, view, start: bodyStart, end, firstScn, partitions, window: emptyWindow() };
  }
  const plain = decompressed(bytes.subarray(bodyStart, end), bodyBytes, start);
  const plainView = new DataView(plain.buffer, plain.byteOffset, plain.length);
  return { bytes: plain, view: plainView, start: 0, end: bodyBytes, firstScn, partitions, window: emptyWindow() };
}

function decompressed(compressed: Buffer, length: number, start: number): Buffer {
  let plain: Buffer;
  try {
    // Never more than the header says, whatever the compressed bytes are (I7).
    plain = zstdDecompressSync(compressed, { maxOutputLength: Math.max(length, 1) });
  } catch {
    throw damagedBatch('its body cannot be decompressed', { start, bodyBytes: length });
  }
  if (plain.length !== length) {
    throw damagedBatch('its body has another length than its header says', { start, bodyBytes: length });
  }
  return plain;
}

interface Ends {
  readonly open: boolean;
  readonly position: Position;
  readonly previous: Position;
}

/** A part whose end is not known before the next one begins. */
interface PartInMaking {
  readonly transaction: TransactionInfo;
  readonly begins: boolean;
  readonly restarted: boolean;
  readonly entries: LogEntry[];
  end: Position | null;
}

/** Walks the entries of a body once. */
class EntryParser {
  readonly #body: BatchBody;
  readonly #shapes: ShapeRegistry;
  readonly #batch: { readonly bytes: Buffer; readonly view: DataView; readonly start: number };
  /** By their index in the batch's header. Looked up late: the body may define them. */
  readonly #known: (KnownShape | undefined)[] = [];
  /** The run before the one that is read: their statement may be the same. */
  #run: LogRowBatch | null = null;

  constructor(
    body: BatchBody,
    shapes: ShapeRegistry,
    batch: { readonly bytes: Buffer; readonly view: DataView; readonly start: number },
  ) {
    this.#body = body;
    this.#shapes = shapes;
    this.#batch = batch;
  }

  parts({ open, position, previous }: Ends): LogTransactionPart[] {
    const { bytes, end } = this.#body;
    const parts: PartInMaking[] = [];
    let part: PartInMaking | null = null;
    let p = this.#body.start;
    while (p < end) {
      const type = bytes[p];
      if (type === ENTRY.shape) {
        p = this.#shape(p);
        continue;
      }
      if (type === ENTRY.transaction) {
        if (part !== null) part.end = previous;
        part = this.#transaction(p, previous);
        parts.push(part);
        p += TRANSACTION_BYTES + this.#body.view.getUint16(p + 2, true);
        continue;
      }
      if (part === null) throw this.#damaged('it has changes before its first transaction', p);
      switch (type) {
        case ENTRY.rows:
          part.entries.push(this.#rows(p));
          p += this.#runBytes(p);
          break;
        case ENTRY.schema:
        case ENTRY.truncate:
          part.entries.push(this.#statement(p, type));
          p += this.#statementBytes(p);
          break;
        default:
          throw this.#damaged('it has an entry of an unknown kind', p);
      }
    }
    if (part !== null) part.end = open ? null : position;
    return parts;
  }

  #transaction(at: number, start: Position): PartInMaking {
    const { bytes, view } = this.#body;
    this.#check(at, TRANSACTION_BYTES);
    const idBytes = view.getUint16(at + 2, true);
    this.#check(at, TRANSACTION_BYTES + idBytes);
    const flags = bytes[at + 1] as number;
    const name = idBytes === 0 ? null : this.#text(at + TRANSACTION_BYTES, at + TRANSACTION_BYTES + idBytes);
    const isAddressed = (flags & TRANSACTION_FLAG.addressed) !== 0;
    return {
      transaction: {
        id: isAddressed ? null : name,
        committedAtUs: readLong(view, at + 8),
        serverId: view.getUint32(at + 4, true),
        start,
        ...(isAddressed && name !== null ? { audience: name } : {}),
      },
      begins: (flags & TRANSACTION_FLAG.continued) === 0,
      restarted: false,
      entries: [],
      end: null,
    };
  }

  #rows(at: number): LogRowBatch {
    const { bytes, view } = this.#body;
    this.#check(at, RUN_BYTES);
    this.#check(at, this.#runBytes(at));
    const index = view.getUint16(at + 2, true);
    const known = (this.#known[index] ??= this.#lookUp(index, at));
    // The smallest row is a header without a byte behind it.
    if (view.getUint32(at + 8, true) * 8 > view.getUint32(at + 12, true)) {
      throw this.#damaged('a run promises more rows than there are', at);
    }
    if (!fits(known.shape, bytes[at + 1] as number)) {
      throw this.#damaged('the kind of a change contradicts its row', at);
    }
    this.#run = new LogRowBatch(this.#body, at, known, this.#run);
    return this.#run;
  }

  #runBytes(at: number): number {
    const { view } = this.#body;
    const statementBytes = view.getUint32(at + 16, true);
    return RUN_BYTES + view.getUint32(at + 12, true) + (statementBytes === SAME_STATEMENT ? 0 : statementBytes);
  }

  #lookUp(index: number, at: number): KnownShape {
    const { view, start } = this.#batch;
    if (index >= batchShapeCount(view, start)) throw this.#damaged('a run refers to a shape that it does not name', at);
    const fingerprint = batchShape(view, start, index);
    const known = this.#shapes.get(fingerprint);
    if (known !== undefined) return known;
    throw new TidingsError(
      'LOG_DAMAGED',
      `a batch of the log refers to rows of shape ${fingerprint}, which nothing describes`,
      {
        details: { fingerprint, offset: start },
      },
    );
  }

  #statement(at: number, type: typeof ENTRY.schema | typeof ENTRY.truncate): LogSchemaChange | LogTruncation {
    const { bytes, view } = this.#body;
    this.#check(at, STATEMENT_ENTRY_BYTES);
    this.#check(at, this.#statementBytes(at));
    const databaseStart = at + STATEMENT_ENTRY_BYTES;
    const tableStart = databaseStart + view.getUint16(at + 2, true);
    const sqlStart = tableStart + view.getUint16(at + 8, true);
    const database = utf8Text(bytes, databaseStart, tableStart);
    const table = utf8Text(bytes, tableStart, sqlStart);
    const sql = utf8Text(bytes, sqlStart, sqlStart + view.getUint32(at + 12, true));
    const scn = this.#body.firstScn + view.getUint32(at + 4, true);
    if (type === ENTRY.truncate) return { type: 'truncate', database, table, sql, scn };
    return { type: 'schema', database, table: ((bytes[at + 1] as number) & 1) === 0 ? null : table, sql, scn };
  }

  #statementBytes(at: number): number {
    const { view } = this.#body;
    const names = view.getUint16(at + 2, true) + view.getUint16(at + 8, true);
    return STATEMENT_ENTRY_BYTES + names + view.getUint32(at + 12, true);
  }

  #shape(at: number): number {
    this.#check(at, SHAPE_ENTRY_BYTES);
    const length = SHAPE_ENTRY_BYTES + this.#body.view.getUint32(at + 4, true);
    this.#check(at, length);
    this.#shapes.learn(utf8Text(this.#body.bytes, at + SHAPE_ENTRY_BYTES, at + length));
    return at + length;
  }

  /** Short and ASCII, as a rule: a GTID. */
  #text(start: number, end: number): string {
    const { bytes, view, window, end: limit } = this.#body;
    if (!isAscii(bytes, view, start, end)) return utf8Text(bytes, start, end);
    if (start < window.start || end > window.end) {
      window.text = windowFrom(bytes, start, { length: end - start, limit });
      window.start = start;
      window.end = start + window.text.length;
    }
    return window.text.substring(start - window.start, end - window.start);
  }

  #check(at: number, length: number): void {
    if (length > this.#body.end - at) throw this.#damaged('an entry is longer than what is there', at);
  }

  #damaged(what: string, at: number): TidingsError {
    return damagedBatch(what, { start: this.#batch.start, bodyOffset: at - this.#body.start });
  }
}

/** Whether a row of this shape has the images that a change of this kind has. */
function fits({ before, after }: RowShape, op: number): boolean {
  switch (op & ROW_OP.kindMask) {
    case ROW_OP.update:
      return before !== null && after !== null;
    case ROW_OP.delete:
      return before !== null && after === null;
    default:
      return before === null && after !== null;
  }
}
