import { expect, test } from 'vitest';
import type { Value } from './change.ts';
import { isSameValue } from './same-value.ts';

const DIFFERENT: readonly (Value | undefined)[] = [
  undefined,
  null,
  0,
  -0,
  1,
  0.5,
  9007199254740993n,
  '',
  '1',
  new Uint8Array([1]),
  new Uint8Array([1, 2]),
  new Float32Array([0]),
  new Float32Array([-0]),
  [1],
  { a: 1 },
  { a: '1' },
];

test('a value is the same as its copy, and as no other', () => {
  for (const [i, a] of DIFFERENT.entries()) {
    for (const [j, b] of DIFFERENT.entries()) {
      expect(isSameValue(a, structuredClone(b)), `${i} and ${j}`).toBe(i === j);
    }
  }
});

test('an integer is the same as a number and as a bigint', () => {
  expect(isSameValue(7, 7n)).toBe(true);
  expect(isSameValue(7n, 7)).toBe(true);
  expect(isSameValue(7n, 8)).toBe(false);
  expect(isSameValue(7n, 7.5)).toBe(false);
  expect(isSameValue(7n, '7')).toBe(false);
});
