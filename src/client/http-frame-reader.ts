import { TidingsError } from '../core/errors.ts';
import { decodeControl, isControl } from '../formats/log/control-frame.ts';
import { FrameAssembler } from './frame-assembler.ts';
import { stalled } from './http-requests.ts';
import { networkError } from './relay-errors.ts';
import type { BodyReceiver, ResponseBody } from './response-body.ts';
import type { FrameChunk, FrameReader } from './transport.ts';

export interface HttpFrameReaderOptions {
  readonly body: ResponseBody;
  /** The relay, for messages. */
  readonly name: string;
  /** How long nothing may come until the relay says how often it gives a sign of life. */
  readonly idleTimeoutMs: number;
  /** Called with each stored batch's range. @throws TidingsError when it is damaged */
  readonly verify: ((chunk: FrameChunk) => void) | null;
}

/** The relay gives a sign of life every `progressMs`: after three missed ones the connection is taken for dead. */
const MISSED_SIGNS = 3;

/**
 * Whole frames from the body of an answer.
 *
 * Backpressure (I7): the socket is read while less than one buffer of frames waits to be taken, and not beyond. The consumer holds
 * one chunk, so three buffers are in use at most.
 */
export class HttpFrameReader implements FrameReader, BodyReceiver {
  readonly #body: ResponseBody;
  readonly #name: string;
  readonly #verify: ((chunk: FrameChunk) => void) | null;
  readonly #frames: FrameAssembler = new FrameAssembler();
  #idleTimeoutMs: number;
  #idle: NodeJS.Timeout | null = null;
  #waiter: PromiseWithResolvers<void> | null = null;
  /** How it ended; thrown once all whole frames that came before have been taken. */
  #failure: TidingsError | null = null;
  #over = false;
  #closed = false;
  #greeted = false;

  constructor({ body, name, idleTimeoutMs, verify }: HttpFrameReaderOptions) {
    this.#body = body;
    this.#name = name;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#verify = verify;
    body.start(this);
  }

  async next(): Promise<FrameChunk | null> {
    for (;;) {
      if (this.#closed) return null;
      const chunk = this.#frames.take();
      if (chunk !== null) {
        if (!this.#over && this.#frames.hasRoom) this.#body.resume();
        if (!this.#greeted) this.#greet(chunk);
        this.#verify?.(chunk);
        return chunk;
      }
      if (this.#failure !== null) throw this.#failure;
      if (this.#over) return null;
      this.#waiter = Promise.withResolvers();
      this.#watch();
      // oxlint-disable-next-line no-await-in-loop -- frames come one after the other
      await this.#waiter.promise;
    }
  }

  close(): void {
    this.#closed = true;
    this.#over = true;
    this.#stopWatching();
    this.#body.destroy();
    this.#wake();
  }

  data(bytes: Uint8Array): boolean {
    if (this.#over) return false;
    try {
      this.#frames.push(bytes);
    } catch (error) {
      this.#body.destroy();
      this.fail(error);
      return false;
    }
    this.#idle?.refresh();
    if (this.#frames.ready) this.#wake();
    return this.#frames.hasRoom;
  }

  end(whole: boolean): void {
    if (this.#over) return;
    if (!whole || this.#frames.insideFrame) {
      this.fail(new Error('the answer was cut off'));
      return;
    }
    this.#over = true;
    this.#wake();
  }

  fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = error instanceof TidingsError ? error : networkError(error, this.#name, 'reading');
    this.#wake();
  }

  #wake(): void {
    this.#stopWatching();
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.resolve();
  }

  /** Only while somebody waits: a consumer that takes its time is no reason to think the relay dead. */
  #watch(): void {
    this.#idle = setTimeout(() => {
      this.fail(stalled(this.#name, this.#idleTimeoutMs));
      this.#body.destroy();
    }, this.#idleTimeoutMs);
  }

  #stopWatching(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
  }

  #greet({ bytes, start }: FrameChunk): void {
    this.#greeted = true;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (!isControl(view, start)) return;
    const { progressMs } = (decodeControl(bytes, view, start) ?? {}) as { readonly progressMs?: unknown };
    if (typeof progressMs === 'number' && progressMs > 0) this.#idleTimeoutMs = progressMs * MISSED_SIGNS;
  }
}
