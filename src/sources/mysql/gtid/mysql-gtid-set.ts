import type { Gno } from './gno.ts';
import {
  type GnoIntervals,
  intervalsContain,
  intervalsCover,
  intervalsEqual,
  normaliseIntervals,
  subtractIntervals,
  uniteIntervals,
} from './gno-intervals.ts';
import type { MysqlGtidSource } from './mysql-gtid-source.ts';
import { decodeGtidSet, encodeGtidSet } from './mysql-gtid-set-codec.ts';
import { parseGtidSetText, printGtidSet } from './mysql-gtid-set-text.ts';

/** Numbers `first` … `last`, both inclusive, of one source. */
export interface MysqlGtidInterval {
  readonly source: MysqlGtidSource;
  readonly first: Gno;
  readonly last: Gno;
}

/**
 * A set of MySQL GTIDs, tagged or not. Immutable: every operation yields another set. To follow a stream, where each transaction
 * adds one GTID, use `GtidTrail`: an operation here costs as much as the set is large.
 */
export class MysqlGtidSet {
  static readonly EMPTY: MysqlGtidSet = new MysqlGtidSet(new Map());

  /** No source has an empty list. */
  readonly #sources: ReadonlyMap<MysqlGtidSource, GnoIntervals>;

  private constructor(sources: ReadonlyMap<MysqlGtidSource, GnoIntervals>) {
    this.#sources = sources;
  }

  /** @throws TidingsError GTID_INVALID */
  static parse(text: string): MysqlGtidSet {
    return new MysqlGtidSet(parseGtidSetText(text));
  }

  /** @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT */
  static decode(bytes: Buffer): MysqlGtidSet {
    return new MysqlGtidSet(decodeGtidSet(bytes));
  }

  /** In any order, overlapping or not. */
  static of(intervals: Iterable<MysqlGtidInterval>): MysqlGtidSet {
    const pairs = new Map<MysqlGtidSource, [Gno, Gno][]>();
    for (const { source, first, last } of intervals) {
      const list = pairs.get(source);
      if (list === undefined) pairs.set(source, [[first, last]]);
      else list.push([first, last]);
    }
    const sources = new Map<MysqlGtidSource, GnoIntervals>();
    for (const [source, list] of pairs) sources.set(source, normaliseIntervals(list));
    return new MysqlGtidSet(sources);
  }

  get isEmpty(): boolean {
    return this.#sources.size === 0;
  }

  get sources(): readonly MysqlGtidSource[] {
    return [...this.#sources.keys()].toSorted();
  }

  /** Of one source; empty when nothing of it is in the set. */
  intervals(source: MysqlGtidSource): GnoIntervals {
    return this.#sources.get(source) ?? [];
  }

  containsGtid(source: MysqlGtidSource, gno: Gno): boolean {
    return intervalsContain(this.intervals(source), gno);
  }

  /** Whether every GTID of the other set is in this one. */
  contains(other: MysqlGtidSet): boolean {
    return [...other.#sources].every(([source, intervals]) => intervalsCover(this.intervals(source), intervals));
  }

  equals(other: MysqlGtidSet): boolean {
    if (this.#sources.size !== other.#sources.size) return false;
    return [...other.#sources].every(([source, intervals]) => intervalsEqual(this.intervals(source), intervals));
  }

  union(other: MysqlGtidSet): MysqlGtidSet {
    if (other.isEmpty) return this;
    const sources = new Map(this.#sources);
    for (const [source, intervals] of other.#sources) {
      sources.set(source, uniteIntervals(this.intervals(source), intervals));
    }
    return new MysqlGtidSet(sources);
  }

  subtract(other: MysqlGtidSet): MysqlGtidSet {
    const sources = new Map<MysqlGtidSource, GnoIntervals>();
    for (const [source, intervals] of this.#sources) {
      const left = subtractIntervals(intervals, other.intervals(source));
      if (left.length > 0) sources.set(source, left);
    }
    return new MysqlGtidSet(sources);
  }

  /** The form that COM_BINLOG_DUMP_GTID takes: untagged when there are no tags, which servers before 8.3 understand. */
  encode(): Buffer {
    return encodeGtidSet(this.#sources);
  }

  /** On one line: the server takes it as it is. */
  toString(): string {
    return printGtidSet(this.#sources, ',');
  }

  /** Character by character as `gtid_executed` shows it: a line for each UUID. */
  toServerText(): string {
    return printGtidSet(this.#sources, ',\n');
  }
}
