import { type Gno, nextGno } from './gno.ts';
import { type MysqlGtidInterval, MysqlGtidSet } from './mysql-gtid-set.ts';
import type { MysqlGtidSource } from './mysql-gtid-source.ts';

/** So many runs are kept before they are folded into the base; bounds what a held trail keeps alive, and what printing it costs. */
const RUNS_MAX = 1024;

/**
 * What has been executed after each transaction of a stream: a set, and behind it the runs of GTIDs added since. Immutable, so each
 * transaction's position can hold its own; `add` costs one small object whatever the size of the set, and the set itself is built
 * only when it is asked for.
 *
 * A trail refers to earlier runs only, never to later ones, and a chain ends after RUNS_MAX of them: holding one trail keeps at
 * most so many alive, and never the stream that went on after it.
 */
export class GtidTrail {
  readonly #base: MysqlGtidSet;
  // The newest run: consecutive GTIDs of one source. Nothing was added yet while #length is 0.
  readonly #source: MysqlGtidSource;
  readonly #first: Gno;
  readonly #last: Gno;
  readonly #earlier: GtidTrail | null;
  readonly #length: number;

  // Positional, since an options object for each transaction of the stream would double what it allocates.
  // oxlint-disable-next-line max-params
  private constructor(
    base: MysqlGtidSet,
    source: MysqlGtidSource,
    first: Gno,
    last: Gno,
    earlier: GtidTrail | null,
    length: number,
  ) {
    this.#base = base;
    this.#source = source;
    this.#first = first;
    this.#last = last;
    this.#earlier = earlier;
    this.#length = length;
  }

  static from(base: MysqlGtidSet): GtidTrail {
    return new GtidTrail(base, '', 0, 0, null, 0);
  }

  /** The trail after one more transaction. Adding a GTID that is in it already is allowed: a reconnect may deliver it again. */
  add(source: MysqlGtidSource, gno: Gno): GtidTrail {
    const length = this.#length;
    if (length === 0) return new GtidTrail(this.#base, source, gno, gno, null, 1);
    // In the usual stream every GTID continues the run, and the chain never grows.
    if (nextGno(this.#last) === gno && this.#source === source) {
      return new GtidTrail(this.#base, source, this.#first, gno, this.#earlier, length);
    }
    if (length < RUNS_MAX) return new GtidTrail(this.#base, source, gno, gno, this, length + 1);
    return new GtidTrail(this.toSet(), source, gno, gno, null, 1);
  }

  toSet(): MysqlGtidSet {
    return this.#length === 0 ? this.#base : this.#base.union(MysqlGtidSet.of(this.#runs()));
  }

  /** The whole set, on one line. */
  toString(): string {
    return this.toSet().toString();
  }

  *#runs(): Generator<MysqlGtidInterval> {
    for (let trail: GtidTrail | null = this; trail !== null; trail = trail.#earlier) {
      yield { source: trail.#source, first: trail.#first, last: trail.#last };
    }
  }
}
