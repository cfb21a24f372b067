import type { ServerResponse } from 'node:http';
import { TidingsError } from '../../core/errors.ts';
import { failpoint, failpointsArmed } from '../../core/failpoint.ts';

export interface ResponseWriterOptions {
  /** A client that takes none of a write for so long is disconnected. */
  readonly stuckAfterMs: number;
  readonly onStuck: () => void;
  readonly onBytes: (count: number) => void;
}

/** A write that is longer goes out in pieces, so that "takes nothing" means a bounded number of bytes. */
const PIECE_BYTES = 512 * 1024;

/**
 * Writes to one client at its pace. A write is over when the socket has taken all of it: whoever waits for that before it fills the
 * same buffer again bounds what a client that does not read can cost (I7, I8).
 */
export class ResponseWriter {
  readonly #raw: ServerResponse;
  readonly #options: ResponseWriterOptions;
  readonly #stuck: NodeJS.Timeout;
  #gone = false;
  #fail: ((error: TidingsError) => void) | null = null;
  readonly #onClose: () => void;

  constructor(raw: ServerResponse, options: ResponseWriterOptions) {
    this.#raw = raw;
    this.#options = options;
    this.#onClose = (): void => this.#close();
    raw.once('close', this.#onClose);
    // Errors of the socket come as 'close' as well; without a listener they would end the process.
    raw.on('error', this.#onClose);
    this.#stuck = setTimeout(() => this.#checkStuck(), options.stuckAfterMs);
    this.#stuck.unref();
    if (raw.destroyed) this.#gone = true;
  }

  /** The client has ended the connection, or was disconnected. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Resolves when the socket has taken the bytes. One at a time. @throws TidingsError CONNECTION_LOST */
  async write(bytes: Buffer): Promise<void> {
    // So that a test can end the process in the middle of a short response, too.
    const splitAt = failpointsArmed() && bytes.length > 1 ? bytes.length >> 1 : PIECE_BYTES;
    for (let start = 0; start < bytes.length;) {
      const end = Math.min(bytes.length, start + (start === 0 ? splitAt : PIECE_BYTES));
      // oxlint-disable-next-line no-await-in-loop -- at the client's pace
      await this.#write(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
      start = end;
      failpoint('response-half-sent');
    }
  }

  /** A sign of life, left out while the client has not taken the last one. Not to be called during a `write`. */
  writeSmall(text: string): void {
    if (this.#gone || this.#raw.writableLength > 0) return;
    this.#stuck.refresh();
    this.#raw.write(text);
  }

  /** Ends the response as a complete one. */
  end(): void {
    clearTimeout(this.#stuck);
    if (!this.#gone) this.#raw.end();
  }

  /** Ends the connection without the response's end, so that nobody takes it for complete. */
  cut(): void {
    clearTimeout(this.#stuck);
    this.#raw.destroy();
  }

  #write(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#gone) {
        reject(connectionLost());
        return;
      }
      this.#fail = reject;
      this.#stuck.refresh();
      this.#raw.write(bytes, (error) => {
        this.#fail = null;
        if (error === null || error === undefined) {
          this.#options.onBytes(bytes.length);
          resolve();
        } else {
          this.#close();
          reject(connectionLost());
        }
      });
    });
  }

  #checkStuck(): void {
    // A quiet stream has nothing to write: only one that waits for its client is stuck.
    if (this.#gone || (this.#fail === null && this.#raw.writableLength === 0)) return;
    this.#options.onStuck();
    this.#raw.destroy();
  }

  #close(): void {
    this.#gone = true;
    clearTimeout(this.#stuck);
    this.#fail?.(connectionLost());
    this.#fail = null;
  }
}

function connectionLost(): TidingsError {
  return new TidingsError('CONNECTION_LOST', 'the client has ended the connection');
}
