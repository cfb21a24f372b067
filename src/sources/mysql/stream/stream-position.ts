import { EVENT_FLAG } from '../binlog/event-header.ts';
import { GtidTrail } from '../gtid/gtid-trail.ts';
import { MysqlPosition } from '../mysql-position.ts';
import type { BinlogPlace } from '../server.ts';
import type { BinlogTransaction } from './open-transaction.ts';

const FOUR_GIB = 0x1_0000_0000;

/**
 * Where a stream is: file and offset behind the last event, and the end of the last complete transaction, which alone is ever handed
 * out (I2).
 */
export class StreamPosition {
  /** The end of the last complete transaction, or of what lies between transactions behind it. */
  end: MysqlPosition;
  file: string;
  offset: number;
  /** Whose places these are. Null: the server was asked for GTIDs, and nothing it sent has told where in its binlog they end. */
  #placeOf: string | null;
  /** `Server.identity` */
  readonly #server: string;
  /** Events are read that are no part of the file at this place: of a compressed transaction, or read again. Offsets stand still. */
  #detours = 0;

  /** @param server `Server.identity` @param byGtids reading begins behind the GTIDs of `start`, wherever that is in this server's binlog */
  constructor(start: MysqlPosition, { server, byGtids }: { readonly server: string; readonly byGtids: boolean }) {
    this.end = start;
    this.#server = server;
    this.#placeOf = byGtids ? null : server;
    this.file = start.file;
    this.offset = start.offset;
  }

  get place(): BinlogPlace {
    return { file: this.file, offset: this.offset };
  }

  beginDetour(): void {
    this.#detours++;
  }

  endDetour(): void {
    this.#detours--;
  }

  /**
   * Moves behind an event whose header begins at `start`. MariaDB from 11.4 on writes 0 as the next position of events inside a
   * transaction, and beyond 4 GiB the field has wrapped around.
   */
  advance(view: DataView, start: number): void {
    if (this.#detours > 0) return;
    const next = view.getUint32(start + 13, true);
    if (next === 0) {
      if ((view.getUint16(start + 17, true) & EVENT_FLAG.ARTIFICIAL) === 0) {
        this.offset += view.getUint32(start + 9, true);
      }
      return;
    }
    const low = this.offset % FOUR_GIB;
    const high = this.offset - low;
    // A jump back by more than half the range is a wrap; anything else is the server's word.
    this.offset = next + (low - next > FOUR_GIB / 2 ? high + FOUR_GIB : high);
  }

  /** The next event stands in another file; `between`: no transaction is open. */
  rotate(file: string, offset: number, between: boolean): void {
    const changed = file !== this.file || !this.#isEnd(file, offset);
    this.file = file;
    this.offset = offset;
    // The artificial ROTATE at the start of a dump repeats where we are; a real one comes between transactions.
    if (between && changed) this.settle();
  }

  /** The server has nothing more before this place. */
  heartbeat(file: string, offset: number): void {
    if (file !== this.file || offset < this.offset) return;
    this.offset = offset;
    this.#placeOf = this.#server;
    // What came since the end was no transaction: nothing more would come that says so.
    if (!this.#isEnd(file, offset)) this.settle();
  }

  /** Takes what lies between transactions into the end; with the GTIDs executed so far, if they have become known only now. */
  settle(gtids: MysqlPosition['gtids'] = this.end.gtids): void {
    this.end = new MysqlPosition(this.file, this.offset, gtids, this.#placeOf);
  }

  /** A transaction has ended here. */
  commit({ origin, gno, serverId }: BinlogTransaction): void {
    const { gtids } = this.end;
    this.#placeOf = this.#server;
    if (gtids instanceof GtidTrail) this.settle(typeof origin === 'string' ? gtids.add(origin, gno) : gtids);
    else this.settle(gtids !== null && typeof origin === 'number' ? gtids.with(origin, serverId, gno) : gtids);
  }

  #isEnd(file: string, offset: number): boolean {
    const { end } = this;
    return end.offset === offset && end.file === file && end.server === this.#placeOf;
  }
}
