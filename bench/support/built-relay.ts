import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { runCommand } from '../../test/support/servers/run-command.ts';
import { timed } from './progress.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const STOP_MS = 20_000;

export interface BuiltRelay extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
}

let built: Promise<string> | null = null;

/**
 * `tidings run` as it is published, with one stream.
 *
 * @param data an empty folder
 */
export async function startBuiltRelay(
  data: string,
  stream: { name: string; url: string; table: string },
): Promise<BuiltRelay> {
  const source = { type: 'mysql', url: stream.url, tables: [stream.table], from: 'now' };
  return await startBuilt(data, { streams: { [stream.name]: { source } } });
}

/**
 * `tidings run` as it is published. For memory it has to be that: what runs from the sources also holds what Node takes to strip their types, in
 * both of its threads.
 *
 * @param data an empty folder
 * @param config without `data` and `http`
 */
export async function startBuilt(
  data: string,
  config: object,
  { nodeArgs = [] }: { readonly nodeArgs?: readonly string[] } = {},
): Promise<BuiltRelay> {
  built ??= timed('building', () => runCommand(process.execPath, [join(ROOT, 'scripts/build.ts')]));
  await built;
  const path = join(data, 'tidings.yaml');
  // JSON is YAML.
  await writeFile(path, JSON.stringify({ data: join(data, 'data'), http: { port: 0 }, ...config }));
  const child = spawn(process.execPath, [...nodeArgs, join(ROOT, 'dist/cli/main.js'), 'run', path], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], NODE_OPTIONS: process.env['NODE_OPTIONS'] },
  });
  const stop = (): Promise<void> => stopped(child);
  try {
    const { url } = await ready(child);
    if (child.pid === undefined) throw new Error('the relay did not start');
    return { pid: child.pid, url, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reads on for as long as it runs, so that its pipe does not fill up. */
async function ready(child: ChildProcess): Promise<{ url: string }> {
  const { promise, resolve: found, reject } = Promise.withResolvers<{ url: string }>();
  if (child.stderr === null) throw new Error('stderr was asked for as a pipe');
  const lines: string[] = [];
  createInterface({ input: child.stderr })
    .on('line', (line) => {
      if (line.includes('"message":"ready"')) found(JSON.parse(line) as { url: string });
      else if (lines.length < 20) lines.push(line);
    })
    .on('close', () => reject(new Error(`the relay ended: ${lines.join('\n')}`)));
  return await promise;
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(timer);
}
