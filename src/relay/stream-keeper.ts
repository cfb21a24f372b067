import { Backoff } from '../base/backoff.ts';
import type { Transport } from '../client/transport.ts';
import { isTidingsError, TidingsError } from '../core/errors.ts';
import { isTransient } from '../core/retry.ts';
import { KeptTransport } from './kept-transport.ts';
import type { FileLog } from './log/file-log.ts';
import type { Opening, ServedStream, StreamStatus } from './relay-api.ts';
import { openRunningStream, openStreamLog, type RunningStream, type RunningStreamOptions } from './running-stream.ts';
import { failureOf } from './stream-failure.ts';

type State =
  | { readonly kind: 'opened'; readonly stream: RunningStream }
  | { readonly kind: 'failed'; readonly error: TidingsError; readonly sinceMs: number };

const AGAIN = { delayMinMs: 250, delayMaxMs: 30_000 };

/**
 * One stream of a relay, whatever its log is like. A log that cannot be opened stops this stream and no other: it stands still and says
 * why.
 *
 * States: opened; failed -> opened, when a person has mended the log and resumes the stream, or by itself where time may help (a full
 * disk); opened -> opened anew, when a person resumes a stream whose log could not be written. What else happens to a stream that is open,
 * failures of its source included, is `RunningStream`'s affair.
 */
export class StreamKeeper implements ServedStream {
  readonly name: string;
  readonly partitions: number;
  /** For consumers that outlive a log. */
  readonly transport: Transport = new KeptTransport(() => this.#running().transport);
  readonly #options: RunningStreamOptions;
  readonly #stop: AbortController = new AbortController();
  #state: State;
  /** The present attempt to open it once more, and the row of them that goes on by itself. Neither fails. */
  #attempt: Promise<void> | null = null;
  #attempts: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  /** @throws TidingsError what is wrong with more than this stream's log: the relay's state */
  static async open(options: RunningStreamOptions): Promise<StreamKeeper> {
    return new StreamKeeper(options, await firstState(options));
  }

  private constructor(options: RunningStreamOptions, state: State) {
    this.name = options.name;
    this.partitions = options.partitions;
    this.#options = options;
    this.#state = state;
    if (state.kind === 'failed') this.#hasFailed(state.error);
  }

  get opening(): Opening {
    return this.#state;
  }

  status(): StreamStatus {
    const state = this.#state;
    if (state.kind === 'opened') return state.stream.status();
    const { error, sinceMs } = state;
    const passes = isTransient(error);
    const reason = error.code === 'DISK_FULL' ? 'disk-full' : 'disk-error';
    return {
      state: passes ? 'stalled' : 'failed',
      error: failureOf(error, sinceMs),
      stall: passes ? { reason, sinceMs, message: error.message } : null,
      heardMs: null,
      connections: 0,
      changes: 0,
      transactions: 0,
      sourceBytes: 0,
    };
  }

  async pause(): Promise<void> {
    await this.#running().pause();
  }

  async resume(): Promise<void> {
    if (this.#state.kind === 'failed' || this.#state.stream.isBroken) await this.#openAgain();
    await this.#running().resume();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#attempt, this.#attempts]);
    if (this.#state.kind === 'opened') await this.#state.stream.close();
  }

  /** @throws TidingsError why the log cannot be opened */
  #running(): RunningStream {
    if (this.#state.kind === 'failed') throw this.#state.error;
    return this.#state.stream;
  }

  async #openAgain(): Promise<void> {
    if (this.#closing !== null) return;
    this.#attempt ??= this.#try().finally(() => {
      this.#attempt = null;
    });
    await this.#attempt;
  }

  async #try(): Promise<void> {
    const { log, clock } = this.#options;
    try {
      // Its readers and members hear that it is closed, and come again.
      if (this.#state.kind === 'opened') await this.#state.stream.close();
      const stream = await openRunningStream(this.#options, await openStreamLog(this.#options));
      this.#state = { kind: 'opened', stream };
      log.info({}, 'the log is open again');
    } catch (cause) {
      const error = asTidingsError(cause, this.name);
      const former = this.#state;
      const isSame = former.kind === 'failed' && former.error.code === error.code;
      this.#state = { kind: 'failed', error, sinceMs: isSame ? former.sinceMs : clock.nowMs() };
      this.#hasFailed(error);
    }
  }

  /** Says what is wrong, and sees to it that it is tried again where that may help. */
  #hasFailed(failure: TidingsError): void {
    if (isTransient(failure)) {
      this.#attempts ??= this.#keepTrying().finally(() => {
        this.#attempts = null;
      });
      return;
    }
    this.#options.log.error(
      { ...failure.details, error: failure, hint: failure.hint },
      'the log cannot be opened: the stream stands still until a person has mended that and resumes it; the other streams run',
    );
  }

  async #keepTrying(): Promise<void> {
    const { log, clock } = this.#options;
    const { signal } = this.#stop;
    const backoff = new Backoff(AGAIN);
    while (this.#state.kind === 'failed' && isTransient(this.#state.error)) {
      const { error } = this.#state;
      const delayMs = backoff.nextDelayMs();
      log.warn({ error, hint: error.hint, delayMs }, 'the log cannot be opened, and is tried again');
      // oxlint-disable-next-line no-await-in-loop -- the pause between two attempts
      await clock.sleep(delayMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      // oxlint-disable-next-line no-await-in-loop -- attempts follow one another
      await this.#openAgain();
    }
  }
}

async function firstState(options: RunningStreamOptions): Promise<State> {
  let log: FileLog;
  try {
    log = await openStreamLog(options);
  } catch (error) {
    return { kind: 'failed', error: asTidingsError(error, options.name), sinceMs: options.clock.nowMs() };
  }
  return { kind: 'opened', stream: await openRunningStream(options, log) };
}

function asTidingsError(error: unknown, stream: string): TidingsError {
  if (isTidingsError(error)) return error;
  return new TidingsError('INTERNAL_ERROR', `the log of ${stream} cannot be opened`, { cause: error });
}
