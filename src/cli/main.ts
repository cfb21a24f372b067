#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { sourceTypes } from '../registry.ts';
import { FdOutput } from './output.ts';
import { createRedact } from './redact.ts';
import { runCli } from './run.ts';
import { secretsOf } from './source-arguments.ts';

// The entry, and the only file that touches the process: its arguments, streams, signals and exit code.

const args = process.argv.slice(2);
const stop = new AbortController();

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!stop.signal.aborted) {
      stop.abort();
      return;
    }
    // The second time: as if it had never been caught. That also ends a write that waits for its reader, where exit would wait.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}

const code = await runCli(args, {
  stdout: new FdOutput(1, process.stdout),
  stderr: {
    isTerminal: process.stderr.isTTY,
    write: (text) => void process.stderr.write(text),
  },
  env: process.env,
  redact: createRedact(secretsOf(args, process.env)),
  stop: stop.signal,
  sources: sourceTypes,
  version: version(),
});
process.exit(code);
