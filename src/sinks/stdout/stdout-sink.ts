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
import { type SinkLineFormat, type SinkLines, sinkLines } from '../../formats/sink-lines.ts';

export interface StdoutSinkOptions {
  /** What a line is: the change in one of its formats, or the row as it stands. @default 'json' */
  readonly lines?: SinkLineFormat | undefined;
  /** With `rows`: with what the names of the added members begin. @default '_' */
  readonly metaPrefix?: string | undefined;
  /** Resolves when the reader has taken the text. Calls do not overlap. */
  readonly write: (text: string) => Promise<void>;
}

/** Prints lines. A batch is dealt with when the reader of stdout has taken them. */
export class StdoutSink implements Sink {
  readonly promise: SinkPromise = 'at-least-once';
  readonly #options: StdoutSinkOptions;
  #context: SinkContext | null = null;
  #lines: SinkLines | null = null;
  #tail: Promise<void> = Promise.resolve();

  constructor(options: StdoutSinkOptions) {
    this.#options = options;
  }

  open(context: SinkContext): Promise<void> {
    this.#context = context;
    const { lines = 'json', metaPrefix = '_' } = this.#options;
    this.#lines = sinkLines(lines, { metaPrefix, tellsTable: true, log: context.log });
    return Promise.resolve();
  }

  prepare(target: SinkTarget): Promise<TargetPlan> {
    return Promise.resolve().then(() => {
      checkWholeRows(target);
      this.#opened.lines.check(target);
      return { serial: false };
    });
  }

  async write({ rows }: SinkBatch): Promise<void> {
    await this.#print(batchLines(rows, this.#opened.lines));
  }

  async truncate(target: SinkTarget, checkpoints: readonly SinkCheckpoint[]): Promise<void> {
    const { lines, context } = this.#opened;
    const scn = Math.max(0, ...checkpoints.map((checkpoint) => checkpoint.scn));
    const texts: string[] = [];
    lines.ofTruncation({ target, scn, atUs: context.clock.nowMs() * 1000 }, (line) => texts.push(`${line}\n`));
    await this.#print(texts);
  }

  close(): Promise<void> {
    return this.#tail;
  }

  get #opened(): { readonly lines: SinkLines; readonly context: SinkContext } {
    if (this.#lines === null || this.#context === null) throw new RangeError('the sink is not open');
    return { lines: this.#lines, context: this.#context };
  }

  /** Lanes write at the same time: the lines of one batch stay together. */
  #print(texts: readonly string[]): Promise<void> {
    const printed = this.#tail.then(() => this.#write(texts));
    this.#tail = printed.catch(() => {});
    return printed;
  }

  async #write(texts: readonly string[]): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- in order, and no faster than the reader
    for (const text of texts) await this.#options.write(text);
  }
}
