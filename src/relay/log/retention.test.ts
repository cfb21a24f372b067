import { expect, test } from 'vitest';
import { segmentsToDrop } from './retention.ts';
import { Segment } from './segment.ts';

const NOW_MS = 1_000_000;

/** Five segments of 100 bytes and 10 changes, the last commits 50, 40, 30, 20 and 10 seconds ago. */
function fiveSegments(): Segment[] {
  return Array.from({ length: 5 }, (_, i) => {
    const segment = new Segment({ directory: '/log', firstScn: 1000 + i * 10, base: i * 100 });
    const committedUs = (NOW_MS - (50 - i * 10) * 1000) * 1000;
    segment.add({
      bytes: 100,
      firstScn: segment.firstScn,
      count: 10,
      open: false,
      firstCommitUs: committedUs,
      maxCommitUs: committedUs,
      defines: [],
    });
    return segment;
  });
}

const everything = { maxAgeMs: Infinity, maxBytes: Infinity, groupBytes: Infinity, lowestCheckpoint: null };
const state = { nowMs: NOW_MS, visibleEnd: 500 };

test.each([
  ['nothing without a limit', {}, 0],
  ['those that are too old', { maxAgeMs: 25_000 }, 3],
  ['those that are too many', { maxBytes: 350 }, 2],
  ['all but the last one', { maxBytes: 0 }, 4],
  ['none that a group needs', { maxBytes: 0, lowestCheckpoint: 1015 }, 1],
  ['those that a group has read', { maxBytes: 0, lowestCheckpoint: 1019 }, 2],
  ['the oldest that a group needs, above its limit', { maxBytes: 0, lowestCheckpoint: 999, groupBytes: 250 }, 2],
  ['all that a group needs, without a limit for groups', { maxBytes: 0, lowestCheckpoint: 999, groupBytes: 0 }, 4],
])('retention removes %s', (_, limits, count) => {
  expect(segmentsToDrop(fiveSegments(), { ...everything, ...limits }, state)).toBe(count);
});

test('retention keeps the segment in which the visible part of the log ends, and those behind it', () => {
  const limits = { ...everything, maxBytes: 0 };
  expect(segmentsToDrop(fiveSegments(), limits, { ...state, visibleEnd: 250 })).toBe(2);
  expect(segmentsToDrop(fiveSegments(), limits, { ...state, visibleEnd: 300 })).toBe(2);
  expect(segmentsToDrop(fiveSegments(), limits, { ...state, visibleEnd: 301 })).toBe(3);
});
