import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ERROR_CATALOG } from '../../src/core/error-catalog.ts';
import { readSourceFiles, ROOT, withoutComments } from '../support/import-graph.ts';

const CATALOG = 'src/core/error-catalog.ts';
const code = readSourceFiles('src')
  .filter(({ path }) => path !== CATALOG && !path.endsWith('.test.ts'))
  .map(({ path, text }) => ({ path, text: withoutComments(text) }));
const page = readFileSync(join(ROOT, 'docs/reference/errors.md'), 'utf8');

test('every error code of the catalog is described in docs/reference/errors.md, and no other is', () => {
  const described = [...page.matchAll(/^## (\S+)$/gm)].map((match) => match[1] ?? '');
  expect(described).toEqual(Object.keys(ERROR_CATALOG).toSorted());
});

test('every error that src creates has a code that docs/reference/errors.md describes', () => {
  const created = code.flatMap(({ path, text }) =>
    [...text.matchAll(/new TidingsError\(\s*['"]([^'"]+)['"]/g)].map((match) => ({ path, name: match[1] ?? '' })),
  );
  expect(created.filter(({ name }) => !page.includes(`\n## ${name}\n`))).toEqual([]);
});

test('every error code of the catalog is used somewhere in src', () => {
  const unused = Object.keys(ERROR_CATALOG).filter(
    (name) => !code.some(({ text }) => new RegExp(`['"]${name}['"]|\\b${name}:`).test(text)),
  );
  expect(unused).toEqual([]);
});

test('the catalog is sorted by code, and says cause and remedy in whole sentences', () => {
  const names = Object.keys(ERROR_CATALOG);
  expect(names).toEqual(names.toSorted());
  for (const { cause, remedy } of Object.values(ERROR_CATALOG)) {
    expect(cause).toMatch(/^[A-Z`].*\.$/);
    expect(remedy).toMatch(/^[A-Z`].*\.$/s);
  }
});
