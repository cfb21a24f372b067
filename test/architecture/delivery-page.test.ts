import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

interface Reference {
  readonly file: string;
  readonly name: string;
}

/** Of each row of the page's tables: files in back quotes, each followed by names of tests in curly quotes. */
function referencesOf(row: string): Reference[] {
  const references: Reference[] = [];
  let file = '';
  for (const [, path, name] of row.matchAll(/`([^`]+\.test\.ts)`|“([^”]+)”/g)) {
    if (path !== undefined) file = path;
    else if (name !== undefined) references.push({ file, name });
  }
  return references;
}

const rows = readFileSync(join(ROOT, 'docs/concepts/delivery.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\| (guarantee|-)/.test(line));

test('each guarantee of docs/concepts/delivery.md names a test that there is', () => {
  expect(rows.length).toBeGreaterThan(20);
  for (const row of rows) {
    const references = referencesOf(row);
    expect(references, `in: ${row}`).not.toEqual([]);
    const missing = references.filter(({ file, name }) => !readFileSync(join(ROOT, file), 'utf8').includes(name));
    expect(missing).toEqual([]);
  }
});
