import { FilterOutput } from '../formats/log/filter-output.ts';
import type { FilterLane } from '../formats/log/filter-lane.ts';
import type { RowShape } from '../core/rows/row-shape.ts';

/** Batches whose outcome is remembered, for one filter: about 6 MiB of the log … */
const ENTRIES_MAX = 24;
/** … and of what was made of them no more than this, but for the last one, which may be larger by itself. */
const ENTRY_BYTES_MAX = 8 * 1024 * 1024;
/** Outputs that are kept for the next batches when nobody looks into them. */
const SPARE_MAX = 4;

/** What a filter left of one stored batch, for all readers with the same filter. */
export interface SharedOutput {
  readonly output: FilterOutput;
  /** Bytes of the one batch in it; 0: nothing passed. */
  readonly end: number;
  /** The lane's state behind the batch. */
  readonly openAfter: FilterLane['open'];
  /** The shapes that it refers to. */
  readonly shapes: readonly RowShape[];
}

interface Entry extends SharedOutput {
  /** Readers that send it. */
  users: number;
  /** It is no longer remembered. */
  dropped: boolean;
}

/**
 * Readers of one stream that want the same of it are mostly near each other, at its end: what a filter leaves of a batch is made once
 * and sent to all of them. Nothing is remembered for a reader that is alone with its filter.
 */
export class SharedOutputs {
  readers = 0;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  readonly #spare: FilterOutput[] = [];

  /** Worth the while: somebody else may want it. */
  get isShared(): boolean {
    return this.readers > 1;
  }

  /**
   * To be given back with `release` when it was sent.
   *
   * @param open the lane's state before the batch: what passes depends on it
   */
  find(firstScn: number, open: FilterLane['open']): SharedOutput | null {
    const entry = this.#entries.get(keyOf(firstScn, open));
    if (entry === undefined) return null;
    entry.users++;
    return entry;
  }

  takeOutput(): FilterOutput {
    return this.#spare.pop() ?? new FilterOutput();
  }

  /** Remembers what was made, and hands it out as `find` does. */
  add(firstScn: number, open: FilterLane['open'], made: SharedOutput): SharedOutput {
    const entry: Entry = { ...made, users: 1, dropped: false };
    this.#entries.set(keyOf(firstScn, open), entry);
    this.#bytes += entry.end;
    for (const [key, oldest] of this.#entries) {
      const { size } = this.#entries;
      if (size === 1 || (size <= ENTRIES_MAX && this.#bytes <= ENTRY_BYTES_MAX)) break;
      this.#entries.delete(key);
      this.#bytes -= oldest.end;
      this.#drop(oldest);
    }
    return entry;
  }

  release(shared: SharedOutput): void {
    const entry = shared as Entry;
    entry.users--;
    if (entry.dropped && entry.users === 0) this.#recycle(entry.output);
  }

  clear(): void {
    for (const entry of this.#entries.values()) this.#drop(entry);
    this.#entries.clear();
    this.#bytes = 0;
    this.#spare.length = 0;
  }

  #drop(entry: Entry): void {
    entry.dropped = true;
    if (entry.users === 0) this.#recycle(entry.output);
  }

  #recycle(output: FilterOutput): void {
    output.clear();
    if (this.#spare.length < SPARE_MAX) this.#spare.push(output);
  }
}

function keyOf(firstScn: number, open: FilterLane['open']): string {
  return `${firstScn} ${open}`;
}

/** One reader's part in what is shared. */
export interface SharedReading {
  readonly outputs: SharedOutputs;
  leave(): void;
}

/** The shared outputs of a stream, by what a filter wants. */
export class SharedFilters {
  readonly #byWish = new Map<string, SharedOutputs>();

  /**
   * One reader more has this wish. Returns what it shares with the others, and how to end that.
   *
   * @param wish the filter as a text: the same text has the same outcome
   */
  join(wish: string): SharedReading {
    const outputs = this.#byWish.get(wish) ?? new SharedOutputs();
    this.#byWish.set(wish, outputs);
    outputs.readers++;
    let isIn = true;
    return {
      outputs,
      leave: () => {
        if (!isIn) return;
        isIn = false;
        outputs.readers--;
        if (!outputs.isShared) outputs.clear();
        if (outputs.readers === 0) this.#byWish.delete(wish);
      },
    };
  }
}
