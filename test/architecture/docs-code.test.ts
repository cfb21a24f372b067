import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig, type LoadedConfig } from '../../src/config/load-config.ts';
import { connectorSchemas, sinkTypes, sourceTypes } from '../../src/registry.ts';
import { ROOT } from '../support/import-graph.ts';

// Within the project, so that the code's imports find what it depends on.
mkdirSync(join(ROOT, '.cache'), { recursive: true });
const folder = mkdtempSync(join(ROOT, '.cache', 'docs-code-'));

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** What the code on the pages takes from the program around it. */
const NAMES = `
interface Order { readonly id: number }
declare const cache: { delete(key: string): void };
declare const client: import('tidings/client').Client;
declare const db: { query(sql: string, values?: readonly unknown[]): Promise<{ readonly scn: number; readonly reader: string }[]> };
declare const lastPosition: string | undefined;
declare const url: string;
declare function apply(change: import('tidings/client').Change): Promise<void>;
declare function clear(table: string): Promise<void>;
declare function index(rows: unknown): Promise<void>;
declare function remember(position: string): Promise<void>;
declare function store(table: string, rows: unknown): Promise<void>;
`;

interface Block {
  readonly page: string;
  readonly text: string;
}

function blocksIn(language: string): Block[] {
  const fence = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms');
  return ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT }), ...globSync('examples/**/*.md', { cwd: ROOT })]
    .toSorted()
    .flatMap((page) =>
      [...readFileSync(join(ROOT, page), 'utf8').matchAll(fence)].map(([, text = '']) => ({ page, text })),
    );
}

test('the TypeScript on the pages compiles against the packages’ types as it is written', { timeout: 60_000 }, () => {
  const blocks = blocksIn('ts');
  expect(blocks.length).toBeGreaterThan(10);
  for (const [i, { page, text }] of blocks.entries()) {
    const file = `${i}-${page.replaceAll(/\W/g, '-')}.ts`;
    writeFileSync(join(folder, file), `${text}export {};\n`);
  }
  writeFileSync(join(folder, 'names.d.ts'), NAMES);
  const compilerOptions = { isolatedDeclarations: false, declaration: false };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: ['*.ts'] }),
  );
  const { stdout, error } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' });
  expect(error).toBeUndefined();
  expect(stdout).toBe('');
});

test('the configurations on the pages are taken as they are written', async () => {
  const schemas = await connectorSchemas({ sources: sourceTypes, sinks: sinkTypes });
  const env = { COPY_PASSWORD: 'x', DB_PASSWORD: 'y', TIDINGS_ADMIN_TOKEN: 'z' };
  const load = async (text: string): Promise<LoadedConfig> => {
    const file = join(folder, 'tidings.yaml');
    writeFileSync(file, text);
    return loadConfig(file, { env, schemas });
  };
  // On the mapping's own page stand parts of a sink's configuration, which `src/mapping/page.test.ts` looks at.
  const blocks = blocksIn('yaml').filter(({ page }) => page !== 'docs/mapping.md');
  expect(blocks.length).toBeGreaterThan(4);
  for (const { page, text } of blocks) {
    const { streams } = parse(text) as { readonly streams?: unknown };
    const whole =
      streams === undefined ? `${text}\nstreams: { shop: { source: { type: mysql, url: mysql://h } } }` : text;
    // oxlint-disable-next-line no-await-in-loop -- they take turns with one file
    const { mistakes } = await load(whole);
    // The files of a machine that runs it are not on this one.
    const others = mistakes.filter(({ message }) => !/there is no such file|cannot be read/.test(message));
    expect({ page, mistakes: others }).toEqual({ page, mistakes: [] });
  }
});
