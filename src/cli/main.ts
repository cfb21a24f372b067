#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { sinkTypes, sourceTypes } from '../registry.ts';
import { killCommands } from '../sinks/exec/exec-process.ts';
import { FdOutput } from './output.ts';
import { createRedact } from './redact.ts';
import { EXIT } from './exit-codes.ts';
import { runCli, uncaughtText } from './run.ts';
import { secretsOf } from './source-arguments.ts';

// The entry, and the only file that touches the process: its arguments, streams, signals and exit code.

const args = process.argv.slice(2);
const stop = new AbortController();
const secrets = [...secretsOf(args, process.env)];
let redact = createRedact(secrets);

// However it ends, but for SIGKILL.
process.once('exit', killCommands);

// What a module of the user's throws in a timer, or by a promise that nobody awaits, too. Node would print it as it is, with the secrets in it (I10).
process.on('uncaughtException', (error: unknown) => {
  process.stderr.write(redact(uncaughtText(error)));
  // In what state everything is nobody knows.
  process.exit(EXIT.failed);
});

// Who reads the log has gone away. That is no reason to end what is being served.
process.stderr.on('error', () => {});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!stop.signal.aborted) {
      stop.abort();
      return;
    }
    // The second time: as if it had never been caught. That also ends a write that waits for its reader, where exit would wait.
    process.removeAllListeners(signal);
    killCommands();
    process.kill(process.pid, signal);
  });
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}

async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal: stop.signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (stop.signal.aborted) return false;
    throw error;
  } finally {
    terminal.close();
  }
}

const code = await runCli(args, {
  stdout: new FdOutput(1, process.stdout),
  stderr: {
    isTerminal: process.stderr.isTTY,
    write: (text) => void process.stderr.write(text),
  },
  stdin: process.stdin,
  env: process.env,
  cwd: process.cwd(),
  redact: (text) => redact(text),
  hide: (more) => {
    secrets.push(...more);
    redact = createRedact(secrets);
  },
  confirm: process.stdin.isTTY && process.stderr.isTTY ? confirm : null,
  stop: stop.signal,
  sources: sourceTypes,
  sinks: sinkTypes,
  version: version(),
});
process.exit(code);
