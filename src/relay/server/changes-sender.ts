import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FrameReader } from '../../client/transport.ts';
import { isTidingsError } from '../../core/errors.ts';
import type { RelayStream } from '../relay-api.ts';
import { NDJSON, SERVER_SENT_EVENTS } from './line-framing.ts';
import { BATCHES_TYPE, type ChangesFormat } from './media-type.ts';
import type { OpenResponses } from './open-responses.ts';
import { ResponseWriter } from './response-writer.ts';
import type { RouteContext } from './routing.ts';
import { RestartPace } from './restart-pace.ts';
import { failureFrame, sendBatches } from './send-batches.ts';
import { LineResponse } from './send-lines.ts';

export interface ChangesOptions {
  readonly stuckAfterMs: number;
  readonly heartbeatMs: number;
  readonly responses: OpenResponses;
}

/** What one request wants, and what comes of it. */
export interface Reading {
  readonly stream: RelayStream;
  readonly format: ChangesFormat;
  readonly limit: number;
  readonly json: 'embedded' | 'text';
  /** Null for a group's member. */
  readonly after: number | null;
  readonly open: (signal: AbortSignal) => Promise<FrameReader>;
}

/** Sends readings as responses of their formats. */
export class ChangesSender {
  readonly #context: RouteContext;
  readonly #options: ChangesOptions;
  readonly #pace = new RestartPace();

  constructor(context: RouteContext, options: ChangesOptions) {
    this.#context = context;
    this.#options = options;
  }

  /**
   * Resolves when the response has ended, however it did.
   *
   * @throws TidingsError what the reading cannot begin with, before anything was sent
   */
  async send(reading: Reading, { request, reply }: { request: FastifyRequest; reply: FastifyReply }): Promise<void> {
    const { clock } = this.#context;
    const response = this.#options.responses.begin(reply.raw);
    try {
      const name = `${request.ip} ${request.url}`;
      await this.#untilItsTurn(name, reading, response.signal);
      const beganMs = clock.nowMs();
      const reader = await reading.open(response.signal);
      try {
        const ended = await this.#respond(reading, { request, reply, reader, signal: response.signal });
        if (ended === 'gone') this.#pace.left(name, { beganMs, nowMs: clock.nowMs() });
      } finally {
        reader.close();
      }
    } finally {
      response.done();
    }
  }

  async #untilItsTurn(name: string, { stream, format }: Reading, signal: AbortSignal): Promise<void> {
    const { clock, metrics } = this.#context;
    const waitMs = this.#pace.waitMs(name, clock.nowMs());
    if (waitMs === 0) return;
    metrics.readersDelayed.inc({ stream: stream.name, format });
    // A client that has gone meanwhile is found to be gone when its response begins.
    await clock.sleep(waitMs, signal).catch(() => undefined);
  }

  async #respond(
    reading: Reading,
    {
      request,
      reply,
      reader,
      signal,
    }: { request: FastifyRequest; reply: FastifyReply; reader: FrameReader; signal: AbortSignal },
  ): Promise<'complete' | 'gone' | 'failed' | 'stuck'> {
    const { stream, format, after } = reading;
    const { metrics, log } = this.#context;
    const labels = { stream: stream.name, format };
    let stuck = false;
    const { raw } = reply.hijack();
    const writer = new ResponseWriter(raw, {
      stuckAfterMs: this.#options.stuckAfterMs,
      onBytes: (count) => metrics.readerBytes.inc(labels, count),
      onStuck: () => {
        stuck = true;
        log.warn({ ...labels, address: request.ip }, 'a consumer took nothing for too long and was disconnected');
      },
    });
    raw.writeHead(200, {
      'content-type': contentTypeOf(format),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // nginx would collect events before it passes them on.
      'x-accel-buffering': 'no',
      ...(after === null ? {} : { 'tidings-from': String(after) }),
    });
    // The head goes out at once: a stream may be quiet for long.
    raw.flushHeaders();
    metrics.readersOpen.inc(labels);
    const ended = await this.#stream(reading, { reader, writer, signal });
    metrics.readersOpen.dec(labels);
    const reason = stuck ? 'stuck' : ended;
    metrics.readersEnded.inc({ ...labels, reason });
    return reason;
  }

  async #stream(
    reading: Reading,
    { reader, writer, signal }: { reader: FrameReader; writer: ResponseWriter; signal: AbortSignal },
  ): Promise<'complete' | 'gone' | 'failed'> {
    const { format } = reading;
    const lines = format === 'binary' ? null : this.#lines(reading, writer);
    try {
      await (lines === null ? sendBatches(reader, writer) : lines.send(reader));
      if (writer.gone) return 'gone';
      writer.end();
      return 'complete';
    } catch (error) {
      if (writer.gone) return 'gone';
      if (signal.aborted) {
        // Being stopped is no failure: what was sent ends where a frame or line does.
        writer.end();
        return 'complete';
      }
      this.#context.log.warn({ error, stream: reading.stream.name, format }, 'a response with changes failed');
      try {
        await (lines === null ? writer.write(failureFrame(error)) : lines.fail(error));
      } catch (writeError) {
        if (!isTidingsError(writeError)) throw writeError;
      } finally {
        writer.cut();
      }
      return 'failed';
    }
  }

  #lines({ stream, format, limit, json, after }: Reading, writer: ResponseWriter): LineResponse {
    return new LineResponse({
      writer,
      framing: format === 'sse' ? SERVER_SENT_EVENTS : NDJSON,
      clock: this.#context.clock,
      heartbeatMs: this.#options.heartbeatMs,
      limit,
      json,
      partitions: after === null ? stream.log.partitions : null,
      after,
    });
  }
}

function contentTypeOf(format: ChangesFormat): string {
  switch (format) {
    case 'ndjson':
      return NDJSON.contentType;
    case 'sse':
      return SERVER_SENT_EVENTS.contentType;
    case 'binary':
      return BATCHES_TYPE;
  }
}
