import type { Clock } from '../base/clock.ts';
import type { BootstrapMode } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { Sink } from '../core/sink.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import type { Written } from './lane.ts';

/** How often it is put down how far the store is: the disk makes everything wait for as long as that takes. */
const NOTE_MS = 10_000;

/** How far the store of a sink has come, kept on our side: so that an older state of the store is told from the one that it had. */
export class StoreProgress {
  readonly #sink: string;
  readonly #store: DeadLetterStore;
  readonly #clock: Clock;
  /** The highest SCN of a row that is durable. */
  #written = 0;
  #notedMs = Number.NEGATIVE_INFINITY;

  constructor({
    sink,
    store,
    clock,
  }: {
    readonly sink: string;
    readonly store: DeadLetterStore;
    readonly clock: Clock;
  }) {
    this.#sink = sink;
    this.#store = store;
    this.#clock = clock;
  }

  /** Rows are durable. */
  wrote({ last }: Written): void {
    this.#written = Math.max(this.#written, last?.scn ?? 0);
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#notedMs < NOTE_MS) return;
    this.#notedMs = nowMs;
    this.keep();
  }

  /** The store knows of the sink from now on. */
  claimed(): void {
    if (this.#store.begins(this.#sink)) this.#store.setBegins(this.#sink, false);
  }

  keep(): void {
    if (this.#written > this.#store.written(this.#sink)) this.#store.setWritten(this.#sink, this.#written);
  }

  /**
   * Whether the rows that exist must come, as far as the store tells. One that has never heard of this sink has nothing of what the group has read: its rows
   * have to come anew. Of one that has less than it had, what lies between would be missing for good.
   *
   * @param committed the lowest checkpoint of the group
   * @throws TidingsError SINK_EMPTY, SINK_BEHIND
   */
  async bootstrapMode(
    sink: Sink,
    {
      bootstrap,
      group,
      committed,
    }: { readonly bootstrap: BootstrapMode; readonly group: string; readonly committed: number | null },
  ): Promise<BootstrapMode> {
    if (sink.claim === undefined || bootstrap === 'always') return bootstrap;
    const name = this.#sink;
    if (committed === null) {
      // From here to the store's first claim a crash leaves a group of which the store knows nothing, and has nothing to know.
      if (!this.#store.begins(name)) this.#store.setBegins(name, true);
      return bootstrap;
    }
    const stored = await sink.claim([]);
    if (stored.length === 0) {
      if (bootstrap !== 'never') return 'always';
      if (this.#store.begins(name)) return bootstrap;
      const message = `the store of sink ${name} has none of its checkpoints, and its group has read on`;
      throw new TidingsError('SINK_EMPTY', message, { details: { sink: name, group } });
    }
    const highest = Math.max(...stored.map(({ scn }) => scn));
    const written = this.#store.written(name);
    if (highest >= written) return bootstrap;
    if (highest < committed) {
      const message = `the store of sink ${name} ends with SCN ${highest}, and had ${written} before`;
      throw new TidingsError('SINK_BEHIND', message, { details: { sink: name, group, stored: highest, written } });
    }
    // Its group was set back: it is written anew from there.
    this.#store.setWritten(name, highest);
    return bootstrap;
  }
}
