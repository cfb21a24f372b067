import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { downloadServer } from './apt-download.ts';
import { FLAVOURS, progress, type ServerFlavour } from './flavour.ts';
import { withMachineLock } from './machine-lock.ts';
import { runCommand } from './run-command.ts';
import { serverMissing } from './server-unavailable.ts';

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

/** Folders where distributions put servers and that an ordinary user's PATH may lack. */
const MORE_PROGRAM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec', '/usr/local/mysql/bin'];

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

async function findNow(flavour: ServerFlavour): Promise<Installation> {
  const target = join(CACHE_FOLDER, flavour);
  return (
    (await readUnpacked(flavour, target)) ??
    (await findInstalled(flavour)) ??
    (await withMachineLock(
      target,
      async () => (await readUnpacked(flavour, target)) ?? (await download(flavour, target)),
      { onWait: () => progress(flavour, 'waiting for another process that is downloading it') },
    ))
  );
}

/** Written last, so that its presence means the unpacked server is whole. */
const MARKER = 'complete.json';

async function readUnpacked(flavour: ServerFlavour, target: string): Promise<Installation | null> {
  const marker = await readFile(join(target, MARKER), 'utf8').catch(() => null);
  if (marker === null) return null;
  const { version } = JSON.parse(marker) as { version: string };
  return { ...(await describeUnpacked(flavour, join(target, 'root'))), version };
}

async function download(flavour: ServerFlavour, target: string): Promise<Installation> {
  if (
    process.platform !== 'linux' ||
    (await findProgram(['apt-get'])) === null ||
    (await findProgram(['dpkg-deb'])) === null
  ) {
    throw serverMissing(flavour, 'it is not installed, and only Debian and its relatives can fetch it without root');
  }
  progress(flavour, `not found on this machine: fetching it into ${CACHE_FOLDER} (once; nothing is installed)`);
  const partial = `${target}.partial-${process.pid}`;
  try {
    await mkdir(partial, { recursive: true });
    await downloadServer(flavour, partial);
    const { command } = await describeUnpacked(flavour, join(partial, 'root'));
    const version = await readVersion(flavour, command);
    if (version === null) throw new Error(`the downloaded program is no ${FLAVOURS[flavour].label}`);
    await writeFile(join(partial, MARKER), `${JSON.stringify({ version })}\n`);
    await rm(target, { recursive: true, force: true });
    await rename(partial, target);
    progress(flavour, `${version} is ready`);
    return { ...(await describeUnpacked(flavour, join(target, 'root'))), version };
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw serverMissing(
      flavour,
      `it is not installed, and fetching it failed: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/**
 * An unpacked server runs through the C library's loader that came with it: its libraries may be newer than this machine's, and
 * all its built-in paths are wrong here.
 */
async function describeUnpacked(flavour: ServerFlavour, root: string): Promise<Omit<Installation, 'version'>> {
  const libraries: string[] = [];
  let loader: string | undefined;
  for (const base of ['lib', 'usr/lib']) {
    const triple = (await list(join(root, base))).find((name) => name.endsWith('-linux-gnu'));
    if (triple === undefined) continue;
    const folder = join(root, base, triple);
    libraries.push(folder);
    const name = (await list(folder)).find((file) => /^ld-linux.*\.so\.\d+$/.test(file));
    if (name !== undefined) loader ??= join(folder, name);
  }
  libraries.push(join(root, 'usr/lib/mysql/private'));
  if (loader === undefined) throw new Error('the downloaded packages hold no loader');
  const shareFolder = join(root, 'usr/share/mysql');
  const program = flavour === 'mariadb' ? 'mariadbd' : 'mysqld';
  return {
    flavour,
    shareFolder,
    command: [
      loader,
      '--library-path',
      libraries.join(':'),
      join(root, 'usr/sbin', program),
      '--no-defaults',
      `--basedir=${join(root, 'usr')}`,
      `--lc-messages-dir=${shareFolder}`,
      `--character-sets-dir=${join(shareFolder, 'charsets')}`,
      `--plugin-dir=${join(root, 'usr/lib/mysql/plugin')}`,
    ],
  };
}

async function findInstalled(flavour: ServerFlavour): Promise<Installation | null> {
  const program = await findProgram(FLAVOURS[flavour].programs);
  if (program === null) return null;
  const command: readonly [string, ...string[]] = [program, '--no-defaults'];
  const version = await readVersion(flavour, command);
  if (version === null) return null;
  const help = await runCommand(program, ['--no-defaults', '--verbose', '--help', ...rootOptions()]);
  const shareFolder = /^lc-messages-dir\s+(\S+)/m.exec(help)?.[1] ?? '/usr/share/mysql';
  return { flavour, version, command, shareFolder };
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

async function findProgram(names: readonly string[]): Promise<string | null> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...MORE_PROGRAM_FOLDERS].filter(
    (folder) => folder !== '',
  );
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    ) {
      return path;
    }
  }
  return null;
}

async function list(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
