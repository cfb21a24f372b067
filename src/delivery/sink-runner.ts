import { Backoff } from '../base/backoff.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import type { StreamChange } from '../core/consumer.ts';
import { isTidingsError, TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { isTransient } from '../core/retry.ts';
import type {
  DeadLetter,
  RedriveOutcome,
  SinkControl,
  SinkFailure,
  SinkState,
  SinkStatus,
} from '../core/sink-service.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import type { DeliveryStream, SinkDefinition } from './delivery-types.ts';
import type { Written } from './lane.ts';
import { ParkedKeys } from './parked-keys.ts';
import { Redrive } from './redrive.ts';
import { SinkSession } from './sink-session.ts';

export interface SinkRunnerOptions {
  readonly definition: SinkDefinition;
  readonly stream: DeliveryStream;
  readonly store: DeadLetterStore;
  readonly log: Logger;
  readonly clock?: Clock;
}

/**
 * Keeps one sink running: begins again after a failure that may pass, and waits for a person after any other one.
 *
 * States: `starting` -> `running` <-> `waiting` (the store fails, or the session has failed and is begun again); from all of them `failed` (for a
 * person: `resume` begins again), `paused` (by hand, also over a restart of the process) and, at the end, `stopped`.
 */
export class SinkRunner implements SinkControl {
  readonly #options: SinkRunnerOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #parked: ParkedKeys;
  #state: SinkState;
  #error: SinkFailure | null = null;
  #session: SinkSession | null = null;
  #running: { readonly stop: AbortController; readonly ended: Promise<void> } | null = null;
  #rows = 0;
  #batches = 0;
  #writtenUs: number | null = null;

  constructor(options: SinkRunnerOptions) {
    const { definition, store, log, clock = systemClock } = options;
    const { name, onRowError, parkedMax } = definition;
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#parked = new ParkedKeys({ sink: name, store, clock, log, onRowError, parkedMax });
    this.#state = store.isPaused(name) ? 'paused' : 'starting';
  }

  get name(): string {
    return this.#options.definition.name;
  }

  /** Begins, unless it is paused. */
  start(): void {
    if (this.#running !== null || this.#state === 'paused' || this.#state === 'stopped') return;
    const stop = new AbortController();
    this.#running = { stop, ended: this.#run(stop.signal) };
  }

  status(): SinkStatus {
    const { name, type, stream, order } = this.#options.definition;
    const oldestUs = this.#session?.oldestUs ?? null;
    return {
      name,
      type,
      stream,
      order,
      promise: this.#session?.sink?.promise ?? null,
      state: this.#state,
      error: this.#error,
      rows: this.#rows,
      batches: this.#batches,
      pending: this.#session?.pending ?? 0,
      lagMs: oldestUs === null ? 0 : Math.max(0, this.#clock.nowMs() - Math.floor(oldestUs / 1000)),
      writtenUs: this.#writtenUs,
      parked: this.#parked.count,
      parkedKeys: this.#parked.keys,
    };
  }

  /** Writes what is on its way, and nothing more until `resume`, also over a restart of the process. */
  async pause(): Promise<void> {
    this.#options.store.setPaused(this.name, true);
    await this.#end('paused');
  }

  /** Goes on where it was: paused, or failed. */
  async resume(): Promise<void> {
    this.#options.store.setPaused(this.name, false);
    if (this.#state !== 'paused' && this.#state !== 'failed') return;
    await this.#running?.ended;
    this.#running = null;
    this.#state = 'starting';
    this.#error = null;
    this.start();
  }

  async close(): Promise<void> {
    await this.#end('stopped');
  }

  deadLetters(options: { readonly after?: number; readonly limit?: number } = {}): readonly DeadLetter[] {
    return this.#options.store.list(this.name, options);
  }

  /** @throws TidingsError DEAD_LETTER_UNKNOWN */
  deadLetter(id: number): DeadLetter {
    const letter = this.#options.store.get(this.name, id);
    if (letter !== null) return letter;
    throw new TidingsError('DEAD_LETTER_UNKNOWN', `sink ${this.name} has no dead letter ${id}`, {
      details: { sink: this.name, deadLetter: id },
    });
  }

  /** What is redriven in its place. Its key is still the one that it was set aside under. @throws TidingsError DEAD_LETTER_UNKNOWN */
  edit(id: number, change: StreamChange): DeadLetter {
    this.deadLetter(id);
    this.#options.store.edit(id, change);
    return this.deadLetter(id);
  }

  /** Forgets a change; its key flows again when it was the last of it. @throws TidingsError DEAD_LETTER_UNKNOWN */
  drop(id: number): void {
    const { chain } = this.deadLetter(id);
    this.#options.store.remove([id]);
    this.#parked.left(chain, 1);
    this.#log.info({ deadLetter: id }, 'a dead letter was dropped');
  }

  /**
   * Writes what is set aside: the chain of this dead letter, or all of them; each in order, up to the first change that is refused again. Behind it the key flows.
   *
   * @throws TidingsError DEAD_LETTER_UNKNOWN, SINK_NOT_RUNNING, and what the store fails with
   */
  async redrive(id: number | null): Promise<RedriveOutcome> {
    const chains = id === null ? [...this.#options.store.chains(this.name).keys()] : [this.deadLetter(id).chain];
    const running = this.#session;
    const isServing = this.#state === 'running' || this.#state === 'waiting';
    if (running !== null && isServing) return this.#redriveBy(running, chains);
    if (this.#state !== 'failed' && this.#state !== 'paused') {
      throw new TidingsError('SINK_NOT_RUNNING', `sink ${this.name} is ${this.#state}`, {
        details: { sink: this.name, state: this.#state },
      });
    }
    // What it has failed with may be that there are too many of them.
    await this.#running?.ended;
    const session = this.#makeSession(new AbortController().signal, () => {});
    return session.aside(() => this.#redriveBy(session, chains));
  }

  #redriveBy(session: SinkSession, chains: readonly string[]): Promise<RedriveOutcome> {
    const { store, definition } = this.#options;
    const options = {
      sink: this.name,
      session,
      order: definition.order,
      store,
      parked: this.#parked,
      clock: this.#clock,
    };
    return new Redrive(options).run(chains);
  }

  async #end(state: 'paused' | 'stopped'): Promise<void> {
    this.#running?.stop.abort(new Error(`the sink is ${state}`));
    await this.#running?.ended;
    this.#running = null;
    if (this.#state !== 'stopped') this.#state = state;
    this.#error = null;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(this.#options.definition.backoff);
    while (!signal.aborted) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one session after the other
        await this.#serve(signal, () => backoff.reset());
        return;
      } catch (error) {
        if (signal.aborted) {
          if (error === signal.reason) return;
          this.#log.warn({ error }, 'the sink did not end in good order; what was not committed comes again');
          return;
        }
        this.#error = this.#failureOf(error);
        if (!isTransient(error)) {
          this.#state = 'failed';
          this.#log.error({ error }, 'the sink has failed, and waits for a person');
          return;
        }
        this.#state = 'waiting';
        const delayMs = backoff.nextDelayMs();
        this.#log[backoff.atCeiling ? 'warn' : 'info']({ error, delayMs }, 'the sink has failed, and begins again');
        // oxlint-disable-next-line no-await-in-loop -- the pause between two sessions
        await this.#clock.sleep(delayMs, signal).catch(() => {});
      }
    }
  }

  async #serve(signal: AbortSignal, works: () => void): Promise<void> {
    const session = this.#makeSession(signal, works);
    this.#session = session;
    try {
      await session.run();
    } finally {
      this.#session = null;
    }
  }

  #makeSession(signal: AbortSignal, works: () => void): SinkSession {
    const { definition, stream, store } = this.#options;
    return new SinkSession({
      definition,
      stream,
      store,
      parked: this.#parked,
      clock: this.#clock,
      log: this.#log,
      signal,
      onRunning: () => {
        this.#state = 'running';
        this.#error = null;
      },
      onWaiting: (error) => {
        // The session is over already, or was never there.
        if (this.#state !== 'running' && this.#state !== 'waiting') return;
        this.#state = error === null ? 'running' : 'waiting';
        this.#error = error === null ? null : this.#failureOf(error);
      },
      onWritten: (what) => {
        works();
        this.#wrote(what);
      },
    });
  }

  #wrote({ rows, last }: Written): void {
    this.#batches++;
    this.#rows += rows;
    if (last !== null) this.#writtenUs = Math.max(last.committedAtUs, this.#writtenUs ?? 0);
  }

  #failureOf(error: unknown): SinkFailure {
    const sinceMs = this.#clock.nowMs();
    if (isTidingsError(error)) {
      const { code, message, hint, retry } = error;
      return { code, message, hint, retry, sinceMs };
    }
    const message = error instanceof Error ? error.message : String(error);
    const hint = 'Look at the log, and report it.';
    return { code: 'INTERNAL_ERROR', message, hint, retry: 'operator', sinceMs };
  }
}
