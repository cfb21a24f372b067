import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** Paths are relative to the project's root, with `/`. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Files of this project that it imports. */
  readonly files: readonly string[];
  /** Those of them that are loaded at run time: imported for more than their types. */
  readonly loads: readonly string[];
  /** Everything else that it imports: packages and `node:` modules. */
  readonly packages: readonly string[];
}

export const ROOT: string = resolve(import.meta.dirname, '../..');

/** Reads every .ts file under a folder of the project, with what it imports. */
export function readSourceFiles(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readSourceFile(join(ROOT, folder, name)))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function readSourceFile(file: string): SourceFile {
  const text = readFileSync(file, 'utf8');
  const specifiers = importSpecifiers(text);
  const isRelative = (specifier: string): boolean => specifier.startsWith('.');
  const filesOf = (from: readonly string[]): string[] =>
    from.filter(isRelative).map((specifier) => fromRoot(resolve(dirname(file), specifier)));
  return {
    path: fromRoot(file),
    text,
    files: filesOf(specifiers),
    loads: filesOf(importSpecifiers(text.replaceAll(/^(import|export) type\b/gm, '// $1 type'))),
    packages: specifiers.filter((specifier) => !isRelative(specifier)),
  };
}

function fromRoot(file: string): string {
  return relative(ROOT, file).replaceAll('\\', '/');
}

/** Static imports and re-exports (`import type` included: the rules are about knowing, not only about loading). */
const STATIC = /^\s*(?:import|export)\b(?:[^'"`;=]*?\bfrom)?\s*['"]([^'"\n]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"\n]+)['"]\s*[,)]/g;

/** The module specifiers in a file's text. */
export function importSpecifiers(text: string): string[] {
  const code = withoutBlockComments(text);
  return [STATIC, DYNAMIC].flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] ?? ''));
}

/** The text without comments, for looking at what it does. A `//` counts as a comment at a line's start or behind white space. */
export function withoutComments(text: string): string {
  return withoutBlockComments(text).replaceAll(/(^|\s)\/\/.*$/gm, '$1');
}

function withoutBlockComments(text: string): string {
  return text.replaceAll(/^\s*\/\*[^]*?\*\//gm, '');
}

/** A way along run-time imports from a file back to itself, or null. */
export function findCycle(files: readonly SourceFile[]): readonly string[] | null {
  const edges = new Map(files.map(({ path, loads }) => [path, loads]));
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]): readonly string[] | null => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (finished.has(path)) return null;
    for (const next of edges.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle !== null) return cycle;
    }
    finished.add(path);
    return null;
  };
  for (const { path } of files) {
    const cycle = visit(path, []);
    if (cycle !== null) return cycle;
  }
  return null;
}
