import { randomBytes } from 'node:crypto';
import type { BootstrapMode, CheckpointStore, StreamOptions } from '../core/consumer.ts';
import { isTidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { isBound, isNamed } from './checkpoint-stores.ts';
import type { Checkpointer } from './checkpointer.ts';
import type { ReaderStart, Transport } from './transport.ts';

export interface ReaderBootstrapOptions {
  readonly transport: Transport;
  readonly store: CheckpointStore;
  readonly options: StreamOptions;
  readonly log: Logger;
}

/** A relay that does not answer does not keep anybody from ending. */
const DISMISS_MS = 3000;

/**
 * The rows that exist, for a reader without a group: the relay reads them for a name, and only who reads under that name gets them.
 *
 * - Every beginning has a name of its own, made here. So what is left of a former one cannot get among the rows of this one.
 * - Order: what the relay is to read is durable there; then the name is durable here, together with the place where reading begins; then
 *   reading begins. Killed in between, the reader either has the name and goes on, or has none and begins under another.
 */
export class ReaderBootstrap {
  readonly #transport: Transport;
  readonly #store: CheckpointStore;
  readonly #options: StreamOptions;
  readonly #mode: BootstrapMode;
  readonly #log: Logger;
  /** As the store has it. */
  #name: string | null = null;
  /** Asked of the relay again until it is known to have answered: always under the same name. */
  #due: { readonly name: string; readonly truncate: boolean } | null = null;

  constructor({ transport, store, options, log }: ReaderBootstrapOptions) {
    this.#transport = transport;
    this.#store = store;
    this.#options = options;
    this.#mode = options.bootstrap ?? 'never';
    this.#log = log;
  }

  /** Under which rows may lie in the stream for this reader, whether it asks for any now or not; null: nowhere. */
  get name(): string | null {
    return this.#name;
  }

  get isDue(): boolean {
    return this.#due !== null;
  }

  /** To be called once. */
  async load(checkpoint: number | null): Promise<void> {
    if (isNamed(this.#store)) this.#name = await this.#store.loadName();
    const isNew = checkpoint === null;
    if (this.#mode === 'always' || (this.#mode === 'auto' && isNew)) this.plan({ truncate: !isNew });
  }

  /** Whether beginning anew is the answer to this failure of a reading. */
  cures(error: unknown): boolean {
    return this.#mode !== 'never' && isTidingsError(error) && error.code === 'SCN_PURGED';
  }

  plan({ truncate }: { truncate: boolean }): void {
    this.#due = { name: randomBytes(16).toString('base64url'), truncate };
  }

  /** Resolves with the SCN to read behind, when it is the checkpoint. @throws as `Transport.bootstrap`, and what the store throws */
  async begin(checkpointer: Checkpointer, signal: AbortSignal): Promise<number> {
    const due = this.#due;
    const store = this.#store;
    if (due === null || !isNamed(store)) throw new Error('there is no beginning to be made');
    const { name, truncate } = due;
    // As for the filter: none named are all.
    const { tables = [] } = this.#options;
    const request = { ...(tables.length === 0 ? {} : { tables }), truncate };
    const start = await this.#transport.bootstrap(name, request, signal);
    await this.#bind(start, name);
    await checkpointer.begin(start.after, () => store.begin(name, start.after));
    const former = this.#name;
    this.#name = name;
    this.#due = null;
    this.#log[truncate ? 'warn' : 'info'](
      { ...start, reader: name, truncate },
      'the rows that exist are being read for this reader',
    );
    if (former !== null) void this.#dismiss(former);
    return start.after;
  }

  /** Nobody will read on under its names. Does not fail. */
  async dismiss(): Promise<void> {
    const names = [this.#name, this.#due?.name ?? null].filter((name) => name !== null);
    await Promise.all(names.map((name) => this.#dismiss(name)));
  }

  /** @throws TidingsError when the store has the checkpoint of another stream */
  async #bind({ stream, createdMs }: ReaderStart, name: string): Promise<void> {
    if (!isBound(this.#store)) return;
    try {
      this.#store.bind({ stream, createdMs });
    } catch (error) {
      await this.#dismiss(name);
      throw error;
    }
  }

  async #dismiss(name: string): Promise<void> {
    try {
      await this.#transport.dismiss(name, AbortSignal.timeout(DISMISS_MS));
    } catch (error) {
      this.#log.info({ error, reader: name }, 'the relay did not hear that nobody reads under this name any more');
    }
  }
}
