import type { IncompleteRow, MergeWindow } from './merge-window.ts';
import type { SnapshotMerger } from './merger.ts';

/**
 * Rows that come to another key while their table is read, of which the stream has brought some columns only. One that goes from a key that is
 * still to come to one that was read already is in no chunk. With all of its columns in the stream that is nothing to care about.
 *
 * They are noted over all attempts to read the table: what was noted in one that failed is still to be read.
 */
export class MovedRows {
  readonly #merger: SnapshotMerger;
  readonly #database: string;
  readonly #table: string;
  #open: { readonly key: readonly string[]; readonly window: MergeWindow } | null = null;

  constructor(merger: SnapshotMerger, { database, table }: { readonly database: string; readonly table: string }) {
    this.#merger = merger;
    this.#database = database;
    this.#table = table;
  }

  /** Notes them from now on, unless it does already. By another key than before the table is read anew, and with it what was noted. */
  async note(key: readonly string[]): Promise<void> {
    if (this.#open !== null && this.#open.key.join('\0') === key.join('\0')) return;
    this.close();
    const window = await this.#merger.window(this.#database, this.#table, { key, onlyMoves: true });
    this.#open = { key, window };
  }

  /** The table came to its end since they are noted: where to go on in it says nothing of one that has its name now. */
  get isTableDropped(): boolean {
    return this.#open?.window.isDropped === true;
  }

  /** Has those read that came with fewer columns than so many. They stay noted when that fails, and when they move again meanwhile. */
  async settle(columns: number, read: (rows: readonly IncompleteRow[]) => Promise<void>): Promise<void> {
    if (this.#open === null) return;
    const { window } = this.#open;
    const rows = window.incomplete(columns);
    await read(rows);
    window.settled(rows);
  }

  close(): void {
    if (this.#open !== null) this.#merger.close(this.#open.window);
    this.#open = null;
  }
}
