import type { SeededRandom } from '../random.ts';

/** The choices that random tables and rows are made of, all from one seed. */
export class Dice {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.#random.below(n) === 0;
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + this.#random.below(to - from + 1);
  }

  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new Error('nothing to pick from');
    return choices[this.#random.below(choices.length)] as T;
  }

  list<T>(count: number, make: (index: number) => T): T[] {
    return Array.from({ length: count }, (_, index) => make(index));
  }

  shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    return items.map(() => left.splice(this.#random.below(left.length), 1)[0] as T);
  }

  bytes(length: number): Buffer {
    return Buffer.from(this.list(length, () => this.#random.below(256)));
  }

  digits(count: number): string {
    return this.list(count, () => String(this.#random.below(10))).join('');
  }

  /** In [0, 2^64). */
  u64(): bigint {
    return this.bytes(8).readBigUInt64LE();
  }
}
