import type { Clock } from '../base/clock.ts';
import { isTidingsError, type TidingsError } from '../core/errors.ts';
import type { Mapper } from '../core/mapper.ts';
import { isTransient } from '../core/retry.ts';
import { RowsRefused, type Sink, type SinkRow } from '../core/sink.ts';
import type { DeadLetter, RedriveOutcome } from '../core/sink-service.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import { type ParkedKeys, reasonOf } from './parked-keys.ts';
import type { SinkSession } from './sink-session.ts';
import type { WriteGate } from './write-gate.ts';

export interface RedriveOptions {
  readonly sink: string;
  readonly session: SinkSession;
  readonly order: 'key' | 'transaction';
  readonly store: DeadLetterStore;
  readonly parked: ParkedKeys;
  readonly clock: Clock;
}

/**
 * Writes dead letters, chain by chain and in order. Nothing else is written meanwhile, and nothing is read that could overtake them (I3): what comes for a
 * blocked key before its chain is empty is at the chain's end.
 */
export class Redrive {
  readonly #options: RedriveOptions;

  constructor(options: RedriveOptions) {
    this.#options = options;
  }

  /** @throws TidingsError SINK_NOT_RUNNING, and what the store fails with: what was written until then is done */
  async run(chains: readonly string[]): Promise<RedriveOutcome> {
    let written = 0;
    let left = 0;
    const refused: number[] = [];
    for (const chain of chains) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other, and others have their turn in between
      const outcome = await this.#options.session.exclusively((sink, mapper, gate) =>
        this.#chain(chain, { sink, mapper, gate }),
      );
      written += outcome.written;
      left += outcome.left;
      if (outcome.refused !== null) refused.push(outcome.refused);
    }
    return { written, left, refused };
  }

  async #chain(
    chain: string,
    to: { readonly sink: Sink; readonly mapper: Mapper; readonly gate: Pick<WriteGate, 'run'> },
  ): Promise<{ readonly written: number; readonly left: number; readonly refused: number | null }> {
    const { sink: name, store, parked, clock } = this.#options;
    const letters = store.list(name, { chain });
    for (const [index, letter] of letters.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      const error = await this.#letter(letter, to);
      if (error !== null) {
        store.tried(letter.id, reasonOf(error), clock.nowMs());
        return { written: index, left: letters.length - index, refused: letter.id };
      }
      store.remove([letter.id]);
      parked.left(chain, 1);
    }
    return { written: letters.length, left: 0, refused: null };
  }

  /** Null when it is durable. */
  async #letter(
    { change, target }: DeadLetter,
    { sink, mapper, gate }: { readonly sink: Sink; readonly mapper: Mapper; readonly gate: Pick<WriteGate, 'run'> },
  ): Promise<TidingsError | null> {
    try {
      const mapped = await mapper.map(change);
      // Its rows for other targets were written when it came.
      const rows: SinkRow[] = mapped.filter(
        (row) => target === null || `${row.target.table.database}.${row.target.table.name}` === target,
      );
      for (const row of rows) {
        // oxlint-disable-next-line no-await-in-loop -- in order
        await this.#options.session.plan(row.target);
      }
      if (rows.length > 0) {
        const lane = this.#options.order === 'transaction' ? 0 : 'serial';
        await gate.run(() => sink.write({ lane, rows, checkpoints: [], endsTransaction: true }));
      }
      return null;
    } catch (error) {
      if (error instanceof RowsRefused) return error.rows[0]?.error ?? null;
      // What stops the sink, or may pass, is not the row's fault.
      if (isTidingsError(error) && !isTransient(error) && error.code.startsWith('MAPPING_')) return error;
      throw error;
    }
  }
}
