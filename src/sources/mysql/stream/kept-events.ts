import type { EventSource } from './event-source.ts';

/** Copies of events, kept until it is known whether they count: the changes of a prepared XA transaction. */
export class KeptEvents {
  readonly #events: Buffer[] = [];
  bytes = 0;

  keep(bytes: Buffer, start: number, end: number): void {
    this.#events.push(Buffer.from(bytes.subarray(start, end)));
    this.bytes += end - start;
  }

  source(): EventSource {
    return new KeptSource(this.#events);
  }
}

class KeptSource implements EventSource {
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  readonly start = 0;
  end = 0;
  readonly #events: readonly Buffer[];
  #index = 0;

  constructor(events: readonly Buffer[]) {
    this.#events = events;
  }

  next(): boolean {
    const event = this.#events[this.#index++];
    if (event === undefined) return false;
    this.bytes = event;
    this.view = new DataView(event.buffer, event.byteOffset, event.byteLength);
    this.end = event.length;
    return true;
  }

  fill(): Promise<boolean> {
    return Promise.resolve(false);
  }

  close(): void {
    // Nothing to let go of but memory.
  }
}
