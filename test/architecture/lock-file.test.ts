import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/import-graph.ts';

interface Lock {
  lockfileVersion: number;
  packages: Record<string, { version?: string; resolved?: string; optionalDependencies?: Record<string, string> }>;
}

const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;

test('the lock file is whole: other platforms\' binaries are in it, so that "npm ci" works on all of them ("npm run lock")', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) =>
        !Object.hasOwn(lock.packages, `node_modules/${name}`) &&
        !Object.hasOwn(lock.packages, `${path}/node_modules/${name}`),
    ),
  );
  expect(missing).toEqual([]);
});

test('the lock file can be read by the npm of old Nodes, and names no registry', () => {
  expect(lock.lockfileVersion).toBe(2);
  expect(Object.values(lock.packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
});
