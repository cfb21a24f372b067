import type { CommitOutcome, ConsumerBatch, StreamChange, StreamEntry, StreamTransaction } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { LogTransactionPart } from '../formats/log/batch-reader.ts';
import { entriesOf } from './stream-entries.ts';

export interface StreamBatchOptions {
  readonly parts: readonly LogTransactionPart[];
  readonly scn: number;
  readonly count: number;
  readonly commit: () => Promise<CommitOutcome>;
  /** How many partitions the stream has, for changes to say theirs. @default they do not */
  readonly partitions?: number | null;
}

/** One batch as a consumer has it, over decoded batches whose rows are still bytes. */
export class StreamBatch<R> implements ConsumerBatch<R> {
  readonly scn: number;
  readonly count: number;
  readonly partitions: number | null;
  readonly #commit: () => Promise<CommitOutcome>;
  #parts: readonly LogTransactionPart[] | null;
  #entries: readonly StreamEntry<R>[] | null = null;
  #changes: readonly StreamChange<R>[] | null = null;

  constructor({ parts, scn, count, commit, partitions = null }: StreamBatchOptions) {
    this.partitions = partitions;
    this.#parts = parts;
    this.scn = scn;
    this.count = count;
    this.#commit = commit;
  }

  get parts(): readonly LogTransactionPart[] {
    if (this.#parts !== null) return this.#parts;
    throw new TidingsError('BATCH_EXPIRED', 'a batch was looked into after the next one had been asked for', {
      details: { scn: this.scn },
    });
  }

  get entries(): readonly StreamEntry<R>[] {
    this.#entries ??= entriesOf<R>(this.parts, this.partitions);
    return this.#entries;
  }

  get changes(): readonly StreamChange<R>[] {
    if (this.#changes === null) {
      const entries = this.entries;
      // Schema changes are rare: as a rule it is the same list.
      this.#changes =
        entries.length === this.count ? (entries as readonly StreamChange<R>[]) : entries.filter(isChange);
    }
    return this.#changes;
  }

  get transactions(): readonly StreamTransaction<R>[] {
    const { partitions } = this;
    return this.parts
      .filter(({ entries, begins }) => entries.length > 0 || !begins)
      .map((part) => ({
        id: part.transaction.id,
        committedAtUs: part.transaction.committedAtUs,
        ends: part.end !== null,
        entries: entriesOf<R>([part], partitions),
      }));
  }

  commit(): Promise<CommitOutcome> {
    return this.#commit();
  }

  /** The bytes behind it are about to be reused. What was made of them stays. */
  expire(): void {
    this.#parts = null;
  }
}

function isChange<R>(entry: StreamEntry<R>): entry is StreamChange<R> {
  return 'kind' in entry;
}
