/** A chunk shall take about so long: short, so that few of its keys change meanwhile and little is lost with it; long enough to be worth its questions. */
const TARGET_MS = 150;
const FIRST_ROWS = 1000;
const ROWS_MAX = 50_000;
/** On the wire. Two chunks of a table and their copies are in memory at a time. */
export const CHUNK_BYTES: number = 8 * 1024 * 1024;

/** How many rows a table's next chunk has: found by trying, as tables and servers differ. */
export class ChunkSize {
  #rows = FIRST_ROWS;

  get rows(): number {
    return this.#rows;
  }

  /** Of a chunk that was read. */
  learn({ rows, bytes, ms }: { readonly rows: number; readonly bytes: number; readonly ms: number }): void {
    if (rows === 0) return;
    const byTime = (rows * TARGET_MS) / Math.max(ms, 1);
    // A little below the limit: rows beyond it are read in vain.
    const byBytes = (rows * CHUNK_BYTES * 0.9) / Math.max(bytes, 1);
    const wanted = Math.min(byTime, byBytes, this.#rows * 4, ROWS_MAX);
    this.#rows = Math.max(1, Math.round(wanted));
  }

  /** It had to be read again: something of the table changes so often. */
  halve(): void {
    this.#rows = Math.max(1, this.#rows >> 1);
  }
}
