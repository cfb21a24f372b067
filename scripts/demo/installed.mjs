// Plain old JavaScript, as it runs before anything is installed: see scripts/demo.mjs.
import { existsSync, readFileSync } from 'fs';
import { join } from 'path';

/** What the file says of packages, by their folder; null when it is not there or cannot be read. */
function packagesIn(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages || null;
  } catch {
    return null;
  }
}

/**
 * Whether what npm has installed, by its own record, is what the lock names. Contents are compared, not times: a checkout gives files the time at
 * which it was made.
 */
export function isInstalled(root) {
  const modules = join(root, 'node_modules');
  if (!existsSync(join(modules, '.bin', 'node'))) return false;
  const locked = packagesIn(join(root, 'package-lock.json'));
  const installed = packagesIn(join(modules, '.package-lock.json'));
  if (locked === null || installed === null) return false;
  return Object.keys(locked).every((folder) => {
    // The project itself.
    if (folder === '') return true;
    const wanted = locked[folder];
    const found = installed[folder];
    // Optional ones are often for another kind of machine.
    if (found === undefined) return wanted.optional === true;
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}
