import type { Row } from '../core/change.ts';
import type { ChangeStream, ConsumerBatch, StreamOptions } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import { isNamed } from './checkpoint-stores.ts';
import { checkStreamOptions } from './check-options.ts';
import type { ConsumerEngine, ConsumerInternals } from './consumer-engine.ts';
import { GroupConsumer } from './group-consumer.ts';
import { PlainConsumer } from './plain-consumer.ts';
import type { StreamBatch } from './stream-batch.ts';
import type { Transport } from './transport.ts';

/**
 * A stream over whatever reaches it. Nothing happens before the first batch is asked for. Closing it leaves the transport open.
 *
 * @throws TidingsError CONFIG_INVALID when an option cannot be, or options contradict each other
 */
export function createChangeStream<R = Row>(
  transport: Transport,
  options: StreamOptions,
  { onClose, ...timing }: ConsumerInternals = {},
): ChangeStream<R> {
  checkStreamOptions(options);
  const { group, checkpoints, onAssigned, onRevoked, member, bootstrap = 'never' } = options;
  if (group !== undefined && checkpoints !== undefined) {
    throw new TidingsError(
      'CONFIG_INVALID',
      "`checkpoints` and `group` do not go together: a group's checkpoints are kept by the relay",
    );
  }
  if (group === undefined && (onAssigned !== undefined || onRevoked !== undefined || member !== undefined)) {
    throw new TidingsError('CONFIG_INVALID', '`member`, `onAssigned` and `onRevoked` are for a reader with a `group`');
  }
  if (bootstrap !== 'never' && checkpoints !== undefined && !isNamed(checkpoints)) {
    throw new TidingsError('CONFIG_INVALID', '`bootstrap` needs `checkpoints` that keep the name of the reader, too', {
      hint: 'After a restart nobody else can have the rest of its rows. `fileCheckpoints` keeps it; a store of your own needs `loadName` and `begin`: docs/concepts/consuming.md.',
    });
  }
  const engine =
    group === undefined
      ? new PlainConsumer<R>(transport, options, timing)
      : new GroupConsumer<R>(transport, { ...options, group }, timing);
  return new OpenStream<R>(engine, options, onClose);
}

/** The iteration over an engine: who may ask, when it ends, and committing by itself. */
class OpenStream<R> implements ChangeStream<R>, AsyncIterator<ConsumerBatch<R>, undefined> {
  readonly #engine: ConsumerEngine<R>;
  readonly #options: StreamOptions;
  readonly #onClose: (() => void) | undefined;
  readonly #abort = (): void => void this.close();
  #started = false;
  #tail: Promise<unknown> = Promise.resolve();
  #batch: StreamBatch<R> | null = null;
  /** The commits that were made by themselves, and how they failed. */
  #committing: Promise<void> = Promise.resolve();
  #commitFailure: { readonly error: unknown } | null = null;
  #closing: Promise<void> | null = null;

  constructor(engine: ConsumerEngine<R>, options: StreamOptions, onClose: (() => void) | undefined) {
    this.#engine = engine;
    this.#options = options;
    this.#onClose = onClose;
  }

  [Symbol.asyncIterator](): AsyncIterator<ConsumerBatch<R>, undefined> {
    if (this.#started) {
      throw new TidingsError('SOURCE_ALREADY_READING', 'the stream is being read, or was read, already', {
        hint: 'A stream is read once: make a new one for every iteration.',
      });
    }
    this.#started = true;
    const { signal } = this.#options;
    if (signal?.aborted === true) void this.close();
    else signal?.addEventListener('abort', this.#abort, { once: true });
    return this;
  }

  /** Calls that come before the one before has been answered wait for it. */
  next(): Promise<IteratorResult<ConsumerBatch<R>, undefined>> {
    const turn = this.#tail.then(() => this.#next());
    this.#tail = turn.catch(() => {});
    return turn;
  }

  /** The end of a `for await` that was left: what was being worked on is not committed. */
  async return(): Promise<IteratorResult<ConsumerBatch<R>, undefined>> {
    this.#batch = null;
    this.#engine.finished();
    await this.close();
    await this.#tail;
    return DONE;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    await this.#engine.close();
    this.#onClose?.();
  }

  async #next(): Promise<IteratorResult<ConsumerBatch<R>, undefined>> {
    try {
      this.#commitLast();
      const batch = await this.#engine.next();
      if (batch !== null) {
        this.#throwCommitFailure();
        this.#batch = batch;
        return { done: false, value: batch };
      }
      // Being closed, no longer than that takes: a store may never answer.
      await Promise.race([this.#committing, ...(this.#closing === null ? [] : [this.#closing])]);
      this.#throwCommitFailure();
    } catch (error) {
      // What fails because it was told to end has ended.
      const toldToEnd = this.#closing !== null && this.#commitFailure === null;
      this.#engine.finished();
      await this.close();
      if (!toldToEnd) throw error;
    }
    await this.close();
    return DONE;
  }

  /** `commit: 'auto'`: what was handed over is dealt with when the next is asked for. The write runs beside the work on the next one. */
  #commitLast(): void {
    const batch = this.#batch;
    this.#batch = null;
    if (batch === null || this.#options.commit !== 'auto' || this.#closing !== null) return;
    this.#committing = this.#committed(batch, this.#committing);
  }

  /** Does not fail: the next batch asked for does. */
  async #committed(batch: StreamBatch<R>, before: Promise<void>): Promise<void> {
    try {
      await batch.commit();
    } catch (error) {
      this.#commitFailure ??= { error };
    }
    await before;
  }

  #throwCommitFailure(): void {
    if (this.#commitFailure !== null) throw this.#commitFailure.error;
  }
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };
