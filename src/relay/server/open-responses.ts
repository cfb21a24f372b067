import type { ServerResponse } from 'node:http';

export interface OpenResponse {
  /** Aborted when the client goes away or the server is being stopped. */
  readonly signal: AbortSignal;
  /** The response has ended. */
  done(): void;
}

/** The responses with changes that are being sent: a server that stops lets them end where a frame does. */
export class OpenResponses {
  readonly #open: Set<AbortController> = new Set();
  #closing = false;
  #onEmpty: (() => void) | null = null;

  get isClosing(): boolean {
    return this.#closing;
  }

  begin(raw: ServerResponse): OpenResponse {
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    raw.once('close', abort);
    // A client that left while its request was being looked at.
    if (this.#closing || raw.destroyed) controller.abort();
    this.#open.add(controller);
    return {
      signal: controller.signal,
      done: () => {
        raw.off('close', abort);
        this.#open.delete(controller);
        if (this.#open.size === 0) this.#onEmpty?.();
      },
    };
  }

  /** Ends all. Resolves when they have ended. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const controller of this.#open) controller.abort();
    if (this.#open.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }
}
