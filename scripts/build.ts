/** Builds dist/ from src/: `npm run build`. */
import { spawnSync } from 'node:child_process';
import { chmod, copyFile, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const COMMAND = join(ROOT, 'dist/cli/main.js');

await rm(join(ROOT, 'dist'), { recursive: true, force: true });
const { status } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
  cwd: ROOT,
  stdio: 'inherit',
});
if (status !== 0) {
  process.exitCode = status ?? 1;
} else if (!(await readFile(COMMAND, 'utf8')).startsWith('#!/usr/bin/env node\n')) {
  console.error('src/cli/main.ts must begin with "#!/usr/bin/env node": it is the installed command');
  process.exitCode = 1;
} else {
  await chmod(COMMAND, 0o755);
  // For editors: the configuration's first line names it in the installed package.
  await copyFile(join(ROOT, 'docs/reference/tidings.schema.json'), join(ROOT, 'dist/tidings.schema.json'));
}
