import type { Clock } from '../../base/clock.ts';
import type { FrameChunk, FrameReader } from '../../client/transport.ts';
import { ERROR_CATALOG, type ErrorCode } from '../../core/error-catalog.ts';
import { TidingsError } from '../../core/errors.ts';
import { readBatch } from '../../formats/log/batch-reader.ts';
import { type ControlFrame, controlLength, decodeControl, isControl } from '../../formats/log/control-frame.ts';
import { ShapeRegistry } from '../../formats/log/shape-registry.ts';
import { RelayJsonEncoder, scnOf } from '../../formats/relay-json.ts';
import { LineBuffer } from './line-buffer.ts';
import type { LineFraming } from './line-framing.ts';
import { problemOf } from './problem.ts';
import type { ResponseWriter } from './response-writer.ts';
import { Slice, type Turns } from './turns.ts';

export interface LineResponseOptions {
  readonly writer: ResponseWriter;
  readonly framing: LineFraming;
  readonly turns: Turns;
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

/** Enough for one write to be worth its calls. */
const SEND_BYTES = 128 * 1024;
/** Smaller chunks are those of a reader at the end of the log: it cannot use up the thread. */
const FULL_CHUNK_BYTES = 32 * 1024;

/** Changes as lines of JSON, or as events that hold them. */
export class LineResponse {
  readonly #options: LineResponseOptions;
  readonly #encoder: RelayJsonEncoder;
  readonly #shapes: ShapeRegistry = new ShapeRegistry({ json: 'text' });
  readonly #lines: LineBuffer = new LineBuffer();
  readonly #slice: Slice;
  #left: number;
  /** What the client knows to have been passed. */
  #told: number;
  /** Of the last batch; empty before the first. */
  #position = '';
  #wroteMs: number;
  #writing = false;

  constructor(options: LineResponseOptions) {
    this.#options = options;
    this.#encoder = new RelayJsonEncoder({ json: options.json, partitions: options.partitions });
    this.#slice = new Slice(options.turns);
    this.#left = options.limit;
    this.#told = options.after ?? 0;
    this.#wroteMs = options.clock.nowMs();
  }

  /** Resolves when everything was sent, or as many lines as were asked for. */
  async send(reader: FrameReader): Promise<void> {
    const { framing, clock, heartbeatMs } = this.#options;
    this.#lines.add(framing.prologue);
    // Whoever loses the connection before the first change must be able to resume where it began.
    if (framing.prologue !== '' && this.#options.after !== null) {
      this.#lines.add(framing.progress(this.#told, clock.nowMs()));
    }
    await this.#flush();
    const heartbeat = setInterval(() => this.#heartbeat(), Math.max(10, heartbeatMs / 3));
    try {
      while (this.#left > 0) {
        // oxlint-disable-next-line no-await-in-loop -- a stream is sent in order
        const chunk = await reader.next();
        if (chunk === null) break;
        try {
          // oxlint-disable-next-line no-await-in-loop
          await this.#chunk(chunk);
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
    this.#lines.add(this.#options.framing.failure(problemOf(error)));
    await this.#flush();
  }

  async #chunk({ bytes, start, end }: FrameChunk): Promise<void> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const isFull = end - start >= FULL_CHUNK_BYTES;
    if (!isFull) this.#slice.reset();
    this.#slice.begin();
    for (let at = start; at < end && this.#left > 0;) {
      if (isControl(view, at)) {
        this.#control(decodeControl(bytes, view, at));
        at += controlLength(view, at);
        continue;
      }
      const batch = readBatch(bytes, view, at, this.#shapes, { end, previousPosition: this.#position });
      for (const part of batch.parts) {
        this.#encoder.encode(part, (line, entry, row) => {
          if (this.#left === 0) return;
          this.#left--;
          const scn = scnOf(entry, row);
          const op = entry.type === 'rows' ? entry.kind : entry.type;
          this.#lines.add(this.#options.framing.change(line, scn, op));
          this.#told = scn;
        });
        if (this.#lines.bytes < SEND_BYTES) continue;
        this.#slice.pause();
        // oxlint-disable-next-line no-await-in-loop -- at the client's pace
        await this.#flush();
        this.#slice.begin();
        // oxlint-disable-next-line no-await-in-loop
        if (isFull && this.#slice.isOver) await this.#slice.yield();
      }
      this.#position = batch.position;
      at += batch.length;
    }
    this.#slice.pause();
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
        this.#lines.add(framing.progress(frame.scn, clock.nowMs()));
        break;
      case 'assignment':
        this.#lines.add(framing.assignment(frame));
        break;
      case 'error':
        throw remoteError(frame);
      case 'hello':
      case 'lane':
      case undefined:
        break;
    }
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

function remoteError({ code, message, hint }: { code: string; message: string; hint: string }): TidingsError {
  return new TidingsError(Object.hasOwn(ERROR_CATALOG, code) ? (code as ErrorCode) : 'INTERNAL_ERROR', message, {
    hint,
  });
}
