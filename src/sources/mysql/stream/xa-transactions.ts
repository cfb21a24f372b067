import { EVENT } from '../binlog/event-types.ts';
import { rowsAction } from '../binlog/rows-event.ts';
import type { MysqlPosition } from '../mysql-position.ts';
import type { BinlogPlace } from '../server.ts';
import type { EventSource } from './event-source.ts';
import { KeptEvents } from './kept-events.ts';

/** Kept in memory for one prepared transaction, and for all of them; what is more is read from the binlog again. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
const KEPT_BYTES_MAX_TOTAL = 32 * 1024 * 1024;

/** A prepared transaction, and how to get at its changes when it commits. */
interface Prepared {
  /** Where its group begins. */
  readonly start: MysqlPosition;
  /** Its events; null when they were too many to keep. */
  kept: KeptEvents | null;
}

/** Reads a prepared transaction's events from the binlog: from `start`, or from the oldest file on when that is not known. */
export type ReadPrepared = (xid: string, start: MysqlPosition | null, before: BinlogPlace) => Promise<EventSource>;

/**
 * XA transactions in two parts: the binlog has the changes where the transaction is prepared, and only XA COMMIT, which may come much
 * later or never, makes them count.
 *
 * Changes are handed over at XA COMMIT, in commit order (I3). Small transactions are kept in memory until then; large ones, and those
 * prepared before reading began, are read from the binlog once more, so memory stays bounded (I7) and the position need not
 * wait for the oldest prepared transaction.
 */
export class XaTransactions {
  /** Kept events are being accepted: their offsets say nothing about the stream's. */
  replaying = false;

  #read: ReadPrepared | null = null;
  readonly #prepared = new Map<string, Prepared>();
  #keptBytes = 0;
  /** The transaction whose group is being read. */
  #current: { readonly xid: string; readonly prepared: Prepared } | null = null;

  /** How to read what was not kept, on the connection that is open now. */
  continueWith(read: ReadPrepared): void {
    this.#read = read;
  }

  /** A group of the stream begins to prepare this transaction. */
  begin(xid: string, start: MysqlPosition): void {
    this.forget(xid);
    this.#current = { xid, prepared: { start, kept: new KeptEvents() } };
  }

  /** Called with every event; keeps those that make up the changes of the current group. */
  keep(type: number, event: EventSource): void {
    const current = this.#current;
    if (current === null || this.replaying) return;
    const { prepared } = current;
    if (prepared.kept === null) return;
    if (
      type !== EVENT.TABLE_MAP &&
      type !== EVENT.ROWS_QUERY &&
      type !== EVENT.ANNOTATE_ROWS &&
      rowsAction(type) === null
    ) {
      return;
    }
    const length = event.end - event.start;
    if (prepared.kept.bytes + length > KEPT_BYTES_MAX || this.#keptBytes + length > KEPT_BYTES_MAX_TOTAL) {
      this.#keptBytes -= prepared.kept.bytes;
      prepared.kept = null;
      return;
    }
    prepared.kept.keep(event.bytes, event.start, event.end);
    this.#keptBytes += length;
  }

  /** The group ended with the transaction prepared. */
  prepared(xid: string): void {
    if (this.#current?.xid === xid) this.#prepared.set(xid, this.#current.prepared);
    this.#current = null;
  }

  /** Drops a transaction that is rolled back. */
  forget(xid: string): void {
    const known = this.#prepared.get(xid);
    if (known === undefined) return;
    this.#keptBytes -= known.kept?.bytes ?? 0;
    this.#prepared.delete(xid);
  }

  /** Forgets a group that the connection's end cut short. */
  abandon(): void {
    this.#keptBytes -= this.#current?.prepared.kept?.bytes ?? 0;
    this.#current = null;
    this.replaying = false;
  }

  /** The changes of a transaction that commits now; `finish` is called when they have all been read. */
  async committed(xid: string, before: BinlogPlace, finish: () => void): Promise<EventSource> {
    const known = this.#prepared.get(xid);
    const source = known?.kept?.source() ?? (await this.#readAgain(xid, known?.start ?? null, before));
    this.forget(xid);
    this.replaying = true;
    return new Replay(source, () => {
      this.replaying = false;
      finish();
    });
  }

  #readAgain(xid: string, start: MysqlPosition | null, before: BinlogPlace): Promise<EventSource> {
    if (this.#read === null) throw new Error('a prepared transaction is asked for before a connection is open');
    return this.#read(xid, start, before);
  }

  /** The group that is being read commits in one phase: its changes, from memory or from the binlog. */
  async committedOnePhase(xid: string, before: BinlogPlace, finish: () => void): Promise<EventSource> {
    this.prepared(xid);
    return await this.committed(xid, before, finish);
  }
}

/** A source that says when it has ended. */
class Replay implements EventSource {
  readonly #source: EventSource;
  readonly #ended: () => void;

  constructor(source: EventSource, ended: () => void) {
    this.#source = source;
    this.#ended = ended;
  }

  get bytes(): Buffer {
    return this.#source.bytes;
  }

  get view(): DataView {
    return this.#source.view;
  }

  get start(): number {
    return this.#source.start;
  }

  get end(): number {
    return this.#source.end;
  }

  next(): boolean {
    return this.#source.next();
  }

  async fill(): Promise<boolean> {
    if (await this.#source.fill()) return true;
    this.#ended();
    return false;
  }

  close(): void {
    this.#source.close();
  }
}
