import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from '../base/backoff.ts';
import type { ConsumerBatch } from '../core/consumer.ts';
import type { Logger } from '../core/logger.ts';
import type { LineEncoder } from '../formats/line-encoder.ts';
import type { BatchTarget } from './batch-target.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import { CommandFeed } from '../sinks/exec/command-feed.ts';
import type { ExecExit } from '../sinks/exec/exec-process.ts';
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

/**
 * Feeds the batches of a stream to a command: see `CommandFeed`. A command that ends too early is started again, and gets the batch that it did not
 * acknowledge again from its first line.
 */
export class ExecTarget implements BatchTarget {
  readonly #options: ExecTargetOptions;
  readonly #backoff: Backoff = new Backoff(RESTART_PAUSE);
  readonly #feed: CommandFeed;

  constructor(options: ExecTargetOptions) {
    this.#options = options;
    const { command, stdout, log, stop } = options;
    this.#feed = new CommandFeed({
      command,
      takeOutput: (line) => stdout.write(`${line}\n`),
      log,
      stop,
      graceMs: options.graceMs ?? GRACE_MS,
      nowMs: options.nowMs ?? Date.now,
    });
  }

  /** @throws TidingsError COMMAND_FAILED when the command cannot be run at all, or breaks the protocol */
  async deliver(batch: ConsumerBatch): Promise<boolean> {
    const lastScn = lastScnOf(batch.parts);
    if (lastScn === null) return true;
    const { stop, log } = this.#options;
    const feeding = {
      lastScn,
      scn: batch.scn,
      send: (write: (text: string) => Promise<void>) => this.#send(batch, write),
    };
    for (;;) {
      // oxlint-disable no-await-in-loop -- one run of the command after the other
      const outcome = await this.#feed.feed(feeding);
      if (outcome === 'acknowledged') {
        this.#backoff.reset();
        return true;
      }
      if (outcome !== 'late') await this.#pause(outcome.ended);
      if (stop.aborted) return false;
      log.info({ scn: batch.scn }, 'starting the command again, with the batch that it did not acknowledge');
      // oxlint-enable no-await-in-loop
    }
  }

  async end(): Promise<ExitCode> {
    const { stop, log } = this.#options;
    const exit = await this.#feed.end();
    if (exit === null || exit.code === 0) return EXIT.ok;
    // What it had acknowledged is done; being stopped, how it ended is its own affair.
    log[stop.aborted ? 'warn' : 'error']({ ...exit }, 'the command ended with a failure');
    return stop.aborted ? EXIT.ok : EXIT.failed;
  }

  async #send(batch: ConsumerBatch, write: (text: string) => Promise<void>): Promise<void> {
    const { encoder } = this.#options;
    let text = '';
    for (const part of batch.parts) {
      encoder.encode(part, (line) => {
        text += `${line}\n`;
      });
      if (text.length < CHUNK_CHARS) continue;
      // oxlint-disable-next-line no-await-in-loop -- in order, and no faster than the command
      await write(text);
      text = '';
    }
    await write(text);
  }

  async #pause({ code, signal }: ExecExit): Promise<void> {
    const { log, stop } = this.#options;
    const delayMs = this.#backoff.nextDelayMs();
    const fields = { code, signal, delayMs, failures: this.#backoff.failures };
    log[this.#backoff.atCeiling ? 'error' : 'warn'](fields, 'the command ended before it had acknowledged its batch');
    await sleep(delayMs, undefined, { signal: stop }).catch(() => {});
  }
}
