import { Backoff, type BackoffLimits } from '../base/backoff.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { isTidingsError, TidingsError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { isTransient } from '../core/retry.ts';
import { batchLength } from '../formats/log/batch-header.ts';
import { type ControlFrame, controlLength, decodeControl, isControl } from '../formats/log/control-frame.ts';
import { failureError } from './relay-errors.ts';
import { STRANGE_ANSWERS_MAX } from './strangers.ts';
import type { FrameChunk, FrameReader } from './transport.ts';

export interface ReadingOptions {
  /** Opens a reading behind the last change that was handed over. */
  readonly open: (signal: AbortSignal) => Promise<FrameReader>;
  /** Whether `open` is called again for a failure that waiting cannot cure. @default for none */
  readonly cures?: (error: unknown) => boolean;
  /** False: the relay ends the answer when everything was read. */
  readonly follow: boolean;
  readonly log?: Logger | undefined;
  readonly backoff?: BackoffLimits | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: (() => number) | undefined;
}

export const RECONNECT: BackoffLimits = { delayMinMs: 100, delayMaxMs: 10_000 };

const DAMAGE: ReadonlySet<string> = new Set(['PROTOCOL_VIOLATION', 'LOG_DAMAGED']);

/**
 * The frames of a stream, one after the other, over as many connections as it takes. What may pass is waited for here; what cannot is
 * thrown. The frames of one chunk are walked without a promise.
 */
export class Reading {
  /** The chunk at hand: frames that were not looked at yet lie between `at` and `end`. */
  bytes: Buffer = EMPTY;
  view: DataView = EMPTY_VIEW;
  at = 0;
  end = 0;
  readonly #options: ReadingOptions;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  #reader: FrameReader | null = null;
  #abort: AbortController = new AbortController();
  #chunk: FrameChunk | null = null;
  #filling: Promise<boolean> | null = null;
  #damages = 0;
  #closed = false;

  constructor(options: ReadingOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff(options.backoff ?? RECONNECT, options.random);
  }

  get hasFrame(): boolean {
    return this.at < this.end;
  }

  get isControl(): boolean {
    return isControl(this.view, this.at);
  }

  /** The control frame at hand, left behind; null for a kind that is to be passed over. @throws TidingsError what an error frame says */
  takeControl(): ControlFrame | null {
    const frame = decodeControl(this.bytes, this.view, this.at);
    this.at += controlLength(this.view, this.at);
    return frame;
  }

  /** Leaves the batch at hand behind. */
  skipBatch(): void {
    this.at += batchLength(this.view, this.at);
  }

  /** The connection is of use: the next failure begins with a short pause. */
  progressed(): void {
    if (this.#backoff.failures > 0) {
      this.#log.info({ failures: this.#backoff.failures }, 'reading again');
      this.#backoff.reset();
    }
    this.#damages = 0;
  }

  /**
   * Gives the chunk at hand back and gets the next one. Resolves with false at the end of a reading that does not follow, and when this
   * is closed. Called while it runs, it gives the same promise.
   *
   * @throws TidingsError what waiting cannot cure
   */
  fill(): Promise<boolean> {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null;
    });
    return this.#filling;
  }

  /** Something read could not be used: as `fill` failing with it. @throws TidingsError what waiting cannot cure */
  async failed(error: unknown): Promise<void> {
    this.#drop();
    await this.#pause(error);
  }

  /** Drops what was read, and reads on a new connection. */
  restart(): void {
    this.#drop();
  }

  /** The chunk at hand stays, as somebody may be looking into it: `release` gives it back. */
  close(): void {
    this.#closed = true;
    this.#disconnect();
  }

  /** Gives the chunk at hand back. Its frames are no longer there. */
  release(): void {
    const chunk = this.#chunk;
    this.#chunk = null;
    this.bytes = EMPTY;
    this.view = EMPTY_VIEW;
    this.at = 0;
    this.end = 0;
    chunk?.release();
  }

  #drop(): void {
    this.#disconnect();
    this.release();
  }

  #disconnect(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#reader?.close();
    this.#reader = null;
  }

  async #fill(): Promise<boolean> {
    this.release();
    while (!this.#closed) {
      const { signal } = this.#abort;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one connection after the other
        const result = await this.#attempt(signal);
        if (result === 'chunk') return true;
        if (result === 'end') return false;
      } catch (error) {
        // What fails because it was told to stop is of no interest.
        if (!signal.aborted) {
          this.#drop();
          // oxlint-disable-next-line no-await-in-loop -- the pause between two attempts
          await this.#pause(error);
        }
      }
    }
    return false;
  }

  async #attempt(signal: AbortSignal): Promise<'chunk' | 'end' | 'stopped'> {
    if (this.#reader === null) {
      const opened = await this.#options.open(signal);
      if (signal.aborted) {
        opened.close();
        return 'stopped';
      }
      this.#reader = opened;
    }
    const chunk = await this.#reader.next();
    if (signal.aborted) {
      chunk?.release();
      return 'stopped';
    }
    if (chunk === null) {
      if (!this.#options.follow) return 'end';
      throw new TidingsError('CONNECTION_LOST', 'the relay ended the reading', {
        hint: 'None is needed: Tidings connects again and goes on behind the last change.',
      });
    }
    this.#chunk = chunk;
    if (this.bytes !== chunk.bytes) {
      this.bytes = chunk.bytes;
      this.view = new DataView(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.length);
    }
    this.at = chunk.start;
    this.end = chunk.end;
    return 'chunk';
  }

  async #pause(error: unknown): Promise<void> {
    if (this.#closed) return;
    if (isTidingsError(error) && DAMAGE.has(error.code)) {
      this.#damages++;
      if (this.#damages >= STRANGE_ANSWERS_MAX) throw error;
    } else if (!isTransient(error) && this.#options.cures?.(error) !== true) throw error;
    const delayMs = this.#backoff.nextDelayMs();
    this.#log[this.#backoff.atCeiling ? 'warn' : 'info'](
      { error, failures: this.#backoff.failures, delayMs },
      'reading failed, trying again',
    );
    const { signal } = this.#abort;
    try {
      await this.#clock.sleep(delayMs, signal);
    } catch (cause) {
      // Woken by `restart` or `close`; anything else is the clock's own failure.
      if (!signal.aborted) throw cause;
    }
  }
}

/** What an error frame says. */
export function frameError(frame: ControlFrame & { readonly kind: 'error' }): TidingsError {
  return failureError(frame);
}

const EMPTY: Buffer = Buffer.alloc(0);
const EMPTY_VIEW: DataView = new DataView(EMPTY.buffer, 0, 0);
