import type { SinkCheckpoint, SinkRow } from '../core/sink.ts';
import type { Unit } from './commit-order.ts';

/** Queued at one end, taken at the other; what was taken is cut off from time to time. */
const CUT_AT = 4096;

export interface QueueLimits {
  readonly rowsMax: number;
  readonly bytesMax: number;
}

/** What a batch takes of a queue. */
export interface Span {
  /** Behind the last item, from the queue's front. */
  readonly items: number;
  /** Nothing more may go into it. */
  readonly isFull: boolean;
}

/**
 * Rows that wait for their lane, and between them the ends of the source's transactions. One list for each of an item's parts instead of an object for
 * each item: there are as many items as rows, and they live long enough for the collector to move them.
 */
export class RowQueue {
  readonly #rows: (SinkRow | null)[] = [];
  readonly #partitions: number[] = [];
  readonly #scns: number[] = [];
  readonly #sizes: number[] = [];
  readonly #units: (Unit | null)[] = [];
  #head = 0;
  #rowCount = 0;
  #bytes = 0;

  get length(): number {
    return this.#rows.length - this.#head;
  }

  /** Without the ends of transactions. */
  get rows(): number {
    return this.#rowCount;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Null where a transaction ends, and when it is empty. */
  get first(): SinkRow | null {
    return this.#rows[this.#head] ?? null;
  }

  push(row: SinkRow, place: { readonly partition: number; readonly bytes: number; readonly unit: Unit }): void {
    this.#add(row, row.scn, place);
    this.#rowCount++;
    this.#bytes += place.bytes;
  }

  pushEnd(scn: number, place: { readonly partition: number; readonly unit: Unit | null }): void {
    this.#add(null, scn, { ...place, bytes: 0 });
  }

  /** As many items from the front as the limits allow, at least one; rows of one change are never parted. Null: there is none. */
  span({ rowsMax, bytesMax }: QueueLimits): Span | null {
    const { length } = this.#rows;
    let end = this.#head;
    let bytes = 0;
    let rows = 0;
    for (; end < length; end++) {
      const size = this.#sizes[end] as number;
      if (rows > 0 && (rows >= rowsMax || bytes + size > bytesMax) && this.#isApart(end)) break;
      bytes += size;
      if (this.#rows[end] !== null) rows++;
    }
    if (end === this.#head) return null;
    return { items: end - this.#head, isFull: end < length || rows >= rowsMax || bytes > bytesMax };
  }

  /** How many of the first items lead up to the last end of a transaction among them; 0: there is none. */
  wholeTransactions(items: number): number {
    for (let i = this.#head + items - 1; i >= this.#head; i--) if (this.#rows[i] === null) return i - this.#head + 1;
    return 0;
  }

  rowsOf(items: number): SinkRow[] {
    const rows = this.#rows.slice(this.#head, this.#head + items);
    return rows.includes(null) ? rows.filter((row) => row !== null) : (rows as SinkRow[]);
  }

  /** The highest SCN of each partition among the first items. */
  checkpointsOf(items: number, serial: boolean): SinkCheckpoint[] {
    const highest = new Map<number, number>();
    for (let i = this.#head; i < this.#head + items; i++) {
      highest.set(this.#partitions[i] as number, this.#scns[i] as number);
    }
    return [...highest].map(([partition, scn]) => ({ partition, serial, scn }));
  }

  /** The checkpoint that the last of the first items stands for. */
  lastCheckpoint(items: number): SinkCheckpoint {
    const last = this.#head + items - 1;
    return { partition: this.#partitions[last] as number, serial: false, scn: this.#scns[last] as number };
  }

  /** Takes items from the front; `done` is told how many of them were of each unit. */
  remove(items: number, done: (unit: Unit, count: number) => void): void {
    const end = this.#head + items;
    for (let i = this.#head; i < end; i++) {
      if (this.#rows[i] !== null) this.#rowCount--;
      this.#bytes -= this.#sizes[i] as number;
    }
    for (let from = this.#head; from < end;) {
      const unit = this.#units[from] ?? null;
      let to = from + 1;
      while (to < end && this.#units[to] === unit) to++;
      if (unit !== null) done(unit, to - from);
      from = to;
    }
    this.#head = end;
    if (end >= CUT_AT || end === this.#rows.length) this.#cut();
  }

  #add(
    row: SinkRow | null,
    scn: number,
    { partition, bytes, unit }: { readonly partition: number; readonly bytes: number; readonly unit: Unit | null },
  ): void {
    this.#rows.push(row);
    this.#partitions.push(partition);
    this.#scns.push(scn);
    this.#sizes.push(bytes);
    this.#units.push(unit);
  }

  #isApart(index: number): boolean {
    return this.#scns[index] !== this.#scns[index - 1] || this.#partitions[index] !== this.#partitions[index - 1];
  }

  #cut(): void {
    for (const list of [this.#rows, this.#partitions, this.#scns, this.#sizes, this.#units]) list.splice(0, this.#head);
    this.#head = 0;
  }
}
