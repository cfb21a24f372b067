import type { LogTransactionPart } from '../formats/log/batch-reader.ts';

/** What goes into one batch of the consumer: stored batches of one chunk, joined. */
export class Gathering {
  /** Of the batches taken in. */
  bytes = 0;
  /** Row changes. */
  count = 0;
  parts: readonly LogTransactionPart[] = [];
  #own: LogTransactionPart[] | null = null;

  /** Whether there is a change, a schema change or a truncation. */
  get isSomething(): boolean {
    return this.parts.length > 0;
  }

  add(parts: readonly LogTransactionPart[], bytes: number): void {
    this.bytes += bytes;
    let entries = 0;
    for (const part of parts) {
      entries += part.entries.length;
      for (const entry of part.entries) if (entry.type === 'rows') this.count += entry.count;
    }
    // Transactions of which nothing is left are of no use to anybody.
    if (entries === 0) return;
    if (this.parts.length === 0) {
      this.parts = parts;
      return;
    }
    this.#own ??= [...this.parts];
    for (const part of parts) this.#own.push(part);
    this.parts = this.#own;
  }
}
