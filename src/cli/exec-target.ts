import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from '../base/backoff.ts';
import type { ConsumerBatch } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { isoMicroseconds } from '../formats/json-text.ts';
import type { LineEncoder } from '../formats/line-encoder.ts';
import { aborted } from './aborted.ts';
import type { BatchTarget } from './batch-target.ts';
import { type ExecExit, ExecProcess } from './exec-process.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import { lastScnOf } from './scn-of.ts';

export interface ExecTargetOptions {
  readonly command: string;
  readonly encoder: LineEncoder;
  /** Gets what the command prints besides its acknowledgements. */
  readonly stdout: Output;
  readonly log: Logger;
  readonly stop: AbortSignal;
  /** How long the command may take to finish once it was told to stop, and again after SIGTERM. @default 10 s */
  readonly graceMs?: number;
  readonly nowMs?: () => number;
}

const GRACE_MS = 10_000;
const RESTART_PAUSE = { delayMinMs: 100, delayMaxMs: 30_000 };
const CHUNK_CHARS = 1 << 16;
/** What a shell says when it cannot run a command, or does not find it. */
const NOT_RUNNABLE: ReadonlySet<number | null> = new Set([126, 127]);

/** The batch that the command has and did not acknowledge yet. */
interface InFlight {
  /** Acknowledging the last line's change, or anything behind it up to `scn`, is acknowledging the batch. */
  readonly lastScn: number;
  /** Of the line that ends the batch. */
  readonly scn: number;
  acknowledged: boolean;
  readonly settled: PromiseWithResolvers<void>;
}

/**
 * Feeds a command. It runs as long as the stream does and gets the lines of a batch, then one line
 *
 *     {"op":"progress","ts":"2026-11-20T09:15:02.123000Z","scn":1763629200000123}
 *
 * and answers, when the effects of everything up to there are durable, with a line on its stdout:
 *
 *     ack 1763629200000123
 *
 * The next batch comes after that, so at most one is unacknowledged (I2, I4). A command that ends too early is started again, and gets
 * that batch again from its first line.
 */
export class ExecTarget implements BatchTarget {
  readonly #options: ExecTargetOptions;
  readonly #backoff: Backoff = new Backoff(RESTART_PAUSE);
  readonly #graceMs: number;
  readonly #nowMs: () => number;
  #process: ExecProcess | null = null;
  #flight: InFlight | null = null;
  /** Told to stop, and the time to finish is over. */
  #late = false;
  #failure: { readonly error: unknown } | null = null;

  constructor(options: ExecTargetOptions) {
    this.#options = options;
    this.#graceMs = options.graceMs ?? GRACE_MS;
    this.#nowMs = options.nowMs ?? Date.now;
    const { stop } = options;
    if (stop.aborted) this.#onStop();
    else stop.addEventListener('abort', () => this.#onStop(), { once: true });
  }

  /** @throws TidingsError COMMAND_FAILED when the command cannot be run at all, or breaks the protocol */
  async deliver(batch: ConsumerBatch): Promise<boolean> {
    const lastScn = lastScnOf(batch.parts);
    if (lastScn === null) return true;
    const { stop, log } = this.#options;
    for (;;) {
      // oxlint-disable no-await-in-loop -- one run of the command after the other
      const running = this.#running();
      const flight: InFlight = { lastScn, scn: batch.scn, acknowledged: false, settled: Promise.withResolvers() };
      this.#flight = flight;
      await this.#send(batch, running);
      if (stop.aborted) running.endInput();
      if (running.ended === null && !this.#late) await flight.settled.promise;
      this.#flight = null;
      if (this.#failure !== null) throw this.#failure.error;
      if (flight.acknowledged) {
        this.#backoff.reset();
        return true;
      }
      if (running.ended !== null) await this.#pause(running.ended);
      if (stop.aborted) return false;
      log.info({ scn: batch.scn }, 'starting the command again, with the batch that it did not acknowledge');
      // oxlint-enable no-await-in-loop
    }
  }

  /** Closes the command's stdin and waits for it. Being stopped, only for so long; then it is told by signals. */
  async end(): Promise<ExitCode> {
    const running = this.#process;
    if (running === null) return EXIT.ok;
    const { stop, log } = this.#options;
    running.endInput();
    if (!stop.aborted) await Promise.race([running.exit, aborted(stop)]);
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      // oxlint-disable-next-line no-await-in-loop -- first the one, then the other
      await this.#exitInTime(running);
      if (running.ended !== null) break;
      log.warn({ signal }, 'the command goes on after its input has ended; ending it');
      running.kill(signal);
    }
    const exit = await running.exit;
    if (exit.code === 0) return EXIT.ok;
    // What it had acknowledged is done; being stopped, how it ended is its own affair.
    log[stop.aborted ? 'warn' : 'error']({ ...exit }, 'the command ended with a failure');
    return stop.aborted ? EXIT.ok : EXIT.failed;
  }

  async #exitInTime(running: ExecProcess): Promise<void> {
    const ended = new AbortController();
    const late = sleep(this.#graceMs, undefined, { signal: ended.signal }).catch(() => {});
    await Promise.race([running.exit, late]);
    ended.abort();
  }

  #running(): ExecProcess {
    if (this.#process === null || this.#process.ended !== null) {
      const started = new ExecProcess(this.#options.command, (line) => this.#takeLine(line));
      started.exit.then(
        () => this.#flight?.settled.resolve(),
        (error: unknown) => this.#fail(error),
      );
      this.#process = started;
    }
    return this.#process;
  }

  async #send(batch: ConsumerBatch, running: ExecProcess): Promise<void> {
    const { encoder } = this.#options;
    let text = '';
    for (const part of batch.parts) {
      encoder.encode(part, (line) => {
        text += `${line}\n`;
      });
      if (text.length < CHUNK_CHARS) continue;
      // oxlint-disable-next-line no-await-in-loop -- in order, and no faster than the command
      await running.write(text);
      text = '';
    }
    const now = isoMicroseconds(this.#nowMs() * 1000);
    await running.write(`${text}{"op":"progress","ts":"${now}","scn":${batch.scn}}\n`);
  }

  async #takeLine(line: string): Promise<void> {
    const [, digits] = /^ack +(\d{1,16})\s*$/.exec(line) ?? [];
    if (digits === undefined) {
      await this.#options.stdout.write(`${line}\n`);
      return;
    }
    const flight = this.#flight;
    const scn = Number(digits);
    if (flight === null) return; // Once more for what is done already.
    if (scn > flight.scn) {
      this.#fail(
        new TidingsError('COMMAND_FAILED', `the command acknowledges ${scn}, which it was never sent`, {
          hint: 'Print "ack" and the "scn" of the line {"op":"progress",…} that ends a batch, after its changes are dealt with.',
          details: { scn, sent: flight.scn },
        }),
      );
    } else if (scn >= flight.lastScn) {
      flight.acknowledged = true;
      flight.settled.resolve();
    }
  }

  /** @throws TidingsError COMMAND_FAILED */
  async #pause({ code, signal }: ExecExit): Promise<void> {
    const { command, log, stop } = this.#options;
    if (NOT_RUNNABLE.has(code)) {
      throw new TidingsError('COMMAND_FAILED', `the shell cannot run the command of --exec (exit code ${code})`, {
        hint: `Check that it exists and may be run: ${command}`,
      });
    }
    const delayMs = this.#backoff.nextDelayMs();
    const fields = { code, signal, delayMs, failures: this.#backoff.failures };
    log[this.#backoff.atCeiling ? 'error' : 'warn'](fields, 'the command ended before it had acknowledged its batch');
    await sleep(delayMs, undefined, { signal: stop }).catch(() => {});
  }

  /** The command may finish what it has, for a while. */
  #onStop(): void {
    this.#process?.endInput();
    const timer = setTimeout(() => {
      this.#late = true;
      this.#flight?.settled.resolve();
    }, this.#graceMs);
    timer.unref();
  }

  #fail(error: unknown): void {
    this.#failure = { error };
    this.#flight?.settled.resolve();
  }
}
