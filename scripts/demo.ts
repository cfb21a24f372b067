/**
 * `npm run demo`: a throwaway MariaDB with a small shop that has rows already and is at work, a relay that follows it, and two consumers that
 * share the relay's stream and begin with a snapshot of the rows. The relay, in the middle of the snapshot, and a consumer are killed and
 * started again on the way; then the proof that nothing was lost, doubled or mixed up: the rows that follow from what the
 * consumers got are exactly those that SELECT shows.
 */
import { parseArgs } from 'node:util';
import { isTidingsError } from '../src/core/errors.ts';
import { DemoError } from './demo/demo-error.ts';
import { showHowToGoOn } from './demo/report.ts';
import { runDemo } from './demo/run-demo.ts';
import { Screen } from './demo/screen.ts';

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

function parseSeconds(): number | null {
  try {
    const { values } = parseArgs({ options: { seconds: { type: 'string', default: '10' } } });
    const seconds = Number(values.seconds);
    return Number.isFinite(seconds) && seconds >= 1 && seconds <= 3600 ? seconds : null;
  } catch {
    return null;
  }
}

const screen = new Screen(process.stdout, process.env);
const seconds = parseSeconds();
const stop = new AbortController();
let interruptedWith: number | null = null;
for (const [signal, code] of Object.entries(SIGNALS)) {
  process.on(signal, () => {
    // The second one does not wait: watchdogs clean up in any case, and the consumers end with this process.
    if (interruptedWith !== null) process.exit(code);
    interruptedWith = code;
    stop.abort();
  });
}
if (seconds === null) {
  console.error('Usage: npm run demo [-- --seconds 10]');
  process.exitCode = 2;
} else {
  try {
    const proved = await runDemo({ seconds, signal: stop.signal, screen });
    if (proved) showHowToGoOn(screen);
    process.exitCode = proved ? 0 : 1;
  } catch (error) {
    screen.endLive();
    if (interruptedWith === null) {
      process.exitCode = 1;
      if (error instanceof DemoError) console.error(error.message);
      else if (isTidingsError(error)) console.error(`error ${error.code}: ${error.message}\n${error.hint}`);
      else console.error(error);
    }
  }
  if (interruptedWith !== null) {
    console.error('Stopped; nothing was left behind.');
    process.exitCode = interruptedWith;
  }
}
