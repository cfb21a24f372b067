import { setTimeout as sleep } from 'node:timers/promises';
import { TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { isoMicroseconds } from '../../formats/json-text.ts';
import { type ExecExit, ExecProcess } from './exec-process.ts';

export interface CommandFeedOptions {
  readonly command: string;
  /** Gets what the command prints on stdout besides its acknowledgements. */
  readonly takeOutput: (line: string) => Promise<void>;
  /** Gets each line of the command's stderr; left out, its stderr is ours. */
  readonly takeError?: (line: string) => void;
  readonly log: Logger;
  readonly stop: AbortSignal;
  /** How long the command may take to finish once it was told to stop, and again after SIGTERM. */
  readonly graceMs: number;
  readonly nowMs: () => number;
}

/** Lines that are acknowledged together. */
export interface Feeding {
  /** Acknowledging the last line's change, or anything behind it up to `scn`, is acknowledging them all. */
  readonly lastScn: number;
  /** Of the line that ends them. */
  readonly scn: number;
  /** Writes the lines, through a function that resolves when the command has taken the text. */
  send(write: (text: string) => Promise<void>): Promise<void>;
}

/** `late`: it was told to stop, and its time to finish is over. */
export type FedOutcome = 'acknowledged' | 'late' | { readonly ended: ExecExit };

interface InFlight extends Omit<Feeding, 'send'> {
  acknowledged: boolean;
  /** Acknowledged, or over. */
  readonly settled: PromiseWithResolvers<void>;
  /** Nothing that is written is of use any more. */
  isOver: boolean;
  readonly over: PromiseWithResolvers<void>;
}

/** What a shell says when it cannot run a command, or does not find it. */
const NOT_RUNNABLE: ReadonlySet<number | null> = new Set([126, 127]);

/**
 * Feeds a command. It runs as long as there are lines for it and gets some of them, then one line
 *
 *     {"op":"progress","ts":"2026-11-20T09:15:02.123000Z","scn":1763629200000123}
 *
 * and answers, when the effects of everything up to there are durable, with a line on its stdout:
 *
 *     ack 1763629200000123
 *
 * What comes next comes after that, so at most one such is unacknowledged (I2, I4). When it has ended it is started again for the next one.
 */
export class CommandFeed {
  readonly #options: CommandFeedOptions;
  #process: ExecProcess | null = null;
  #flight: InFlight | null = null;
  #highestScn = 0;
  /** Told to stop, and the time to finish is over. */
  #late = false;
  #failure: { readonly error: unknown } | null = null;

  constructor(options: CommandFeedOptions) {
    this.#options = options;
    const { stop } = options;
    if (stop.aborted) this.#onStop();
    else stop.addEventListener('abort', () => this.#onStop(), { once: true });
  }

  /**
   * Resolves when the command has acknowledged, or has ended before it did. One at a time.
   *
   * @throws TidingsError COMMAND_FAILED when the command cannot be run at all, or breaks the protocol
   */
  async feed(feeding: Feeding): Promise<FedOutcome> {
    const { stop, command, nowMs } = this.#options;
    const running = this.#running();
    const { lastScn, scn } = feeding;
    const flight: InFlight = {
      lastScn,
      scn,
      acknowledged: false,
      settled: Promise.withResolvers(),
      isOver: this.#late,
      over: Promise.withResolvers(),
    };
    this.#flight = flight;
    this.#highestScn = Math.max(this.#highestScn, scn);
    // A command that does not read, or has left its stdin to another, holds up the end of nothing.
    const write = async (text: string): Promise<void> => {
      if (!flight.isOver) await Promise.race([running.write(text), flight.over.promise]);
    };
    await feeding.send(write);
    await write(`{"op":"progress","ts":"${isoMicroseconds(nowMs() * 1000)}","scn":${scn}}\n`);
    if (stop.aborted) running.endInput();
    if (running.ended === null && !this.#late) await flight.settled.promise;
    this.#flight = null;
    if (this.#failure !== null) throw this.#failure.error;
    if (flight.acknowledged) return 'acknowledged';
    if (running.ended === null) return 'late';
    if (NOT_RUNNABLE.has(running.ended.code)) {
      throw new TidingsError('COMMAND_FAILED', `the shell cannot run the command (exit code ${running.ended.code})`, {
        hint: `Check that it exists and may be run: ${command}`,
      });
    }
    return { ended: running.ended };
  }

  /** Closes the command's stdin and waits for it. Being stopped, only for so long; then it is told by signals. Null: it does not run. */
  async end(): Promise<ExecExit | null> {
    const running = this.#process;
    if (running === null) return null;
    const { stop, log } = this.#options;
    running.endInput();
    if (!stop.aborted) await Promise.race([running.exit, aborted(stop)]);
    // The time to finish is over already for one that let it pass in the middle of its lines.
    let hasTime = !this.#late;
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      // oxlint-disable-next-line no-await-in-loop -- first the one, then the other
      if (hasTime) await this.#exitInTime(running);
      hasTime = true;
      if (running.ended !== null) break;
      log.warn({ signal }, 'the command goes on after its input has ended; ending it');
      running.kill(signal);
    }
    return running.exit;
  }

  async #exitInTime(running: ExecProcess): Promise<void> {
    const ended = new AbortController();
    const late = sleep(this.#options.graceMs, undefined, { signal: ended.signal }).catch(() => {});
    await Promise.race([running.exit, late]);
    ended.abort();
  }

  #running(): ExecProcess {
    if (this.#process === null || this.#process.ended !== null) {
      const { command, takeError } = this.#options;
      const started = new ExecProcess(command, (line) => this.#takeLine(line), takeError);
      started.exit.then(
        () => this.#giveUp(),
        (error: unknown) => this.#fail(error),
      );
      this.#process = started;
    }
    return this.#process;
  }

  async #takeLine(line: string): Promise<void> {
    const [, digits] = /^ack +(\d{1,16})\s*$/.exec(line) ?? [];
    if (digits === undefined) {
      await this.#options.takeOutput(line);
      return;
    }
    const flight = this.#flight;
    const scn = Number(digits);
    if (flight === null) return; // Once more for what is done already.
    if (scn > this.#highestScn) {
      this.#fail(
        new TidingsError('COMMAND_FAILED', `the command acknowledges ${scn}, which it was never sent`, {
          hint: 'Print "ack" and the "scn" of the line {"op":"progress",…} that ends a batch, after its changes are dealt with.',
          details: { scn, sent: flight.scn },
        }),
      );
    } else if (scn >= flight.lastScn && scn <= flight.scn) {
      flight.acknowledged = true;
      flight.settled.resolve();
    }
  }

  /** The command may finish what it has, for a while. */
  #onStop(): void {
    this.#process?.endInput();
    const timer = setTimeout(() => {
      this.#late = true;
      this.#giveUp();
    }, this.#options.graceMs);
    timer.unref();
  }

  #fail(error: unknown): void {
    this.#failure = { error };
    this.#giveUp();
  }

  #giveUp(): void {
    const flight = this.#flight;
    if (flight === null) return;
    flight.isOver = true;
    flight.over.resolve();
    flight.settled.resolve();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
