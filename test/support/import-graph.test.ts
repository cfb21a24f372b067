import { expect, test } from 'vitest';
import { findCycle, importSpecifiers, type SourceFile, withoutComments } from './import-graph.ts';

test('every form of import and re-export is seen, and nothing in a comment or a string is', () => {
  const text = `
import './effect.ts';
import { a, type B } from './named.ts';
import type { C } from "./types.ts";
import {
  d,
  e,
} from './lines.ts';
import * as all from 'node:fs';
export { f } from './again.ts';
export type { G } from './again-types.ts';
export * from './star.ts';
export const from = 'value';
const lazy = await import('./lazy.ts');
/* import { x } from './commented.ts'; */
/**
 * import { y } from './documented.ts';
 */
// import { z } from './line-comment.ts';
const text = "import { s } from './string.ts'";
`;
  expect(importSpecifiers(text)).toEqual([
    './effect.ts',
    './named.ts',
    './types.ts',
    './lines.ts',
    'node:fs',
    './again.ts',
    './again-types.ts',
    './star.ts',
    './lazy.ts',
  ]);
});

test('a URL in a string is no comment', () => {
  expect(withoutComments("const url = 'mysql://host'; // said\n// whole line\ncall();")).toBe(
    "const url = 'mysql://host'; \n\ncall();",
  );
});

test('a cycle is found with the files on it, and a tree that shares files has none', () => {
  const file = (path: string, ...loads: string[]): SourceFile => ({
    path,
    loads,
    files: loads,
    text: '',
    packages: [],
  });
  expect(findCycle([file('a', 'b'), file('b', 'c', 'd'), file('c', 'd'), file('d')])).toBeNull();
  expect(findCycle([file('a', 'b'), file('b', 'c'), file('c', 'd'), file('d', 'b')])).toEqual(['b', 'c', 'd', 'b']);
});
