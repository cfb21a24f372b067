import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sinkTypes } from './registry.ts';

test('the reference says how many rows are written at a time where the configuration does not', () => {
  const rows = new Map([...sinkTypes].map(([name, { batchRows }]) => [name, batchRows]));
  const { file, ...others } = Object.fromEntries(rows);
  const [other, ...more] = new Set(Object.values(others));
  expect(more).toEqual([]);
  const page = readFileSync(new URL('../docs/reference/config.md', import.meta.url), 'utf8');
  expect(page).toContain(`Left out: ${other}, and ${file} for files.`);
});
