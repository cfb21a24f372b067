import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { timed } from '../support/progress.ts';
import type { ReaderCommand } from './reader-process.ts';

/** A peer that is installed, or why it cannot be. */
export type Peer = { readonly label: string; readonly command: ReaderCommand } | { readonly reason: string };

const run = promisify(execFile);
const PEERS = join(import.meta.dirname, '..', 'peers');
/** Git-ignored. The peers are no dependencies of the package. */
const CACHE = join(import.meta.dirname, '..', '..', '.cache', 'bench');

export async function prepareZongji(): Promise<Peer> {
  return prepare('zongji', {
    tools: [['npm', '--version']],
    install: async (folder) => {
      await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder });
    },
    result: async (folder) => {
      const manifest = await readFile(join(folder, 'node_modules/@vlasky/zongji/package.json'), 'utf8');
      const { version } = JSON.parse(manifest) as { version: string };
      const command = { command: process.execPath, args: [join(folder, 'reader.mjs')] };
      return { label: `@vlasky/zongji ${version}`, command };
    },
  });
}

export async function prepareJava(): Promise<Peer> {
  return prepare('java', {
    tools: [
      ['java', '-version'],
      ['javac', '-version'],
      ['mvn', '--version'],
    ],
    install: async (folder) => {
      const copy = [
        'dependency:copy-dependencies',
        '-DincludeScope=runtime',
        `-DoutputDirectory=${join(folder, 'lib')}`,
      ];
      await run('mvn', ['-q', '-B', `-Dmaven.repo.local=${join(folder, 'm2')}`, ...copy], { cwd: folder });
      await run('javac', ['-d', 'classes', '-cp', join(folder, 'lib', '*'), 'src/Reader.java'], { cwd: folder });
    },
    result: async (folder) => {
      const jars = await readdir(join(folder, 'lib'));
      const version = /connector-java-(.+)\.jar/.exec(jars.join('\n'))?.[1] ?? '';
      const classPath = [join(folder, 'classes'), join(folder, 'lib', '*')].join(delimiter);
      const command = { command: 'java', args: ['-cp', classPath, 'Reader'] };
      return { label: `mysql-binlog-connector-java ${version}`, command };
    },
  });
}

export async function prepareGo(): Promise<Peer> {
  return prepare('go', {
    tools: [['go', 'version']],
    install: async (folder) => {
      // GOTOOLCHAIN=local: an old toolchain is a reason to skip the peer, not to download another one.
      const env = { ...process.env, GOTOOLCHAIN: 'local', GOMODCACHE: join(folder, 'mod'), GOFLAGS: '-modcacherw' };
      await run('go', ['build', '-o', 'reader', '.'], { cwd: folder, env });
    },
    result: async (folder) => {
      const version = /go-mysql v(\S+)/.exec(await readFile(join(folder, 'go.mod'), 'utf8'))?.[1] ?? '';
      return { label: `go-mysql ${version} BinlogSyncer`, command: { command: join(folder, 'reader'), args: [] } };
    },
  });
}

interface Preparation {
  /** Programs that must answer, each with the argument that makes it answer harmlessly. */
  readonly tools: readonly (readonly [string, string])[];
  readonly install: (folder: string) => Promise<void>;
  readonly result: (folder: string) => Promise<Peer>;
}

/** Installs into the cache, again only when the peer's own files have changed. */
async function prepare(name: string, { tools, install, result }: Preparation): Promise<Peer> {
  for (const [tool, argument] of tools) {
    if (!(await answers(tool, argument))) return { reason: `there is no ${tool} on PATH` };
  }
  const folder = join(CACHE, name);
  const stamp = join(folder, '.installed');
  const fingerprint = await fingerprintOf(join(PEERS, name));
  try {
    if ((await readFile(stamp, 'utf8').catch(() => '')) !== fingerprint) {
      await timed(`installing the ${name} peer`, async () => {
        await rm(folder, { recursive: true, force: true });
        await mkdir(folder, { recursive: true });
        await cp(join(PEERS, name), folder, { recursive: true });
        await install(folder);
        await writeFile(stamp, fingerprint);
      });
    }
    return await result(folder);
  } catch (error) {
    return { reason: `its installation failed: ${complaint(error)}` };
  }
}

async function answers(tool: string, argument: string): Promise<boolean> {
  return run(tool, [argument]).then(
    () => true,
    () => false,
  );
}

async function fingerprintOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.toSorted()) hash.update(file).update(await readFile(file));
  return hash.digest('hex');
}

/** What a failed command complained about: Maven on its stdout, the others on stderr. */
function complaint(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const output = error as Error & { readonly stdout?: string; readonly stderr?: string };
  const lines = stripVTControlCharacters(`${output.stderr ?? ''}\n${output.stdout ?? ''}\n${error.message}`).split(
    '\n',
  );
  const spoken = lines.map((line) => line.trim()).filter((line) => line !== '');
  return spoken.find((line) => /error|fatal/i.test(line)) ?? spoken[0] ?? 'no message';
}
