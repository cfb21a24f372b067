import { expect, test } from 'vitest';
import { snapshotsTable } from './snapshot-report.ts';

test('a snapshot for one reader names it', () => {
  const snapshot = {
    id: 7,
    state: 'running',
    reason: 'bootstrap',
    patterns: ['shop.orders'],
    where: null,
    group: null,
    truncate: true,
    created: '2026-11-20T09:14:34.123Z',
    ended: null,
    error: null,
    rows: 10,
    estimate: null,
    percent: null,
    rowsPerSecond: null,
    secondsLeft: null,
    waitsFor: null,
    waitsBecause: null,
    keyCount: null,
    tableCount: 1,
    tablesLeft: 1,
  };
  const line = (reader?: string | null): string | undefined =>
    snapshotsTable([{ ...snapshot, reader }])
      .split('\n')
      .find((text) => text.includes('shop.orders'));
  expect(line('f3Jx0bWqS1mK8dYp2vTnLw')).toContain('shop.orders (bootstrap, reader f3Jx0bWqS1mK8dYp2vTnLw, truncate)');
  expect(line(null)).toContain('shop.orders (bootstrap, truncate)');
  expect(line()).toBe(line(null));
});
