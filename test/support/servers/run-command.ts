import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Written to the command's stdin. */
  readonly input?: string;
  /** Called with each line of stdout as it comes. */
  readonly onLine?: (line: string) => void;
}

const OUTPUT_TAIL_LINES = 15;

/** Runs a command to its end and returns its stdout. Rejects with the last lines of its output when it fails. */
export async function runCommand(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout: string[] = [];
  const all: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    stdout.push(line);
    all.push(line);
    options.onLine?.(line);
  });
  createInterface({ input: child.stderr }).on('line', (line) => all.push(line));
  child.stdin.on('error', () => {}); // The command may end without reading its input: its exit code tells.
  child.stdin.end(options.input ?? '');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.on('error', reject);
  child.on('close', (code, signal) => {
    if (code === 0) resolve();
    else {
      reject(
        new Error(`${command} failed (${signal ?? `exit code ${code}`}):\n${all.slice(-OUTPUT_TAIL_LINES).join('\n')}`),
      );
    }
  });
  await promise;
  return stdout.join('\n');
}
