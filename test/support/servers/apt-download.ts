import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AptArchive, findMainArchive, parseListFile, parseSourcesFile } from './apt-sources.ts';
import { progress, type ServerFlavour } from './flavour.ts';
import { runCommand } from './run-command.ts';

/** Dependencies that only the packages' helper scripts need. */
const NOT_NEEDED = /^(perl|libperl|mysql-client|mariadb-client|libc-gconv-modules)/;

/** Folders that no program reads. */
const NOT_KEPT = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/share/lintian',
  'usr/share/perl',
  'usr/share/bug',
];

export interface Download {
  /** For whom: it is told what is being done. */
  readonly flavour: ServerFlavour;
  readonly packages: readonly string[];
  /** Null: that of the machine's distribution. */
  readonly suite: string | null;
  readonly target: string;
}

/**
 * Downloads the first of the packages that the distribution has, with its libraries, and unpacks it into `target`.
 *
 * apt runs with a private configuration (its own state, cache and an empty package status), so it needs no root and changes
 * nothing on the machine; mirror, keyring and proxy are those that the machine already uses.
 *
 * @throws Error with the reason when this machine's distribution cannot serve any of them.
 */
export async function downloadPackages({ flavour, packages: wanted, suite: asked, target }: Download): Promise<void> {
  const release = await readRelease();
  const main = findMainArchive(await readArchives(), release.codename);
  if (main === null) {
    throw new Error(`no package source for ${release.id} ${release.codename || '(unknown release)'} found in /etc/apt`);
  }
  // Debian's releases have no MySQL; its unstable suite has. Other distributions of the family carry it in the release.
  const suite = asked ?? (flavour === 'mysql' && release.id === 'debian' ? 'sid' : release.codename);
  const components = release.id === 'ubuntu' ? ['main', 'universe'] : ['main'];
  const work = join(target, 'apt');
  const env = await writeAptConfiguration(work, { ...main, suites: [suite], components });

  progress(flavour, `reading the package list of ${release.id} ${suite}`);
  await runCommand('apt-get', ['update', '-q'], { env });
  const packages = await listPackages(wanted, env);
  progress(flavour, `downloading ${packages.length} packages`);
  const archives = join(work, 'cache', 'archives');
  let done = 0;
  await runCommand('apt-get', ['download', '-q', ...packages], {
    env,
    cwd: archives,
    onLine: (line) => {
      const match = /^Get:\d+ \S+ \S+ \S+ (\S+) .*\[(.*)\]$/.exec(line);
      if (match !== null) progress(flavour, `  ${++done}/${packages.length} ${match[1]} (${match[2]})`);
    },
  });
  progress(flavour, 'unpacking');
  for (const file of await readdir(archives)) {
    if (file.endsWith('.deb')) await runCommand('dpkg-deb', ['-x', join(archives, file), join(target, 'root')]);
  }
  await Promise.all(
    ['apt', ...NOT_KEPT.map((folder) => join('root', folder))].map((path) => remove(join(target, path))),
  );
}

/** The package and everything it depends on, as if nothing were installed. */
async function listPackages(wanted: readonly string[], env: NodeJS.ProcessEnv): Promise<string[]> {
  let failure: unknown;
  for (const name of wanted) {
    try {
      const plan = await runCommand('apt-get', ['--simulate', 'install', '--no-install-recommends', name], { env });
      const packages = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
      return packages.filter((candidate) => candidate === name || !NOT_NEEDED.test(candidate));
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

async function writeAptConfiguration(folder: string, archive: AptArchive): Promise<NodeJS.ProcessEnv> {
  await Promise.all(
    ['lists/partial', 'cache/archives/partial', 'parts'].map((path) => mkdir(join(folder, path), { recursive: true })),
  );
  const signedBy = archive.signedBy === null ? '' : `[signed-by=${archive.signedBy}] `;
  const source = `deb ${signedBy}${archive.uri} ${archive.suites.join(' ')} ${archive.components.join(' ')}\n`;
  const configuration = [
    ...(await machineAcquireSettings()),
    `Dir::Etc::parts "${folder}/parts";`, // The machine's own hooks must not run: they would touch its caches.
    'Dir::Etc::main "/dev/null";',
    `Dir::Etc::sourcelist "${folder}/sources.list";`,
    `Dir::Etc::sourceparts "${folder}/parts";`,
    `Dir::Etc::preferences "/dev/null";`,
    `Dir::Etc::preferencesparts "${folder}/parts";`,
    `Dir::State "${folder}";`,
    `Dir::State::lists "${folder}/lists";`,
    `Dir::State::status "${folder}/status";`,
    `Dir::Cache "${folder}/cache";`,
    'APT::Sandbox::User "root";', // Else apt, as root, drops to a user that may not reach this folder.
    'Acquire::Languages "none";',
    'Acquire::Retries "3";',
  ];
  await Promise.all([
    writeFile(join(folder, 'status'), ''),
    writeFile(join(folder, 'sources.list'), source),
    writeFile(join(folder, 'apt.conf'), `${configuration.join('\n')}\n`),
  ]);
  return { ...process.env, APT_CONFIG: join(folder, 'apt.conf'), LC_ALL: 'C.UTF-8' };
}

/** How this machine reaches its mirrors: proxies, certificates, date checks. */
async function machineAcquireSettings(): Promise<string[]> {
  const dump = await runCommand('apt-config', ['dump']);
  return dump.split('\n').filter((line) => /^Acquire::(?!IndexTargets|Languages|Changelogs|cdrom|Retries)/.test(line));
}

async function readArchives(): Promise<AptArchive[]> {
  const folder = '/etc/apt/sources.list.d';
  const names = (await readdir(folder).catch((): string[] => [])).toSorted();
  const texts = await Promise.all(
    ['/etc/apt/sources.list', ...names.map((name) => join(folder, name))].map(async (path) => {
      const text = await readFile(path, 'utf8').catch(() => '');
      if (path.endsWith('.sources')) return parseSourcesFile(text);
      return path.endsWith('.list') ? parseListFile(text) : [];
    }),
  );
  return texts.flat();
}

async function readRelease(): Promise<{ id: string; codename: string }> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (name: string): string => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { id: field('ID'), codename: field('VERSION_CODENAME') };
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
