import { TidingsError } from '../../../core/errors.ts';
import type { ChangeBatch, Entry, TransactionPart } from '../../../core/source.ts';
import { corrupt } from '../binlog/frame-errors.ts';
import type { MysqlPosition } from '../mysql-position.ts';
import type { BinlogPlace } from '../server.ts';
import type { LoggedStatement } from './logged-statement.ts';
import { type BinlogTransaction, OpenTransaction, type TransactionFailure } from './open-transaction.ts';
import type { StreamPosition } from './stream-position.ts';

/**
 * The transactions of a stream in the making: begun, filled with entries, ended; handed over whole or, when they are long, in parts.
 */
export class TransactionBuilder {
  /** The transaction that has begun and not ended; null between transactions. */
  open: OpenTransaction | null = null;
  /** The one that ended last. */
  last: BinlogTransaction | null = null;
  /** The SQL statement behind the rows that follow. */
  statement: LoggedStatement | null = null;
  /** Transactions that committed before this are passed over; null once the first later one came. µs since 1970 UTC. */
  skipBeforeUs: number | null = null;

  readonly #position: StreamPosition;
  #reused: OpenTransaction | null = null;
  #parts: TransactionPart[] = [];
  #expectRestart: boolean;

  constructor(position: StreamPosition, expectRestart: boolean) {
    this.#position = position;
    this.#expectRestart = expectRestart;
  }

  /** A part of the open transaction was handed over: after a reconnect it comes again. */
  get openWasHandedOver(): boolean {
    // Or it was before an earlier reconnect, and nothing of it has come since.
    return this.#expectRestart || this.open?.handedOver === true;
  }

  get hasParts(): boolean {
    return this.#parts.length > 0 || (this.open !== null && this.open.entries.length > 0);
  }

  /** Takes what is there; call before the bytes behind it go. */
  takeBatch(bytes: number): ChangeBatch {
    const { open } = this;
    if (open !== null && open.entries.length > 0) this.#pushPart(open, null);
    this.statement?.settle();
    return this.takeComplete(bytes);
  }

  /** Takes the complete transactions, and what was taken apart of the open one before; the rest of the stream will not come. */
  takeComplete(bytes: number): ChangeBatch {
    const parts = this.#parts;
    this.#parts = [];
    return { parts, position: this.#position.end, bytes };
  }

  /** @param eventLength of the event that begins the transaction, which the position is behind already */
  begin(info: BinlogTransaction, grouped: boolean, eventLength: number): void {
    const { file, offset } = this.#position;
    if (this.open !== null) {
      throw corrupt(`a transaction begins in ${file} at ${offset} before the one before has ended`, { file, offset });
    }
    let skipped = false;
    if (this.skipBeforeUs !== null) {
      skipped = info.committedAtUs < this.skipBeforeUs;
      if (!skipped) this.skipBeforeUs = null;
    }
    this.#reused ??= new OpenTransaction(info);
    const open = this.#reused;
    open.begin(info, grouped, skipped);
    // The position may lag: a dump by GTIDs begins with the file that holds them. The event itself tells where it stands.
    open.atFile = file;
    open.atOffset = offset - eventLength;
    this.open = open;
  }

  /** The open transaction. @throws TidingsError POSITION_INVALID when its beginning was not seen */
  opened(): OpenTransaction {
    if (this.open !== null) return this.open;
    const { file, offset } = this.#position;
    throw new TidingsError('POSITION_INVALID', `${file}:${offset} lies inside a transaction`, {
      hint: 'Start at a transaction’s end: the positions that Tidings prints always are.',
      details: { file, offset },
    });
  }

  /** Where the open transaction's first event stands. A function of its own, as it is passed along with every TABLE_MAP. */
  readonly beginning = (): BinlogPlace => {
    const { atFile, atOffset } = this.opened();
    return { file: atFile, offset: atOffset };
  };

  add(entries: readonly Entry[]): void {
    const open = this.opened();
    if (!open.skipped) open.entries.push(...entries);
  }

  /** The transaction is complete: the position moves behind it (I2). @throws TidingsError what `fail` was told */
  finish(): void {
    const open = this.opened();
    if (open.failure !== null) throw this.#failed(open, open.failure);
    this.#position.commit(open.info);
    this.open = null;
    this.last = open.info;
    this.statement = null;
    if (open.entries.length > 0 || open.handedOver) this.#pushPart(open, this.#position.end);
  }

  /** From here on nothing of the transaction is handed over; at its end, where reading can go on, the source stops. */
  fail(failure: TransactionFailure): void {
    const open = this.opened();
    open.failure ??= failure;
    open.skipped = true;
  }

  #failed({ info }: OpenTransaction, { code, message }: TransactionFailure): TidingsError {
    const { file, offset } = this.#position;
    return new TidingsError(code, message, {
      details: { file, offset, resumeAt: `${file}:${offset}`, transaction: info.id ?? '' },
    });
  }

  #pushPart(open: OpenTransaction, end: MysqlPosition | null): void {
    const begins = !open.handedOver;
    this.#parts.push({
      transaction: open.info,
      begins,
      restarted: begins && this.#expectRestart,
      entries: open.entries,
      end,
    });
    this.#expectRestart = false;
    open.handedOver = true;
    open.entries = [];
  }
}
