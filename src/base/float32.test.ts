import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shortestFloat32 } from '../../test/support/values/shortest-float32.ts';
import { float32 } from './float32.ts';

describe('FLOAT', () => {
  test.each([0.1, 1.5, -2.25, 3.402_823_5e38, 1e-45, 3e-45, 1.175_494_4e-38, 16_777_216, 123_456.79])(
    '%d keeps its decimal',
    (value) => {
      expect(float32(Math.fround(value))).toBe(value);
    },
  );

  test('of every power of two there is no shorter decimal', () => {
    for (let exponent = -149; exponent <= 127; exponent++) {
      const value = 2 ** exponent;
      expect(float32(value)).toBe(shortestFloat32(value));
      expect(float32(-value)).toBe(shortestFloat32(-value));
    }
  });

  test('of any float32 there is no shorter decimal', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(float32(value)).toBe(shortestFloat32(value));
      }),
      { numRuns: 5000 },
    );
  });

  test('-0 keeps its sign', () => {
    expect(float32(-0)).toBe(-0);
  });
});
