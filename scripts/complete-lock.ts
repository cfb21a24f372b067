/**
 * Brings package-lock.json up to date and makes it whole: `npm run lock`, after every change of a dependency.
 *
 * npm leaves a platform's optional binary out of the lock when the registry at hand does not serve it (a mirror often has one
 * platform only), and then refuses `npm ci` because the lock is not whole. This adds those entries, so that the lock works
 * everywhere. They carry no checksum: npm adds it on the first install that can see them. Old npm (6) reads the second half of
 * the file, `dependencies`, and would try to fetch them whatever the platform: there they are left out.
 */
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

interface LockedPackage {
  version?: string;
  integrity?: string;
  dev?: boolean;
  optional?: boolean;
  license?: string;
  engines?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  cpu?: string[];
  os?: string[];
  libc?: string[];
}

interface LockFile {
  packages: Record<string, LockedPackage>;
  dependencies: Record<string, { requires?: Record<string, string> }>;
}

const FILE = resolve(import.meta.dirname, '../package-lock.json');
const SYSTEMS =
  /(?:^|[-/])(android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|x64|ia32|ppc64|riscv64|s390x)(?:-(gnu|musl))?(?:-|$)/;

const { status } = spawnSync('npm', ['install', '--package-lock-only', '--ignore-scripts'], { stdio: 'inherit' });
if (status !== 0) throw new Error('npm could not bring the lock up to date');

const lock = JSON.parse(await readFile(FILE, 'utf8')) as LockFile;
const added = completePackages(lock.packages);
leaveOutOfDependencies(lock);
await writeFile(FILE, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json is whole; ${added.length} entries of other platforms were added`);

function completePackages(packages: LockFile['packages']): string[] {
  const names: string[] = [];
  for (const [path, parent] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const platform = SYSTEMS.exec(name);
      if (path === '' || platform === null || isLocked(packages, path, name)) continue;
      const [, os = '', cpu = '', libc] = platform;
      packages[`node_modules/${name}`] = {
        version,
        cpu: [cpu],
        ...(parent.dev === true ? { dev: true } : {}),
        ...(libc === undefined ? {} : { libc: [libc === 'gnu' ? 'glibc' : libc] }),
        ...(parent.license === undefined ? {} : { license: parent.license }),
        optional: true,
        os: [os],
        ...(parent.engines === undefined ? {} : { engines: parent.engines }),
      };
      names.push(name);
    }
  }
  const sorted = Object.entries(packages).toSorted(([a], [b]) => a.localeCompare(b, 'en'));
  for (const path of Object.keys(packages)) delete packages[path];
  Object.assign(packages, Object.fromEntries(sorted));
  return names;
}

function isLocked(packages: LockFile['packages'], path: string, name: string): boolean {
  return Object.hasOwn(packages, `node_modules/${name}`) || Object.hasOwn(packages, `${path}/node_modules/${name}`);
}

function leaveOutOfDependencies({ packages, dependencies }: LockFile): void {
  const isUnseen = (name: string): boolean => {
    const entry = packages[`node_modules/${name}`];
    return entry?.optional === true && entry.integrity === undefined;
  };
  for (const [name, entry] of Object.entries(dependencies)) {
    if (isUnseen(name)) delete dependencies[name];
    for (const required of Object.keys(entry.requires ?? {})) {
      if (isUnseen(required)) delete entry.requires?.[required];
    }
  }
}
