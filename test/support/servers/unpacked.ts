import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadPackages } from './apt-download.ts';
import { findProgram } from './find-program.ts';
import { progress, type ServerFlavour } from './flavour.ts';
import { withMachineLock } from './machine-lock.ts';

/** Packages of the distribution in a folder of the cache: unpacked, not installed. */
export interface Unpacked {
  readonly root: string;
  /** Of the program that they were fetched for. */
  readonly version: string;
}

export interface PackageRequest {
  readonly flavour: ServerFlavour;
  /** What to ask the archive for: the first that exists there, with the libraries that it needs. */
  readonly packages: readonly string[];
  /** Null: that of the machine's distribution. */
  readonly suite: string | null;
  readonly target: string;
  /** Of the program below the root; null: it is another one, or does not start. */
  readonly versionOf: (root: string) => Promise<string | null>;
}

/** Written last, so that its presence means that everything is there. */
const MARKER = 'complete.json';

/** What was fetched before; null: nothing. */
export async function readUnpacked(target: string): Promise<Unpacked | null> {
  const marker = await readFile(join(target, MARKER), 'utf8').catch(() => null);
  if (marker === null) return null;
  const { version } = JSON.parse(marker) as { version: string };
  return { root: join(target, 'root'), version };
}

/** Fetches the packages, unless they are there already. @throws Error with the reason when they cannot be had */
export async function unpackPackages(request: PackageRequest): Promise<Unpacked> {
  const { flavour, target } = request;
  return await withMachineLock(target, async () => (await readUnpacked(target)) ?? (await fetchPackages(request)), {
    onWait: () => progress(flavour, 'waiting for another process that is downloading it'),
  });
}

async function fetchPackages({ flavour, packages, suite, target, versionOf }: PackageRequest): Promise<Unpacked> {
  if (
    process.platform !== 'linux' ||
    (await findProgram(['apt-get'])) === null ||
    (await findProgram(['dpkg-deb'])) === null
  ) {
    throw new Error('it is not installed, and only Debian and its relatives can fetch it without root');
  }
  progress(flavour, `not found on this machine: fetching it into ${target} (once; nothing is installed)`);
  const partial = `${target}.partial-${process.pid}`;
  try {
    await mkdir(partial, { recursive: true });
    await downloadPackages({ flavour, packages, suite, target: partial });
    const version = await versionOf(join(partial, 'root'));
    if (version === null) throw new Error('the downloaded program is another one, or does not start');
    await writeFile(join(partial, MARKER), `${JSON.stringify({ version })}\n`);
    await rm(target, { recursive: true, force: true });
    await rename(partial, target);
    progress(flavour, `${version} is ready`);
    return { root: join(target, 'root'), version };
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`it is not installed, and fetching it failed: ${reason}`, { cause: error });
  }
}

/**
 * How an unpacked program is started: through the C library's loader that came with it. Its libraries may be newer than this machine's.
 *
 * @param program its path below the root
 */
export async function unpackedCommand(root: string, program: string): Promise<[string, ...string[]]> {
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
  return [loader, '--library-path', libraries.join(':'), join(root, program)];
}

async function list(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
