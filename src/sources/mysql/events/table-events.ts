import { TidingsError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/logger.ts';
import type { Position } from '../../../core/position.ts';
import type { Source } from '../../../core/source.ts';
import { ConcurrentDelivery } from './concurrent-delivery.ts';
import type { Delivery, DeliveryControl } from './delivery.ts';
import type { AnyListener, ListenerOf } from './event-types.ts';
import { HandlerCalls, type OnError } from './handler-calls.ts';
import { SequentialDelivery } from './sequential-delivery.ts';
import { Subscriptions } from './subscriptions.ts';

/** What a source is asked for: at the start, and again when tables are added. */
export interface SourceRequest {
  /** Table patterns, as the source takes them. */
  readonly tables: readonly string[];
  /** Where to go on; null at the first time, when the user's own start applies. */
  readonly from: Position | null;
}

export interface TableEventsOptions {
  readonly openSource: (request: SourceRequest) => Source;
  readonly tables: readonly string[];
  /** @default 1 */
  readonly concurrency?: number | undefined;
  /** @default 'stop' */
  readonly onError?: OnError | undefined;
  readonly log?: Logger | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Start by itself, behind the code that adds the first listeners, when nobody has called `start` or `run` by then. @default false */
  readonly autoStart?: boolean | undefined;
}

type State = 'new' | 'running' | 'stopping' | 'ended';

/**
 * Named events of tables, published from a source.
 *
 *     new ── start, run ──> running ── stop, close, abort, `until`, an error ──> stopping ──> ended
 *
 * Running is one loop over the source's batches; the delivery it hands them to calls the handlers, and the loop asks for the next
 * batch only when the delivery takes more. The position follows the delivery, never the source (I2).
 */
export class TableEvents implements AsyncDisposable {
  readonly #options: TableEventsOptions;
  readonly #subscriptions = new Subscriptions();
  readonly #delivery: Delivery;
  readonly #control: { stopping: boolean; pausing: boolean } = {
    stopping: false,
    pausing: false,
  } satisfies DeliveryControl;
  readonly #finished: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #onAbort = (): void => this.stop();
  #state: State = 'new';
  #source: Source | null = null;
  /** True while the loop waits for the source, so that closing the source cuts no delivery short. */
  #waiting = false;
  /** True when the source at hand was closed while the loop waited for it. */
  #interrupted = false;
  /** True while part of a transaction was handed over and the rest is still to come. */
  #insideTransaction = false;
  #tables: readonly string[];
  /** Null before `start`; settled when the start is fixed. */
  #started: PromiseWithResolvers<void> | null = null;
  /** True while the promise of `start` would tell of an error. */
  #starting = true;
  /** Started by itself; the first `start` or `run` that comes after all joins in. */
  #startedByItself = false;
  #startIsPlanned = false;
  /** True until the start is fixed. */
  #startPending = true;

  constructor(options: TableEventsOptions) {
    this.#options = options;
    this.#tables = options.tables;
    const report = (warning: TidingsError): boolean => this.#warn(warning);
    const concurrency = options.concurrency ?? 1;
    if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
      throw new TidingsError('CONFIG_INVALID', `concurrency is a whole number from 1, not ${concurrency}`);
    }
    const delivery = {
      subscriptions: this.#subscriptions,
      calls: new HandlerCalls({ onError: options.onError ?? 'stop', report }),
      control: this.#control,
      report,
    };
    this.#delivery =
      concurrency === 1
        ? new SequentialDelivery(delivery)
        : new ConcurrentDelivery({ ...delivery, concurrency, onFailure: () => this.#interrupt() });
  }

  /** Everything before it has been handled. Give it as `from` to go on from here. Null until something has been. */
  get position(): Position | null {
    return this.#delivery.position;
  }

  /**
   * Calls the listener for every event of this name; also while running, then from the next rows on. Returns a function that takes
   * it off again. Throws EVENT_NAME_INVALID for a name that is never published.
   */
  on<const Name extends string>(name: Name, listener: ListenerOf<Name>): () => void {
    const subscription = this.#subscriptions.add(name, listener as AnyListener);
    if (this.#options.autoStart === true) this.#planStart();
    return () => this.#subscriptions.remove(subscription);
  }

  /** Takes a listener off; the oldest, if it was added several times under this name. */
  off<const Name extends string>(name: Name, listener: ListenerOf<Name>): void {
    const subscription = this.#subscriptions.find(name, listener as AnyListener);
    if (subscription !== undefined) this.#subscriptions.remove(subscription);
  }

  /**
   * Starts reading. Resolves when the start is fixed: what is committed afterwards will be published. Rejects when that fails, and
   * with EVENTS_STARTED_TWICE. A later failure ends the stream: `error` listeners and `finished()` learn of it.
   */
  async start(): Promise<void> {
    if (this.#started !== null && this.#startedByItself) {
      this.#startedByItself = false;
      await this.#started.promise;
      return;
    }
    if (this.#started !== null) {
      throw new TidingsError('EVENTS_STARTED_TWICE', 'these events have been started already');
    }
    this.#started = Promise.withResolvers();
    if (this.#state === 'new') {
      this.#state = 'running';
      const { signal } = this.#options;
      signal?.addEventListener('abort', this.#onAbort, { once: true });
      if (signal?.aborted === true) this.stop();
      void this.#run();
    } else {
      // Closed before it was started: there is nothing to read, and nothing wrong either.
      this.#begun();
    }
    await this.#started.promise;
  }

  /** Resolves when the stream has ended (by `until`, `stop`, `close` or the signal); rejects with the error that ended it. */
  async finished(): Promise<void> {
    await this.#finished.promise;
  }

  /** Starts, and resolves or rejects when the stream ends. */
  async run(): Promise<void> {
    // Both at once, so that the end cannot come while only the start is waited for.
    await Promise.all([this.start(), this.#finished.promise]);
  }

  /**
   * Asks the stream to end: no handler is called any more, those at work finish. Unlike `close` it waits for nothing, so it may be
   * called from a handler.
   */
  stop(): void {
    if (this.#state === 'new') this.#end(null);
    if (this.#state !== 'running') return;
    this.#state = 'stopping';
    this.#control.stopping = true;
    this.#interrupt();
  }

  /** Ends the stream and waits until handlers have finished and the connection is closed. Not to be awaited in a handler. */
  async close(): Promise<void> {
    this.stop();
    // An error is told to those who asked for it; whoever closes wants it to be over.
    await this.#finished.promise.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Watches these tables too; everything of them that is committed from now on is published. While running, the source is opened
   * again at the next end of a transaction, so nothing of the tables watched before is missed or published twice.
   */
  addTables(tables: readonly string[]): void {
    this.#tables = [...new Set([...this.#tables, ...tables])];
    if (this.#state !== 'running') return;
    this.#control.pausing = true;
    if (!this.#insideTransaction) this.#interrupt();
  }

  /** Once per object: all listeners that are added in the same turn are there before the first event. */
  #planStart(): void {
    if (this.#startIsPlanned) return;
    this.#startIsPlanned = true;
    setImmediate(() => {
      if (this.#state !== 'new' || this.#started !== null) return;
      const started = this.start();
      this.#startedByItself = true;
      // Nobody holds this promise: `#end` tells of a failure, as of one that comes later.
      this.#starting = false;
      started.catch(() => {});
    });
  }

  async #run(): Promise<void> {
    let failure: { readonly error: unknown } | null = null;
    try {
      let from: Position | null = null;
      while (!this.#control.stopping) {
        // oxlint-disable-next-line no-await-in-loop -- one source after the other
        await this.#readOnce(from);
        // oxlint-disable-next-line no-await-in-loop
        await this.#delivery.settle();
        if (!this.#control.pausing) break;
        from = this.#delivery.position ?? this.#source?.position ?? null;
        this.#control.pausing = false;
      }
    } catch (error) {
      failure = { error };
    }
    await this.#delivery.settle().catch((error: unknown) => {
      failure ??= { error };
    });
    this.#end(failure);
  }

  /** Reads one source until it ends, is closed or the delivery wants another one. */
  async #readOnce(from: Position | null): Promise<void> {
    const source = this.#options.openSource({ tables: this.#tables, from });
    this.#source = source;
    this.#interrupted = false;
    const batches = source.batches();
    try {
      for (;;) {
        this.#waiting = true;
        const next = batches.next();
        if (this.#startPending) this.#announceStart(source);
        // oxlint-disable-next-line no-await-in-loop -- the source reads on only when asked
        const result = await next;
        this.#waiting = false;
        // A batch that comes in spite of the interruption is left alone: it was not handled, so it comes again if it is wanted.
        if (result.done === true || this.#interrupted) return;
        this.#begun();
        const last = result.value.parts.at(-1);
        if (last !== undefined) this.#insideTransaction = last.end === null;
        // oxlint-disable-next-line no-await-in-loop
        const outcome = await this.#delivery.deliver(result.value);
        if (outcome === 'paused' || this.#control.stopping) return;
        // Asked between two batches, or in the middle of a batch that ended nothing.
        if (this.#control.pausing && !this.#insideTransaction) return;
      }
    } finally {
      this.#waiting = false;
      this.#insideTransaction = false;
      await batches.return?.();
      await source.close();
    }
  }

  #announceStart(source: Source): void {
    if (source.ready === undefined) {
      if (source.position !== null) this.#begun();
      return;
    }
    source.ready().then(
      () => this.#begun(),
      // The iteration fails with the same error, and says so.
      () => {},
    );
  }

  #begun(): void {
    this.#starting = false;
    this.#startPending = false;
    this.#started?.resolve();
  }

  /** Wakes the loop if it waits for the source. If it delivers, it comes to look by itself. */
  #interrupt(): void {
    if (!this.#waiting) return;
    this.#interrupted = true;
    // The loop closes the source again, and hears of what goes wrong then.
    this.#source?.close().catch(() => {});
  }

  #end(failure: { readonly error: unknown } | null): void {
    this.#state = 'ended';
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    if (failure === null) {
      this.#begun();
      this.#finished.resolve();
      return;
    }
    const { error } = failure;
    const { log } = this.#options;
    const listeners = this.#subscriptions.global('error');
    log?.error({ error, position: String(this.position) }, 'the event stream stopped');
    for (const { listener } of listeners) this.#tell(listener, error);
    // Where nobody else learns of the error the promise is left alone, and so it becomes an unhandled rejection: a stream that
    // stands still without a word is the one thing worse.
    if (listeners.length > 0 || log !== undefined || this.#starting) this.#finished.promise.catch(() => {});
    this.#started?.reject(error);
    this.#finished.reject(error);
  }

  /** False when nobody heard it. */
  #warn(warning: TidingsError): boolean {
    const { log } = this.#options;
    const listeners = this.#subscriptions.global('warning');
    log?.warn({ error: warning, ...warning.details }, warning.message);
    for (const { listener } of listeners) this.#tell(listener, warning);
    return listeners.length > 0 || log !== undefined;
  }

  /** Calls a listener whose failure can stop nothing any more: it goes to the log, or is an unhandled rejection. */
  #tell(listener: AnyListener, error: unknown): void {
    const { log } = this.#options;
    const told = (async () => (listener as (error: unknown) => unknown)(error))();
    if (log !== undefined) told.catch((fault: unknown) => log.error({ error: fault }, 'a listener for errors failed'));
  }
}
