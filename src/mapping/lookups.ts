import type { Clock } from '../base/clock.ts';
import type { Value } from '../core/change.ts';

/** Something that hooks can ask for, from elsewhere: a customer by number. */
export interface LookupDefinition<V = unknown> {
  /** Asked once per key at a time; what it rejects with is not remembered. */
  readonly load: (key: LookupKey, signal: AbortSignal) => V | Promise<V>;
  /** So many answers are remembered; those that were not asked for the longest go first. @default 10000 */
  readonly max?: number;
  /** An answer is good for so long. ms. @default 60000 */
  readonly ttlMs?: number;
}

export type LookupKey = Value | readonly Value[];

interface Entry {
  readonly value: unknown;
  readonly untilMs: number;
}

const MAX = 10_000;
const TTL_MS = 60_000;

/** The answers of one lookup, the most recently asked for last. */
export class Lookup {
  readonly #definition: LookupDefinition;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #max: number;
  readonly #ttlMs: number;

  constructor(definition: LookupDefinition, clock: Clock) {
    this.#definition = definition;
    this.#clock = clock;
    this.#max = Math.max(1, definition.max ?? MAX);
    this.#ttlMs = definition.ttlMs ?? TTL_MS;
  }

  /** A promise only while the answer is on its way: what is remembered is there at once. */
  get(key: LookupKey, signal: AbortSignal): unknown {
    const id = idOf(key);
    const known = this.#entries.get(id);
    if (known !== undefined && known.untilMs > this.#clock.nowMs()) {
      this.#entries.delete(id);
      this.#entries.set(id, known);
      return known.value;
    }
    const loaded: unknown = this.#definition.load(key, signal);
    if (!isPromise(loaded)) {
      this.#remember(id, loaded);
      return loaded;
    }
    const pending = loaded.then(
      (value) => {
        if (this.#entries.get(id)?.value === pending) this.#remember(id, value);
        return value;
      },
      (error: unknown) => {
        if (this.#entries.get(id)?.value === pending) this.#entries.delete(id);
        throw error;
      },
    );
    this.#remember(id, pending);
    return pending;
  }

  #remember(id: string, value: unknown): void {
    this.#entries.delete(id);
    this.#entries.set(id, { value, untilMs: this.#clock.nowMs() + this.#ttlMs });
    if (this.#entries.size <= this.#max) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise;
}

/** The same for the same key: 1 and '1' are two. */
function idOf(key: LookupKey): string {
  return JSON.stringify(key, (_, part: unknown) => {
    if (typeof part === 'bigint') return { bigint: String(part) };
    return ArrayBuffer.isView(part)
      ? { bytes: Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('hex') }
      : part;
  });
}
