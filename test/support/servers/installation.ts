import { dirname, join, resolve } from 'node:path';
import { exists } from './exists.ts';
import { findProgram } from './find-program.ts';
import { configuredUrl, FLAVOURS, type ServerFlavour } from './flavour.ts';
import { runCommand } from './run-command.ts';
import { serverMissing } from './server-unavailable.ts';
import { readUnpacked, type Unpacked, unpackedCommand, unpackPackages } from './unpacked.ts';

/** A server program that can be started. */
export interface Installation {
  readonly flavour: ServerFlavour;
  readonly version: string;
  /** The program and what must precede every option of ours. */
  readonly command: readonly [string, ...string[]];
  /** Where its SQL scripts and messages are. */
  readonly shareFolder: string;
}

/** Everything that was downloaded or prepared for tests; git-ignored, and safe to delete. */
export const CACHE_FOLDER: string = resolve(import.meta.dirname, '../../../.cache/servers');

/** Packages of another suite of Debian than the machine's (`trixie`, `sid`), for the servers of another time; null: those of the machine's. */
function otherSuite(): string | null {
  const suite = process.env['TIDINGS_TEST_DEBIAN_SUITE'];
  return suite === undefined || suite === '' ? null : suite;
}

function unpackedFolder(flavour: ServerFlavour): string {
  const suite = otherSuite();
  return join(CACHE_FOLDER, suite === null ? flavour : `${flavour}-${suite}`);
}

/** What to ask the archive for: the first package that exists there. */
const PACKAGES: Readonly<Record<ServerFlavour, readonly string[]>> = {
  mariadb: ['mariadb-server-core'],
  mysql: ['mysql-server-core', 'mysql-server-core-8.4', 'mysql-server-core-8.0'],
};

const found = new Map<ServerFlavour, Promise<Installation>>();

/**
 * Finds the server program: in the project's cache, else installed on this machine, else downloaded into the cache.
 *
 * @throws ServerUnavailableError with the reason when there is none and none can be had.
 */
export async function findInstallation(flavour: ServerFlavour): Promise<Installation> {
  let promise = found.get(flavour);
  if (promise === undefined) {
    promise = findNow(flavour);
    promise.catch(() => found.delete(flavour));
    found.set(flavour, promise);
  }
  return await promise;
}

/** Whether there is such a server without downloading anything. */
export async function isAtHand(flavour: ServerFlavour): Promise<boolean> {
  return (
    configuredUrl(flavour) !== null ||
    (await readUnpacked(unpackedFolder(flavour))) !== null ||
    (await findInstalled(flavour)) !== null
  );
}

async function findNow(flavour: ServerFlavour): Promise<Installation> {
  const target = unpackedFolder(flavour);
  const suite = otherSuite();
  const unpacked = await readUnpacked(target);
  if (unpacked !== null) return await describeUnpacked(flavour, unpacked);
  const installed = suite === null ? await findInstalled(flavour) : null;
  if (installed !== null) return installed;
  const versionOf = async (root: string): Promise<string | null> =>
    await readVersion(flavour, await serverCommand(flavour, root));
  const packages = PACKAGES[flavour];
  const fetched = await unpackPackages({ flavour, packages, suite, target, versionOf }).catch((error: unknown) => {
    throw serverMissing(flavour, error instanceof Error ? error.message : String(error));
  });
  return await describeUnpacked(flavour, fetched);
}

async function describeUnpacked(flavour: ServerFlavour, { root, version }: Unpacked): Promise<Installation> {
  return { flavour, version, command: await serverCommand(flavour, root), shareFolder: await shareFolderOf(root) };
}

/** All its built-in paths are wrong here. */
async function serverCommand(flavour: ServerFlavour, root: string): Promise<Installation['command']> {
  const program = flavour === 'mariadb' ? 'mariadbd' : 'mysqld';
  const shareFolder = await shareFolderOf(root);
  return [
    ...(await unpackedCommand(root, `usr/sbin/${program}`)),
    '--no-defaults',
    `--basedir=${join(root, 'usr')}`,
    `--lc-messages-dir=${shareFolder}`,
    `--character-sets-dir=${join(shareFolder, 'charsets')}`,
    `--plugin-dir=${join(root, 'usr/lib/mysql/plugin')}`,
  ];
}

/** MariaDB has its own since 11.8. */
async function shareFolderOf(root: string): Promise<string> {
  const own = join(root, 'usr/share/mariadb');
  return (await exists(own)) ? own : join(root, 'usr/share/mysql');
}

async function findInstalled(flavour: ServerFlavour): Promise<Installation | null> {
  const program = await findProgram(FLAVOURS[flavour].programs);
  if (program === null) return null;
  const command: readonly [string, ...string[]] = [program, '--no-defaults'];
  const version = await readVersion(flavour, command);
  if (version === null) return null;
  const help = await runCommand(program, ['--no-defaults', '--verbose', '--help', ...rootOptions()]);
  return { flavour, version, command, shareFolder: await firstWithScripts(shareFoldersIn(help)) };
}

/** Where an installed server may have its scripts, from what its `--verbose --help` says; the likeliest first. */
export function shareFoldersIn(help: string): string[] {
  const pathOf = (name: string): string | null => new RegExp(`^${name}\\s+(/.*?)/?\\s*$`, 'm').exec(help)?.[1] ?? null;
  const messages = pathOf('lc-messages-dir');
  const charsets = pathOf('character-sets-dir');
  const base = pathOf('basedir') ?? '/usr';
  return [
    ...(messages === null ? [] : [messages]),
    ...(charsets === null ? [] : [dirname(charsets)]),
    ...['share/mariadb', 'share/mysql', 'share'].map((folder) => join(base, folder)),
  ];
}

/** MySQL needs none of them. */
async function firstWithScripts(folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    for (const prefix of ['mariadb', 'mysql']) {
      // oxlint-disable-next-line no-await-in-loop -- in their order
      if (await exists(join(folder, `${prefix}_system_tables.sql`))) return folder;
    }
  }
  return folders[0] ?? '/usr/share/mysql';
}

/** The server refuses to run as root unless told so. */
export function rootOptions(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
}

/** The version, or null when the program is not this flavour: MariaDB also installs itself as `mysqld`. */
async function readVersion(
  flavour: ServerFlavour,
  [program, ...args]: Installation['command'],
): Promise<string | null> {
  const text = await runCommand(program, [...args, '--version']).catch(() => '');
  const version = /\bVer (\S+)/.exec(text)?.[1];
  return version === undefined || /MariaDB/i.test(text) !== (flavour === 'mariadb') ? null : version;
}
