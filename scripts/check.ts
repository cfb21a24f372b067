/** `npm run check`: everything that can be said about the code without running it. All steps run; any failure fails the whole. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const PATH = [join(ROOT, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(delimiter);
const failed: string[] = [];

function step(name: string, command: string, args: readonly string[]): boolean {
  const startedMs = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, PATH, FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const passed = status === 0;
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
  if (!passed) {
    failed.push(name);
    console.log(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`);
  }
  return passed;
}

step('format', 'oxfmt', ['--check']);
step('lint', 'oxlint', ['--type-aware', '--deny-warnings']);
step('types', 'tsc', ['-p', 'tsconfig.json']);
step('dead code', 'knip', ['--no-progress']);
step('generated pages', 'node', ['scripts/generate-reference.ts', '--check']);

const folder = await mkdtemp(join(tmpdir(), 'tidings-pack-'));
try {
  // Packing builds first (prepack); the checks then look at exactly what would be published.
  if (step('build and pack', 'npm', ['pack', '--silent', '--pack-destination', folder])) {
    const [name = ''] = await readdir(folder);
    const tarball = join(folder, name);
    step('package (publint)', 'publint', ['run', tarball, '--strict']);
    step('package types (attw)', 'attw', [tarball, '--profile', 'esm-only']);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

if (failed.length > 0) {
  console.log(`\n${failed.length} of the checks failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
