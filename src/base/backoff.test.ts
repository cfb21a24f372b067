import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Backoff } from './backoff.ts';

const LIMITS = { delayMinMs: 100, delayMaxMs: 30_000 };

test('pauses are drawn from zero to a ceiling that doubles with every failure and stops at the maximum', () => {
  const longest = new Backoff(LIMITS, () => 1);
  expect(Array.from({ length: 11 }, () => longest.nextDelayMs())).toEqual([
    100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000,
  ]);
  expect(new Backoff(LIMITS, () => 0).nextDelayMs()).toBe(0);
});

test('after progress the next failure starts with a short pause', () => {
  const backoff = new Backoff(LIMITS, () => 1);
  for (let i = 0; i < 20; i++) backoff.nextDelayMs();
  expect(backoff.atCeiling).toBe(true);
  backoff.reset();
  expect(backoff.atCeiling).toBe(false);
  expect(backoff.failures).toBe(0);
  expect(backoff.nextDelayMs()).toBe(100);
});

test('no pause is negative, longer than the maximum or not a number, however many failures there were', () => {
  fc.assert(
    fc.property(
      fc.record({ delayMinMs: fc.nat(1000), delayMaxMs: fc.integer({ min: 1000, max: 100_000 }) }),
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 2000 }),
      (limits, randoms) => {
        let i = 0;
        const backoff = new Backoff(limits, () => randoms[i++ % randoms.length] ?? 0);
        for (let failure = 0; failure < 2000; failure++) {
          const delayMs = backoff.nextDelayMs();
          if (!(delayMs >= 0 && delayMs <= limits.delayMaxMs)) throw new Error(`pause of ${delayMs} ms`);
        }
      },
    ),
    { numRuns: 20 },
  );
});
