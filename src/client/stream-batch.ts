import type { ConsumerBatch, StreamChange, StreamEntry } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { LogTransactionPart } from '../formats/log/batch-reader.ts';

export interface StreamBatchOptions {
  readonly parts: readonly LogTransactionPart[];
  readonly scn: number;
  readonly count: number;
  readonly commit: () => Promise<void>;
}

/** One batch as a consumer has it, over decoded batches whose rows are still bytes. */
export class StreamBatch<R> implements ConsumerBatch<R> {
  readonly scn: number;
  readonly count: number;
  readonly #commit: () => Promise<void>;
  #parts: readonly LogTransactionPart[] | null;
  #entries: readonly StreamEntry<R>[] | null = null;
  #changes: readonly StreamChange<R>[] | null = null;

  constructor({ parts, scn, count, commit }: StreamBatchOptions) {
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
    this.#entries ??= entriesOf<R>(this.parts);
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

  commit(): Promise<void> {
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

function entriesOf<R>(parts: readonly LogTransactionPart[]): StreamEntry<R>[] {
  const result: StreamEntry<R>[] = [];
  for (const { transaction, entries } of parts) {
    const { committedAtUs } = transaction;
    for (const entry of entries) {
      if (entry.type !== 'rows') {
        result.push({ ...entry, committedAtUs });
        continue;
      }
      for (const { kind, table, scn, key, before, after, statement, moved, partition } of entry.changes()) {
        const change = {
          kind,
          table,
          scn: scn as number,
          key,
          before: before as R | null,
          after: after as R | null,
          statement,
          committedAtUs,
        };
        if (moved === undefined && partition === undefined) result.push(change);
        else result.push(withPlace(change, moved, partition));
      }
    }
  }
  return result;
}

function withPlace<R>(
  change: StreamChange<R>,
  moved: 'from' | 'to' | undefined,
  partition: number | undefined,
): StreamChange<R> {
  return {
    ...change,
    ...(moved === undefined ? {} : { moved }),
    ...(partition === undefined ? {} : { partition }),
  };
}
