import { GtidTrail } from './gtid/gtid-trail.ts';
import type { MariadbGtidPosition } from './gtid/mariadb-gtid.ts';
import type { MysqlGtidSet } from './gtid/mysql-gtid-set.ts';
import type { MysqlPosition } from './mysql-position.ts';
import { type BinlogPlace, compareFiles } from './server.ts';
import type { BinlogTransaction } from './stream/open-transaction.ts';

/** The place or GTIDs at which an iteration ends by itself. */
export type Target =
  | { readonly kind: 'place'; readonly place: BinlogPlace }
  | { readonly kind: 'mysql-gtids'; readonly set: MysqlGtidSet }
  | { readonly kind: 'mariadb-gtids'; readonly position: MariadbGtidPosition };

/** Tells when a stream has reached its target; asked between transactions only. */
export class Until {
  #targets: readonly Target[];
  /** MySQL: what is still missing of the target; null until the stream's own set is known. */
  #missing: MysqlGtidSet | null = null;
  /** MariaDB: whether what was seen last covers the target. */
  #covered = false;
  #seen: MysqlPosition | null = null;
  #file = '';
  #fileOrder = -1;

  /** Reaching any of the targets is enough. */
  constructor(targets: readonly Target[]) {
    this.#targets = targets;
  }

  /** After a failover: files and offsets were those of another server. */
  forgetPlaces(): void {
    this.#targets = this.#targets.filter(({ kind }) => kind !== 'place');
  }

  reached(end: MysqlPosition, place: BinlogPlace, last: BinlogTransaction | null): boolean {
    for (const target of this.#targets) if (this.#isReached(target, end, place, last)) return true;
    return false;
  }

  #isReached(target: Target, end: MysqlPosition, place: BinlogPlace, last: BinlogTransaction | null): boolean {
    switch (target.kind) {
      case 'place':
        return this.#placeReached(place, target.place);
      case 'mariadb-gtids':
        if (end.gtids === null || end.gtids instanceof GtidTrail) return false;
        if (end !== this.#seen) this.#covered = end.gtids.covers(target.position);
        this.#seen = end;
        return this.#covered;
      case 'mysql-gtids':
        return this.#mysqlReached(end, target.set, last);
    }
  }

  /** Asked after every event: file names are compared only when they change. */
  #placeReached({ file, offset }: BinlogPlace, target: BinlogPlace): boolean {
    if (file !== this.#file) {
      this.#file = file;
      this.#fileOrder = compareFiles(file, target.file);
    }
    return this.#fileOrder > 0 || (this.#fileOrder === 0 && offset >= target.offset);
  }

  #mysqlReached(end: MysqlPosition, set: MysqlGtidSet, last: BinlogTransaction | null): boolean {
    if (end === this.#seen || !(end.gtids instanceof GtidTrail)) return this.#missing?.isEmpty === true;
    // The whole set is compared only when it did not grow by one transaction: at the start, and where a file begins.
    const grewByOne = this.#missing !== null && last !== null && typeof last.origin === 'string';
    if (!grewByOne || this.#missing?.containsGtid(last.origin, last.gno) === true) {
      this.#missing = set.subtract(end.gtids.toSet());
    }
    this.#seen = end;
    return this.#missing?.isEmpty === true;
  }
}
