import { randomInt } from 'node:crypto';

/** Numbers that a seed determines (mulberry32). */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** `count` different whole numbers in [from, to], ascending. */
  sample(count: number, from: number, to: number): number[] {
    const chosen = new Set<number>();
    while (chosen.size < Math.min(count, to - from + 1)) chosen.add(from + this.below(to - from + 1));
    return [...chosen].toSorted((a, b) => a - b);
  }
}

/** The seed of this run, printed: `TIDINGS_SEED` repeats a run. */
export function seedOfRun(purpose: string): number {
  const given = process.env['TIDINGS_SEED'];
  const seed = given === undefined || given === '' ? randomInt(2 ** 31) : Number(given);
  process.stderr.write(`${purpose}: TIDINGS_SEED=${seed}\n`);
  return seed;
}
