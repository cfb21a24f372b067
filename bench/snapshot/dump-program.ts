import { join } from 'node:path';
import { findProgram } from '../../test/support/servers/find-program.ts';
import type { ServerFlavour } from '../../test/support/servers/flavour.ts';
import { runCommand } from '../../test/support/servers/run-command.ts';
import { unpackedCommand, unpackPackages } from '../../test/support/servers/unpacked.ts';

const CACHE_FOLDER = join(import.meta.dirname, '../../.cache/bench');

const KINDS = {
  mariadb: { names: ['mariadb-dump', 'mysqldump'], packages: ['mariadb-client'], program: 'usr/bin/mariadb-dump' },
  mysql: {
    names: ['mysqldump'],
    packages: ['mysql-client-core', 'mysql-client-core-8.4', 'mysql-client-core-8.0'],
    program: 'usr/bin/mysqldump',
  },
} as const;

/** The program that dumps a server's tables: on the PATH, else the distribution's, in the bench's cache. @throws Error with the reason why there is none */
export async function findDumpProgram(flavour: ServerFlavour): Promise<readonly [string, ...string[]]> {
  const { names, packages, program } = KINDS[flavour];
  const installed = await findProgram(names);
  if (installed !== null) return [installed];
  const target = join(CACHE_FOLDER, `${flavour}-dump`);
  const versionOf = async (root: string): Promise<string | null> => {
    const [loader, ...args] = await unpackedCommand(root, program);
    return await runCommand(loader, [...args, '--version']).catch(() => null);
  };
  const { root } = await unpackPackages({ flavour, packages, suite: null, target, versionOf });
  return await unpackedCommand(root, program);
}
