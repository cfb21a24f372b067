import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findCycle, readSourceFiles, ROOT, type SourceFile, withoutComments } from '../support/import-graph.ts';

// The table of who may import whom, checked on the files themselves. The linter has the same rules; this test does not depend on
// it, so that a slip in its configuration cannot switch them off unseen.

const MIDDLE = ['formats', 'drivers', 'sources', 'sinks', 'mapping', 'delivery', 'relay', 'client'];

/** Layer -> the layers it may import, besides itself. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  base: [],
  core: ['base'],
  formats: ['base', 'core'],
  // What several parts share of a system that they speak to: connecting, and what its errors mean.
  drivers: ['base', 'core'],
  sources: ['base', 'core', 'drivers'],
  sinks: ['base', 'core', 'formats', 'drivers'],
  mapping: ['base', 'core', 'formats'],
  // The relay's own consumers are clients that need no network.
  client: ['base', 'core', 'formats'],
  relay: ['base', 'core', 'formats', 'drivers', 'client'],
  delivery: ['base', 'core', 'formats', 'drivers', 'mapping', 'client'],
  testing: ['base', 'core'],
  config: ['base', 'core', ...MIDDLE, 'registry'],
  registry: ['base', 'core', ...MIDDLE],
  index: ['base', 'core', ...MIDDLE, 'config'],
  cli: ['base', 'core', ...MIDDLE, 'config', 'registry'],
};

/** Layers whose folders are siblings that do not know each other: `sources/mysql` and `sources/hbase`. */
const DIVIDED = ['sources', 'sinks', 'drivers'];

const files = readSourceFiles('src');
const shipped = files.filter(({ path }) => !isTest(path));
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { default: string }>;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
};

test('the import graph is read: the core and what it stands on are in it', () => {
  expect(shipped.length).toBeGreaterThan(10);
  expect(edges(shipped)).toContain('src/core/error-catalog.ts -> src/core/errors.ts');
  expect(new Set(shipped.map(({ path }) => layerOf(path)))).toEqual(
    new Set(shipped.map(({ path }) => layerOf(path)).filter((layer) => Object.hasOwn(ALLOWED, layer))),
  );
});

test('imports point down only: base <- core <- {formats, drivers} <- {sources, sinks, mapping, client} <- {relay, delivery} <- registry <- config <- cli', () => {
  const offences = eachEdge(files, (from, to) => {
    if (isTest(from.path) && layerOf(to) === 'testing') return false; // Unit tests may use the published test helpers.
    const [a, b] = [layerOf(from.path), layerOf(to)];
    return a !== b && to.startsWith('src/') && ALLOWED[a]?.includes(b) !== true;
  });
  expect(offences).toEqual([]);
});

test('siblings never import each other: no source knows another, no sink knows another', () => {
  const offences = eachEdge(files, (from, to) => {
    const [, a = '', one = ''] = from.path.split('/');
    const [, b = '', other = ''] = to.split('/');
    const areDivided = DIVIDED.includes(a) && a === b;
    const sharedFile = other.endsWith('.ts'); // A file beside the folders belongs to all of them.
    return areDivided && one !== other && !sharedFile;
  });
  expect(offences).toEqual([]);
});

test('nothing in src imports a file outside of src, and every imported file exists; only tests reach for test support', () => {
  const known = new Set([...files, ...readSourceFiles('test/support')].map(({ path }) => path));
  const offences = eachEdge(files, (from, to) => !known.has(to) || (!to.startsWith('src/') && !isTest(from.path)));
  expect(offences).toEqual([]);
});

test('there are no import cycles', () => {
  expect(findCycle(files)).toBeNull();
});

test('an index.ts stands only where package.json exports it', () => {
  const exported = Object.values(manifest.exports)
    .filter((target) => typeof target !== 'string')
    .map((target) => target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts'));
  const barrels = files
    .map(({ path }) => path)
    .filter((path) => /(^|\/)index\.ts$/.test(path) && !exported.includes(path));
  expect(barrels).toEqual([]);
});

test('only an index.ts exports what another file defines', () => {
  const offences = shipped.filter(
    ({ path, text }) => !path.endsWith('/index.ts') && /^export\s[^=;(]*?\sfrom\s*['"]/m.test(withoutComments(text)),
  );
  expect(offences.map(({ path }) => path)).toEqual([]);
});

test('base and core use no packages and do no I/O', () => {
  const allowed =
    /^node:(assert|assert\/strict|buffer|events|timers|timers\/promises|util|util\/types|zlib|crypto|async_hooks|vm)$/;
  const offences = shipped
    .filter(({ path }) => ['base', 'core'].includes(layerOf(path)))
    .flatMap(({ path, packages }) =>
      packages.filter((name) => !allowed.test(name)).map((name) => `${path} -> ${name}`),
    );
  expect(offences).toEqual([]);
});

test('what is shipped imports only the packages that it declares', () => {
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  const offences = shipped.flatMap(({ path, packages }) =>
    packages
      .filter((name) => !name.startsWith('node:') && !declared.includes(packageName(name)))
      .filter((name) => !(layerOf(path) === 'testing' && name === 'vitest'))
      .map((name) => `${path} -> ${name}`),
  );
  expect(offences).toEqual([]);
});

test('only the command touches the process and the console', () => {
  const offences = shipped
    .filter(({ path }) => layerOf(path) !== 'cli')
    .flatMap(({ path, text }) =>
      [...withoutComments(text).matchAll(/(?<![\w.#'"`/-])(process|console)\s*(\.|\[)\s*\w+/g)].map(
        (match) => `${path}: ${match[0]}`,
      ),
    );
  expect(offences).toEqual([]);
});

function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}

/** `src/core/change.ts` -> core; `src/registry.ts` -> registry. */
function layerOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/(\.test)?\.ts$/, '');
}

function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function edges(from: readonly SourceFile[]): string[] {
  return eachEdge(from, () => true);
}

function eachEdge(from: readonly SourceFile[], isWanted: (file: SourceFile, to: string) => boolean): string[] {
  return from.flatMap((file) => file.files.filter((to) => isWanted(file, to)).map((to) => `${file.path} -> ${to}`));
}
