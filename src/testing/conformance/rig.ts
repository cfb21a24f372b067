import type { Source } from '../../core/source.ts';
import type { ConformanceWrite, SourceHarness } from '../source-conformance.ts';
import { Reading } from './reading.ts';

/** A transaction that was written, and what a reader must see of it. */
export interface Written {
  readonly writes: readonly ConformanceWrite[];
  /** `insert 1 note`, one line per change. */
  readonly lines: readonly string[];
}

/** What all checks need: writing transactions of fresh rows, and reading with a time limit. */
export class ConformanceRig {
  readonly harness: SourceHarness;
  #nextId: number;

  constructor(harness: SourceHarness) {
    this.harness = harness;
    this.#nextId = harness.firstId ?? 1;
  }

  get timeoutMs(): number {
    return this.harness.timeoutMs ?? 10_000;
  }

  /** Hands the source of a check to `use`, and closes it whatever happens. */
  async reading<T>(from: string | null, use: (reading: Reading, source: Source) => Promise<T>): Promise<T> {
    const source = await this.harness.create(from);
    const reading = new Reading(source, this.timeoutMs);
    try {
      return await use(reading, source);
    } finally {
      await source.close();
    }
  }

  /** One transaction: some inserts, an update of the first row, and a delete of the last where the source sees deletes. */
  async writeMixed(rows = 3): Promise<Written> {
    const inserts = this.#inserts(rows, 'a');
    const writes: ConformanceWrite[] = [...inserts];
    const [first] = inserts;
    const last = inserts.at(-1);
    if (first !== undefined) writes.push({ kind: 'update', id: first.id, note: 'changed' });
    if (last !== undefined && rows > 1 && this.harness.seesDeletes !== false) {
      writes.push({ kind: 'delete', id: last.id, note: '' });
    }
    return this.#write(writes);
  }

  async writeLarge(): Promise<Written> {
    return this.#write(this.#inserts(this.harness.largeTransactionRows ?? 5000, 'x'.repeat(1000)));
  }

  async #write(writes: readonly ConformanceWrite[]): Promise<Written> {
    await this.harness.write(writes);
    return { writes, lines: writes.map((write) => this.#line(write)) };
  }

  #inserts(count: number, note: string): ConformanceWrite[] {
    return Array.from({ length: count }, () => ({ kind: 'insert', id: this.#nextId++, note }));
  }

  #line({ kind, id, note }: ConformanceWrite): string {
    if (kind === 'delete') return `delete ${id}`;
    return `${this.harness.kinds === 'upsert' ? 'upsert' : kind} ${id} ${note}`;
  }
}
