import { GtidTrail } from './gtid/gtid-trail.ts';
import type { MariadbGtidPosition } from './gtid/mariadb-gtid.ts';
import type { MysqlGtidSet } from './gtid/mysql-gtid-set.ts';
import type { MysqlPosition } from './mysql-position.ts';
import { type BinlogPlace, comparePlaces } from './server.ts';
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
  #seen: MysqlPosition | null = null;

  /** Reaching any of the targets is enough. */
  constructor(targets: readonly Target[]) {
    this.#targets = targets;
  }

  /** After a failover: files and offsets were those of another server. */
  forgetPlaces(): void {
    this.#targets = this.#targets.filter(({ kind }) => kind !== 'place');
  }

  reached(end: MysqlPosition, place: BinlogPlace, last: BinlogTransaction | null): boolean {
    return this.#targets.some((target) => this.#isReached(target, { end, place, last }));
  }

  #isReached(target: Target, { end, place, last }: { end: MysqlPosition; place: BinlogPlace; last: BinlogTransaction | null }): boolean {
    switch (target.kind) {
      case 'place':
        return comparePlaces(place, target.place) >= 0;
      case 'mariadb-gtids':
        if (end === this.#seen || end.gtids === null || end.gtids instanceof GtidTrail) return false;
        this.#seen = end;
        return end.gtids.covers(target.position);
      case 'mysql-gtids':
        return this.#mysqlReached(end, target.set, last);
    }
  }

  #mysqlReached(end: MysqlPosition, set: MysqlGtidSet, last: BinlogTransaction | null): boolean {
    if (end === this.#seen || !(end.gtids instanceof GtidTrail)) return this.#missing?.isEmpty === true;
    // The whole set is compared only when it did not grow by one transaction: at the start, and where a file begins.
    const grewByOne = this.#missing !== null && last !== null && typeof last.origin === 'string';
    if (!grewByOne || this.#missing?.containsGtid(last.origin as string, last.gno) === true) this.#missing = set.subtract(end.gtids.toSet());
    this.#seen = end;
    return this.#missing?.isEmpty === true;
  }
}
