import type { Clock } from '../base/clock.ts';
import { isTidingsError } from '../core/errors.ts';
import { isTransient } from '../core/retry.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { SnapshotDetails } from './relay-snapshots.ts';
import { progressBar, progressText } from './snapshot-report.ts';
import { renderLine, terminalSafe } from './terminal-text.ts';

export interface FollowSnapshotOptions {
  /** Asks the relay how it is. */
  readonly look: () => Promise<SnapshotDetails>;
  readonly progress: ProgressOutput;
  readonly clock: Clock;
  readonly stop: AbortSignal;
}

/** Where it is told how far the snapshot is. Not stdout: that carries the result. */
export interface ProgressOutput {
  /** Of the terminal, whose last line is rewritten; null for a log, which gets a line every few seconds. */
  readonly columns: number | null;
  write(text: string): void;
}

const LOOK_EVERY_MS = { terminal: 500, log: 1000 };
const LINE_EVERY_MS = 5000;
const ERASE_LINE = '\r\u001b[K';

/**
 * Tells how far a snapshot is until it is over. A relay that goes away meanwhile is waited for: the snapshot outlives it.
 *
 * @returns how it is then; null when the command was told to stop before that
 */
export async function followSnapshot(options: FollowSnapshotOptions): Promise<SnapshotDetails | null> {
  const { look, clock, stop, progress } = options;
  const teller = new ProgressTeller(progress, clock);
  try {
    while (!stop.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- one look after the other
      const snapshot = await lookOnce(look, teller);
      if (snapshot !== null && isOver(snapshot)) return snapshot;
      if (snapshot !== null) teller.tell(snapshot);
      // oxlint-disable-next-line no-await-in-loop -- the pause between two looks
      await clock.sleep(progress.columns === null ? LOOK_EVERY_MS.log : LOOK_EVERY_MS.terminal, stop);
    }
    return null;
  } catch (error) {
    if (stop.aborted) return null;
    throw error;
  } finally {
    teller.end();
  }
}

/** Only `done` is a success: what waits for the rows must not go on without them. */
export function snapshotExit({ state }: SnapshotDetails): ExitCode {
  return state === 'done' ? EXIT.ok : EXIT.failed;
}

function isOver({ state }: SnapshotDetails): boolean {
  return state !== 'running' && state !== 'paused';
}

async function lookOnce(look: () => Promise<SnapshotDetails>, teller: ProgressTeller): Promise<SnapshotDetails | null> {
  try {
    return await look();
  } catch (error) {
    if (!isTransient(error)) throw error;
    teller.tellFailure(isTidingsError(error) ? error.message : 'the relay does not answer');
    return null;
  }
}

class ProgressTeller {
  readonly #output: ProgressOutput;
  readonly #clock: Clock;
  #toldMs = Number.NEGATIVE_INFINITY;
  #hasLine = false;

  constructor(output: ProgressOutput, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
  }

  tell(snapshot: SnapshotDetails): void {
    this.#line((width) => (width === null ? progressText(snapshot) : progressBar(snapshot, width)));
  }

  tellFailure(message: string): void {
    const text = `waiting for the relay: ${message}`;
    this.#line((width) => (width === null ? terminalSafe(text) : renderLine([{ text }], { width, color: false })));
  }

  /** What comes next on the terminal begins at an empty line. */
  end(): void {
    if (this.#hasLine) this.#output.write(ERASE_LINE);
    this.#hasLine = false;
  }

  #line(textFor: (width: number | null) => string): void {
    const { columns } = this.#output;
    if (columns !== null) {
      // The last column stays free: some terminals go on to the next line when it is written.
      this.#output.write(`${ERASE_LINE}${textFor(Math.max(1, columns - 1))}`);
      this.#hasLine = true;
      return;
    }
    if (this.#clock.nowMs() - this.#toldMs < LINE_EVERY_MS) return;
    this.#toldMs = this.#clock.nowMs();
    this.#output.write(`${textFor(null)}\n`);
  }
}
