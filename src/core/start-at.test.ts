import { expect, test } from 'vitest';
import { parseStartAt } from './start-at.ts';

test.each([
  ['earliest', 'earliest'],
  ['1795166102000000', 1_795_166_102_000_000],
  ['2026-11-20T09:15:02.123456Z', new Date('2026-11-20T09:15:02.123Z')],
  ['2026-11-20T09:15 02:00', new Date('2026-11-20T07:15:00Z')],
  ['2028-02-29T23:30:00-01:00', new Date('2028-03-01T00:30:00Z')],
])('%s is a place in a stream', (text, place) => {
  expect(parseStartAt(text)).toEqual(place);
});

test.each([
  '',
  'EARLIEST',
  '-1',
  '1e3',
  '99999999999999999',
  '2026-11-20',
  '2026-11-20T09:15:02',
  '2026-11-20T09:15:60Z',
  '2026-02-29T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '2026-04-31T00:00:00+02:00',
  '2026-13-01T00:00:00Z',
  '2026-00-10T00:00:00Z',
])('"%s" is none: nothing is read from another place than the one that was meant', (text) => {
  expect(parseStartAt(text)).toBeNull();
});
