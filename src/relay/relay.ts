import { access, constants, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import { createChangeStream } from '../client/change-stream.ts';
import type { Row } from '../core/change.ts';
import type { ChangeStream, StreamOptions } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import type { ServedStream, StreamDefinition } from './relay-api.ts';
import { noteLostState } from './state/state-file.ts';
import { RelayState } from './state/relay-state.ts';
import { StreamKeeper } from './stream-keeper.ts';

export interface RelayOptions {
  /** Where the logs and the small state live. Made when it is not there. One relay at a time. */
  readonly directory: string;
  readonly streams: Readonly<Record<string, StreamDefinition>>;
  readonly log?: Logger | undefined;
  readonly clock?: Clock | undefined;
  /** The text of TIDINGS_FAILPOINTS, for the threads that the relay starts. */
  readonly failpoints?: string | undefined;
}

const DEFAULT_PARTITIONS = 64;

/**
 * Runs sources, keeps their changes in durable logs, and serves those to consumers: in this process by `stream()`, to others by
 * a server over it (`server/relay-server.ts`).
 */
export class Relay implements AsyncDisposable {
  readonly #state: RelayState;
  readonly #streams: ReadonlyMap<string, StreamKeeper>;
  /** Being consumed in this process. */
  readonly #consumed = new Set<{ close(): Promise<void> }>();
  #closing: Promise<void> | null = null;

  private constructor(state: RelayState, streams: ReadonlyMap<string, StreamKeeper>) {
    this.#state = state;
    this.#streams = streams;
  }

  /**
   * What is wrong with one stream's log is told by that stream, and keeps none of the others from running.
   *
   * @throws TidingsError DIRECTORY_IN_USE, DIRECTORY_UNUSABLE, DISK_FULL, STATE_DAMAGED, STATE_NEWER
   */
  static async open({
    directory,
    streams: definitions,
    log = silentLogger,
    clock = systemClock,
    failpoints,
  }: RelayOptions): Promise<Relay> {
    const logs = join(directory, 'streams');
    await makeDirectory(directory);
    await noteLostState(directory, logs, log);
    // The state comes first: it holds the lock on the directory, and nobody may look at the logs without it.
    const state = await RelayState.open({ directory, log, ...(failpoints === undefined ? {} : { failpoints }) });
    const streams = new Map<string, StreamKeeper>();
    try {
      await makeDirectory(logs);
      for (const [name, definition] of Object.entries(definitions)) {
        const { partitions = DEFAULT_PARTITIONS } = definition;
        const options = { name, partitions, definition, directory: join(logs, name), state, clock };
        // oxlint-disable-next-line no-await-in-loop -- recovery reads the disk: one log after the other
        streams.set(name, await StreamKeeper.open({ ...options, log: log.child({ stream: name }) }));
      }
    } catch (error) {
      await Promise.allSettled([...streams.values()].map((stream) => stream.close()));
      await state.close();
      throw error;
    }
    return new Relay(state, streams);
  }

  get streams(): ReadonlyMap<string, ServedStream> {
    return this.#streams;
  }

  /**
   * Consumes a stream within this process, as `tidings/client` does from another one.
   *
   * @throws TidingsError STREAM_UNKNOWN, RELAY_CLOSING once it was told to close, and what keeps the stream's log from being opened: LOG_DAMAGED, DIRECTORY_UNUSABLE, …
   */
  stream<R = Row>(name: string, options: StreamOptions = {}): ChangeStream<R> {
    if (this.#closing !== null) {
      // A reader would wait for it to come back, and this one does not.
      throw new TidingsError('RELAY_CLOSING', 'the relay is closed', { retry: 'never', hint: 'Open it anew.' });
    }
    const stream = this.#streams.get(name);
    if (stream === undefined) {
      const known = [...this.#streams.keys()].join(', ');
      throw new TidingsError('STREAM_UNKNOWN', `this relay has no stream "${name}"`, {
        hint: `The streams are: ${known}.`,
        details: { stream: name },
      });
    }
    const { opening } = stream;
    if (opening.kind === 'failed') throw opening.error;
    const consumed: ChangeStream<R> = createChangeStream<R>(stream.transport, options, {
      onClose: () => this.#consumed.delete(consumed),
    });
    this.#consumed.add(consumed);
    return consumed;
  }

  /** Ends the sources, writes what they handed over, ends the readers, lets go of the directory. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // They would take the end of the relay for an outage, and wait for it to come back.
    await Promise.all([...this.#consumed].map((stream) => stream.close()));
    await Promise.all([...this.#streams.values()].map((stream) => stream.close()));
    await this.#state.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new TidingsError('DIRECTORY_UNUSABLE', `the directory ${directory} cannot be made, read or written`, {
      cause: error,
      details: { directory },
    });
  }
}
