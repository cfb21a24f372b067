import { TidingsError } from '../../core/errors.ts';
import type {
  Sink,
  SinkBatch,
  SinkCheckpoint,
  SinkContext,
  SinkPromise,
  SinkTarget,
  TargetPlan,
} from '../../core/sink.ts';
import { checkWholeRows } from '../../core/whole-rows.ts';
import { batchLines } from '../../formats/sink-batch-lines.ts';
import { type SinkLines, sinkLines } from '../../formats/sink-lines.ts';
import { CommandFeed } from './command-feed.ts';
import { type ExecSinkOptions, type ExecSinkSettings, parseExecSinkOptions } from './config.ts';
import type { ExecExit } from './exec-process.ts';

/** So much of what a command printed last on stderr is told when it fails. */
const ERROR_CHARS = 1000;

/**
 * Hands rows as lines to a command, which acknowledges them: see `CommandFeed`. Each lane has a process of it, which is started with its first batch. One that has ended is
 * started again with the next attempt: when, is up to the runner, which is told how it ended.
 */
export class ExecSink implements Sink {
  readonly promise: SinkPromise = 'at-least-once';
  readonly #settings: ExecSinkSettings;
  readonly #lanes: Map<SinkBatch['lane'], Lane> = new Map();
  readonly #stop: AbortController = new AbortController();
  #context: SinkContext | null = null;
  #lines: SinkLines | null = null;

  /** @throws TidingsError CONFIG_INVALID */
  constructor(options: ExecSinkOptions) {
    this.#settings = parseExecSinkOptions(options);
  }

  open(context: SinkContext): Promise<void> {
    const { lines, metaPrefix } = this.#settings;
    this.#context = context;
    this.#lines = sinkLines(lines, { metaPrefix, tellsTable: true, log: context.log });
    if (context.signal.aborted) this.#stop.abort();
    else context.signal.addEventListener('abort', () => this.#stop.abort(), { once: true });
    return Promise.resolve();
  }

  prepare(target: SinkTarget): Promise<TargetPlan> {
    return Promise.resolve().then(() => {
      checkWholeRows(target);
      this.#opened.lines.check(target);
      return { serial: false };
    });
  }

  async write({ lane, rows, checkpoints }: SinkBatch): Promise<void> {
    if (rows.length === 0) return;
    const texts = batchLines(rows, this.#opened.lines);
    const lastScn = rows.reduce((highest, { scn }) => Math.max(highest, scn), 0);
    await this.#feed(lane, texts, { lastScn, checkpoints });
  }

  async truncate(target: SinkTarget, checkpoints: readonly SinkCheckpoint[]): Promise<void> {
    const { lines, context } = this.#opened;
    const scn = highestOf(checkpoints, 0);
    const texts: string[] = [];
    lines.ofTruncation({ target, scn, atUs: context.clock.nowMs() * 1000 }, (line) => texts.push(`${line}\n`));
    await this.#feed('serial', texts, { lastScn: scn, checkpoints });
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.#lanes.values()].map(async ({ feed }) => {
        const exit = await feed.end();
        if (exit !== null && exit.code !== 0) this.#context?.log.warn({ ...exit }, 'the command ended with a failure');
      }),
    );
    this.#stop.abort();
  }

  get #opened(): { readonly lines: SinkLines; readonly context: SinkContext } {
    if (this.#lines === null || this.#context === null) throw new RangeError('the sink is not open');
    return { lines: this.#lines, context: this.#context };
  }

  async #feed(
    lane: SinkBatch['lane'],
    texts: readonly string[],
    { lastScn, checkpoints }: { readonly lastScn: number; readonly checkpoints: readonly SinkCheckpoint[] },
  ): Promise<void> {
    const running = this.#laneOf(lane);
    const outcome = await running.feed.feed({
      lastScn,
      scn: highestOf(checkpoints, lastScn),
      send: async (write) => {
        // oxlint-disable-next-line no-await-in-loop -- in order, and no faster than the command
        for (const text of texts) await write(text);
      },
    });
    if (outcome === 'acknowledged') return;
    throw outcome === 'late'
      ? new TidingsError('COMMAND_FAILED', 'the command was told to stop, and did not acknowledge its batch in time', {
          retry: 'backoff',
        })
      : commandEnded(outcome.ended, running.errors);
  }

  #laneOf(lane: SinkBatch['lane']): Lane {
    let known = this.#lanes.get(lane);
    if (known === undefined) {
      known = new Lane(this.#settings, { context: this.#opened.context, stop: this.#stop.signal });
      this.#lanes.set(lane, known);
    }
    return known;
  }
}

class Lane {
  readonly feed: CommandFeed;
  /** What the command has printed last on stderr. */
  errors = '';

  constructor(
    { command, graceMs }: ExecSinkSettings,
    { context, stop }: { readonly context: SinkContext; readonly stop: AbortSignal },
  ) {
    const { log, clock } = context;
    this.feed = new CommandFeed({
      command,
      takeOutput: (line) => {
        // What it prints may be rows (I10).
        log.debug({ chars: line.length }, 'the command has printed a line that is no acknowledgement');
        return Promise.resolve();
      },
      takeError: (line) => {
        this.errors = `${this.errors}${line}\n`.slice(-ERROR_CHARS);
      },
      log,
      stop,
      graceMs,
      nowMs: () => clock.nowMs(),
    });
  }
}

function highestOf(checkpoints: readonly SinkCheckpoint[], least: number): number {
  return checkpoints.reduce((highest, { scn }) => Math.max(highest, scn), least);
}

function commandEnded({ code, signal }: ExecExit, errors: string): TidingsError {
  const how = code === null ? `by ${signal}` : `with exit code ${code}`;
  const said = errors === '' ? 'It printed nothing on stderr.' : `It said on stderr: ${errors.trimEnd()}`;
  return new TidingsError('COMMAND_FAILED', `the command ended ${how} before it had acknowledged its batch`, {
    retry: 'backoff',
    hint: `It is started again, with the same batch. ${said}`,
    details: code === null ? { signal: String(signal) } : { code },
  });
}
