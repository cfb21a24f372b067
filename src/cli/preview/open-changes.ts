import { createChangeStream } from '../../client/change-stream.ts';
import { HttpRequests } from '../../client/http-requests.ts';
import { HttpTransport } from '../../client/http-transport.ts';
import type { FrameReader, ReadRequest } from '../../client/transport.ts';
import type { ChangeStream, StartAt } from '../../core/consumer.ts';
import type { Logger } from '../../core/logger.ts';
import type { RelayAddress } from '../relay-arguments.ts';

export interface OpenChangesOptions {
  readonly stream: string;
  readonly tables: readonly string[];
  /** Into how many slices the stream is shared; null: read as one that takes whole transactions. */
  readonly partitions: number | null;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const REQUEST_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 15_000;

/** A stream's changes as a sink gets them, but without a group, a checkpoint, or anything else that the relay would keep. */
export class OpenChanges {
  readonly #requests: HttpRequests;
  readonly #options: OpenChangesOptions;

  constructor({ url, token }: RelayAddress, options: OpenChangesOptions) {
    this.#requests = new HttpRequests({ url: new URL(url), token, timeoutMs: REQUEST_TIMEOUT_MS });
    this.#options = options;
  }

  /** From a place to what is the end when it begins. */
  from(from: StartAt): ChangeStream {
    const { stream, tables, partitions, log, signal } = this.#options;
    const options = { requests: this.#requests, stream, idleTimeoutMs: IDLE_TIMEOUT_MS, verify: null };
    const transport = partitions === null ? new HttpTransport(options) : new SlicesTransport(options, partitions);
    return createChangeStream(transport, { tables, from, untilEnd: true, json: 'text', log, signal });
  }

  close(): void {
    this.#requests.close();
  }
}

/** Reads all slices of the keys, by their numbers: an update that moved its key comes in halves then, as the members of a group get it. */
class SlicesTransport extends HttpTransport {
  readonly #partitions: readonly number[];

  constructor(options: ConstructorParameters<typeof HttpTransport>[0], partitions: number) {
    super(options);
    this.#partitions = Array.from({ length: partitions }, (_, index) => index);
  }

  override read(request: ReadRequest, signal: AbortSignal): Promise<FrameReader> {
    return super.read({ ...request, partitions: this.#partitions }, signal);
  }
}
