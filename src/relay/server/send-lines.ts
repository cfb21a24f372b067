import type { Clock } from '../../base/clock.ts';
import type { FrameChunk, FrameReader } from '../../client/transport.ts';
import { ERROR_CATALOG, type ErrorCode } from '../../core/error-catalog.ts';
import { TidingsError } from '../../core/errors.ts';
import { readBatch } from '../../formats/log/batch-reader.ts';
import { type ControlFrame, controlLength, decodeControl, isControl } from '../../formats/log/control-frame.ts';
import { ShapeRegistry } from '../../formats/log/shape-registry.ts';
import { RelayLines, writeText } from '../../formats/relay-lines.ts';
import { TurnAccount } from '../turns.ts';
import { LineBuffer } from './line-buffer.ts';
import type { LineFraming } from './line-framing.ts';
import { problemOf } from './problem.ts';
import type { ResponseWriter } from './response-writer.ts';

export interface LineResponseOptions {
  readonly writer: ResponseWriter;
  readonly framing: LineFraming;
  readonly clock: Clock;
  /** How often a response that has nothing to send says that it is alive. */
  readonly heartbeatMs: number;
  /** The most lines of changes. */
  readonly limit: number;
  readonly json: 'embedded' | 'text';
  /** Into how many slices the stream is shared: lines of rows say theirs. Null: they do not. */
  readonly partitions: number | null;
  /** The SCN that reading begins behind. Null for a group's member, who has one for each partition. */
  readonly after: number | null;
}

/** Changes as lines of JSON, or as events that hold them. */
export class LineResponse {
  readonly #options: LineResponseOptions;
  readonly #encoder: RelayLines;
  readonly #shapes: ShapeRegistry = new ShapeRegistry({ json: 'text' });
  readonly #lines: LineBuffer = new LineBuffer();
  readonly #turn: TurnAccount = new TurnAccount();
  /** What the client knows to have been passed. */
  #told: number;
  /** Of the last batch; empty before the first. */
  #position = '';
  #wroteMs: number;
  #writing = false;

  constructor(options: LineResponseOptions) {
    this.#options = options;
    const { framing, json, partitions, limit } = options;
    this.#encoder = new RelayLines({ framing: framing.kind, json, partitions }, limit);
    this.#told = options.after ?? 0;
    this.#wroteMs = options.clock.nowMs();
  }

  /** Resolves when everything was sent, or as many lines as were asked for. */
  async send(reader: FrameReader): Promise<void> {
    const { framing, clock, heartbeatMs } = this.#options;
    this.#add(framing.prologue);
    // Whoever loses the connection before the first change must be able to resume where it began.
    if (framing.kind === 'events' && this.#options.after !== null) {
      this.#add(framing.progress(this.#told, clock.nowMs()));
    }
    await this.#flush();
    const heartbeat = setInterval(() => this.#heartbeat(), Math.max(10, heartbeatMs / 3));
    try {
      while (this.#encoder.left > 0) {
        // oxlint-disable-next-line no-await-in-loop -- a stream is sent in order
        const chunk = await reader.next();
        if (chunk === null) break;
        try {
          // oxlint-disable-next-line no-await-in-loop -- lines are sent in order
          await this.#chunk(chunk, reader);
        } finally {
          chunk.release();
        }
      }
    } finally {
      clearInterval(heartbeat);
    }
    await this.#flush();
  }

  /** Says why the response ends before its end. */
  async fail(error: unknown): Promise<void> {
    this.#add(this.#options.framing.failure(problemOf(error)));
    await this.#flush();
  }

  async #chunk({ bytes, start, end }: FrameChunk, reader: FrameReader): Promise<void> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (this.#turn.isUsedUp) await this.#turn.next(waiting(reader));
    this.#turn.begin();
    for (let at = start; at < end && this.#encoder.left > 0;) {
      if (isControl(view, at)) {
        this.#control(decodeControl(bytes, view, at));
        at += controlLength(view, at);
        continue;
      }
      const batch = readBatch(bytes, view, at, this.#shapes, { end, previousPosition: this.#position });
      for (const _ of this.#encoder.write(batch.parts, this.#lines)) {
        const { isOver } = this.#turn;
        if (!isOver && !this.#lines.isFull) continue;
        this.#turn.pause();
        // oxlint-disable-next-line no-await-in-loop -- at the client's pace
        if (this.#lines.isFull) await this.#flush();
        // oxlint-disable-next-line no-await-in-loop -- others have their turn in between
        if (isOver) await this.#turn.next(waiting(reader));
        this.#turn.begin();
      }
      this.#told = Math.max(this.#told, this.#encoder.scn);
      this.#position = batch.position;
      at += batch.length;
    }
    this.#turn.pause();
    await this.#flush();
  }

  #control(frame: ControlFrame | null): void {
    const { framing, clock } = this.#options;
    switch (frame?.kind) {
      case 'shapes':
        for (const text of frame.shapes) this.#shapes.learn(text);
        break;
      case 'progress':
        // A member's progress is told partition by partition: in its assignment.
        if (frame.scn <= this.#told || this.#options.after === null) break;
        this.#told = frame.scn;
        this.#add(framing.progress(frame.scn, clock.nowMs()));
        break;
      case 'assignment':
        this.#add(framing.assignment(frame));
        break;
      case 'error':
        throw remoteError(frame);
      case 'lane':
        // Its batches lie elsewhere in the log: what came before says nothing about where they begin.
        this.#position = '';
        break;
      case 'hello':
      case undefined:
        break;
    }
  }

  #add(text: string): void {
    writeText(text, this.#lines);
  }

  /** Sends what was collected. */
  async #flush(): Promise<void> {
    this.#writing = true;
    for (let bytes = this.#lines.take(); bytes !== null; bytes = this.#lines.take()) {
      // oxlint-disable-next-line no-await-in-loop -- at the client's pace
      await this.#options.writer.write(bytes);
      this.#lines.release(bytes);
      this.#wroteMs = this.#options.clock.nowMs();
    }
    this.#writing = false;
  }

  #heartbeat(): void {
    const { framing, clock, heartbeatMs, writer } = this.#options;
    const nowMs = clock.nowMs();
    if (this.#writing || nowMs - this.#wroteMs < heartbeatMs) return;
    this.#wroteMs = nowMs;
    writer.writeSmall(framing.heartbeat(this.#told, nowMs));
  }
}

function waiting(reader: FrameReader): FrameReader | null {
  return reader.canWait?.() === true ? reader : null;
}

function remoteError({ code, message, hint }: { code: string; message: string; hint: string }): TidingsError {
  return new TidingsError(Object.hasOwn(ERROR_CATALOG, code) ? (code as ErrorCode) : 'INTERNAL_ERROR', message, {
    hint,
  });
}
