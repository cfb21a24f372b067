import { type Clock, systemClock } from '../base/clock.ts';
import type { CommitOutcome, CheckpointStore, StartAt, StreamOptions } from '../core/consumer.ts';
import { isTidingsError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { isTransient } from '../core/retry.ts';
import { batchFirstScn, batchLastScn, batchLength } from '../formats/log/batch-header.ts';
import { type LogTransactionPart, readBatch } from '../formats/log/batch-reader.ts';
import type { ControlFrame } from '../formats/log/control-frame.ts';
import { viewOf } from '../formats/log/filter-output.ts';
import { ShapeRegistry } from '../formats/log/shape-registry.ts';
import { cutBatch } from './batch-cut.ts';
import { atMost } from './at-most.ts';
import { loadedScn } from './check-options.ts';
import { Checkpointer } from './checkpointer.ts';
import { type ConsumerEngine, type ConsumerTiming, JOIN_BYTES } from './consumer-engine.ts';
import { isBound, memoryCheckpoints } from './checkpoint-stores.ts';
import { filterOf } from './filter-options.ts';
import { Gathering } from './gathering.ts';
import { ReaderBootstrap } from './reader-bootstrap.ts';
import { frameError, Reading } from './reading.ts';
import { StreamBatch } from './stream-batch.ts';
import { StreamIdentity } from './stream-identity.ts';
import type { FrameReader, StreamName, Transport } from './transport.ts';

const NOTHING_FENCED: CommitOutcome = { fenced: [] };

/**
 * A reader without a group: one place in the stream, one checkpoint, both its own.
 *
 * - A lost connection is resumed behind the last change that was handed over, so that nothing comes twice while the process lives.
 * - The checkpoint moves to transaction ends only (I2), by `commit` only; or past what the filter left out, when all that was handed
 *   over has been committed.
 * - With `bootstrap`, a beginning puts it behind what is there, and the rows come from there on.
 */
export class PlainConsumer<R> implements ConsumerEngine<R> {
  readonly #transport: Transport;
  readonly #options: StreamOptions;
  readonly #store: CheckpointStore;
  readonly #log: Logger;
  readonly #reading: Reading;
  readonly #bootstrap: ReaderBootstrap;
  readonly #shapes: ShapeRegistry;
  readonly #identity = new StreamIdentity();
  #checkpointer: Checkpointer | null = null;
  #start: StartAt = 'latest';
  /** Everything up to this SCN was handed over, or did not pass the filter. Null until the stream has told where it begins. */
  #position: number | null = null;
  /** The last transaction end at or before `#position`. */
  #safe: number | null = null;
  /** `#position` lies inside a transaction of which changes were handed over. */
  #open = false;
  /** The write of the first checkpoint, where reading began, until it is durable. */
  #beginning: Promise<void> | null = null;
  /** Where the source stands at `#position`. */
  #sourcePosition: string | undefined;
  /** With `untilEnd`: reading ends when it has got here. */
  #target: number | null = null;
  #batch: StreamBatch<R> | null = null;
  /** The last one handed over. */
  #last: StreamBatch<R> | null = null;
  /** Whether the last batch handed over, and so every one, was committed. */
  #committed = true;
  /** What was found behind the last batch that could be read; null: nothing wrong. */
  #failure: { readonly error: unknown } | null = null;
  #ended = false;
  #closed = false;
  /** `close` waits no longer for the store. */
  #isOver = false;
  readonly #over: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #clock: Clock;

  constructor(transport: Transport, options: StreamOptions, timing: ConsumerTiming) {
    this.#transport = transport;
    this.#options = options;
    this.#store = options.checkpoints ?? memoryCheckpoints();
    this.#log = options.log ?? silentLogger;
    this.#clock = timing.clock ?? systemClock;
    this.#bootstrap = new ReaderBootstrap({ transport, store: this.#store, options, log: this.#log });
    this.#shapes = new ShapeRegistry({ json: options.json ?? 'parsed' });
    this.#reading = new Reading({
      open: (signal) => this.#read(signal),
      cures: (error) => this.#bootstrap.cures(error),
      follow: options.untilEnd !== true,
      log: options.log,
      ...timing,
    });
  }

  async next(): Promise<StreamBatch<R> | null> {
    this.#batch?.expire();
    this.#batch = null;
    if (this.#checkpointer === null && !this.#closed) await Promise.race([this.#begin(), this.#over.promise]);
    while (!this.#closed && !this.#ended) {
      let batch: StreamBatch<R> | null;
      try {
        if (this.#failure !== null) throw this.#failure.error;
        batch = this.#gather();
      } catch (error) {
        // What cannot be understood may be the connection's fault: everything not handed over is read again.
        this.#failure = null;
        // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
        await this.#reading.failed(error);
        continue;
      }
      if (batch !== null) {
        // oxlint-disable-next-line no-await-in-loop -- nothing is handed over before the beginning is durable
        if (this.#beginning !== null) await Promise.race([this.#beginning, this.#over.promise]);
        if (this.#isOver) break;
        this.#beginning = null;
        return batch;
      }
      if (this.#isAtTarget()) this.#ended = true;
      // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
      else if (!(await this.#reading.fill())) this.#ended = true;
    }
    this.#reading.release();
    return null;
  }

  finished(): void {
    this.#batch?.expire();
    this.#reading.release();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#reading.close();
    if (this.#checkpointer !== null) await atMost(this.#checkpointer.settled(), this.#clock);
    this.#isOver = true;
    this.#over.resolve();
    // Its name goes with its store: nobody can go on under it.
    if (this.#options.checkpoints === undefined) await this.#bootstrap.dismiss();
  }

  async #begin(): Promise<void> {
    const checkpoint = loadedScn(await this.#store.load());
    await this.#bootstrap.load(checkpoint);
    this.#checkpointer = new Checkpointer(this.#store, checkpoint);
    this.#start = checkpoint ?? this.#options.from ?? 'latest';
    if (typeof this.#start === 'number') {
      this.#position = this.#start;
      this.#safe = this.#start;
    }
  }

  async #read(signal: AbortSignal): Promise<FrameReader> {
    if (this.#bootstrap.isDue) await this.#beginAnew(signal);
    const { name } = this.#bootstrap;
    try {
      return await this.#transport.read(
        {
          ...filterOf(this.#options),
          from: this.#position ?? this.#start,
          ...(name === null ? {} : { reader: name }),
          follow: this.#options.untilEnd !== true,
        },
        signal,
      );
    } catch (error) {
      if (isAboutPlace(error) && this.#position !== null) await this.#checkStream(signal);
      // The next attempt begins with it.
      if (this.#bootstrap.cures(error)) this.#bootstrap.plan({ truncate: true });
      throw error;
    }
  }

  /**
   * A place that is refused may be one of another stream: that is to be said then, as a snapshot or another place would be the wrong cure.
   *
   * @throws TidingsError CHECKPOINT_INVALID, SCN_UNKNOWN, and what may pass
   */
  async #checkStream(signal: AbortSignal): Promise<void> {
    let name: StreamName;
    try {
      name = await this.#transport.identity(signal);
    } catch (error) {
      if (isTransient(error)) throw error;
      this.#log.info({ error }, 'it cannot be told whether the place that is refused is one of another stream');
      return;
    }
    this.#identity.checkCreated(name);
    if (isBound(this.#store)) this.#store.bind(name);
  }

  /** Whatever was dealt with so far, and is perhaps not committed: each table begins anew behind this place. */
  async #beginAnew(signal: AbortSignal): Promise<void> {
    const after = await this.#bootstrap.begin(this.#checkpointer as Checkpointer, signal);
    this.#position = after;
    this.#safe = after;
    this.#open = false;
    this.#sourcePosition = undefined;
  }

  /** What of the chunk at hand is for the consumer; null when there is nothing more in it. */
  #gather(): StreamBatch<R> | null {
    const reading = this.#reading;
    const gathering = new Gathering();
    try {
      while (reading.hasFrame && gathering.bytes < JOIN_BYTES) {
        if (reading.isControl) this.#control(reading.takeControl());
        else this.#take(gathering);
      }
    } catch (error) {
      // What came before it is good, and the place in the stream is behind it already: it is handed over first.
      if (!gathering.isSomething) throw error;
      this.#failure = { error };
    }
    if (gathering.isSomething) return this.#handOver(gathering);
    this.#moveOn();
    return null;
  }

  #take(gathering: Gathering): void {
    const { bytes, view, at } = this.#reading;
    const last = batchLastScn(view, at);
    const length = batchLength(view, at);
    const position = this.#position ?? Number.NEGATIVE_INFINITY;
    const first = batchFirstScn(view, at);
    // Handed over before the connection was lost; or a batch of transactions without changes.
    if (last > position) {
      const parts = first > position ? this.#decode(bytes, view, at) : this.#decodeBehind(position);
      gathering.add(parts.parts, length);
      this.#position = last;
      this.#open = parts.open;
      if (!parts.open) this.#safe = last;
      this.#sourcePosition = parts.position;
    } else {
      // Nothing of it is wanted, but for the shapes that it may define.
      this.#decode(bytes, view, at);
    }
    this.#reading.skipBatch();
    this.#reading.progressed();
  }

  // oxlint-disable-next-line max-params -- bytes, and a place in them
  #decode(bytes: Buffer, view: DataView, at: number): Decoded {
    const end = at + batchLength(view, at);
    return readBatch(bytes, view, at, this.#shapes, {
      end: Math.min(end, bytes.length),
      ...(this.#sourcePosition === undefined ? {} : { previousPosition: this.#sourcePosition }),
    });
  }

  /** Reading begins inside of the batch at hand. */
  #decodeBehind(position: number): Decoded {
    const { bytes, view, at } = this.#reading;
    const cut = cutBatch(
      { bytes, view, start: at },
      { row: (_hash, scn) => scn > position, statement: (scn) => scn > position },
    );
    if (cut !== null) return this.#decode(cut, viewOf(cut), 0);
    return { ...this.#decode(bytes, view, at), parts: [] };
  }

  #handOver(gathering: Gathering): StreamBatch<R> {
    const scn = this.#position as number;
    const safe = this.#safe;
    this.#committed = false;
    const batch: StreamBatch<R> = new StreamBatch<R>({
      parts: gathering.parts,
      count: gathering.count,
      scn,
      commit: () => this.#commit(batch, safe),
    });
    this.#batch = batch;
    this.#last = batch;
    return batch;
  }

  async #commit(batch: StreamBatch<R>, safe: number | null): Promise<CommitOutcome> {
    const isLast = batch === this.#last;
    if (isLast) this.#committed = true;
    // Behind the last batch nothing was handed over: all that passed since then is dealt with, too.
    const scn = isLast ? this.#safe : safe;
    if (scn !== null) await (this.#checkpointer as Checkpointer).commit(scn);
    return NOTHING_FENCED;
  }

  #control(frame: ControlFrame | null): void {
    switch (frame?.kind) {
      case 'hello':
        this.#greet(frame);
        break;
      case 'shapes':
        for (const text of frame.shapes) this.#shapes.learn(text);
        break;
      case 'progress':
        this.#progress(frame.scn);
        break;
      case 'error':
        throw frameError(frame);
      case 'assignment':
      case 'lane':
      case undefined:
        break;
    }
  }

  #greet(frame: ControlFrame & { readonly kind: 'hello' }): void {
    const { stream, created, first, last } = frame;
    this.#identity.check(frame, this.#position);
    if (isBound(this.#store)) this.#store.bind({ stream, createdMs: created });
    if (this.#options.untilEnd === true && this.#target === null) this.#target = last ?? Number.NEGATIVE_INFINITY;
    if (this.#position !== null) return;
    // Where the relay says that this reading begins; an older one leaves it to what it has.
    const { after } = frame as { readonly after?: unknown };
    const begins =
      typeof after === 'number'
        ? after
        : this.#start === 'latest'
          ? last
          : this.#start === 'earliest' && first !== null
            ? first - 1
            : null;
    if (begins === null) {
      // Nothing was there yet: all that comes is behind the beginning.
      if (this.#start === 'latest') this.#start = 'earliest';
      return;
    }
    this.#position = begins;
    this.#safe = begins;
    // Durable before anything is handed over: `latest` would mean another place after a restart, and what was committed in between
    // would be missed (I4).
    this.#beginning = (this.#checkpointer as Checkpointer).commit(begins);
    // Its failure is seen where it is awaited.
    this.#beginning.catch(() => {});
  }

  #progress(scn: number): void {
    this.#reading.progressed();
    if (scn < (this.#position ?? Number.NEGATIVE_INFINITY)) return;
    this.#position = scn;
    if (!this.#open) this.#safe = scn;
  }

  /**
   * The checkpoint follows what did not pass the filter, so that a quiet reader does not fall out of what the log keeps. Only when all
   * that was read has been handed over, and all of that was committed.
   */
  #moveOn(): void {
    if (!this.#committed || this.#safe === null || this.#closed) return;
    (this.#checkpointer as Checkpointer).commit(this.#safe).catch((error: unknown) => {
      this.#log.warn({ error }, 'the checkpoint could not be stored; it is tried again with the next one');
    });
  }

  #isAtTarget(): boolean {
    if (this.#target === null) return false;
    return this.#target === Number.NEGATIVE_INFINITY || (this.#position ?? Number.NEGATIVE_INFINITY) >= this.#target;
  }
}

function isAboutPlace(error: unknown): boolean {
  return isTidingsError(error) && (error.code === 'SCN_PURGED' || error.code === 'SCN_UNKNOWN');
}

interface Decoded {
  readonly parts: readonly LogTransactionPart[];
  readonly open: boolean;
  readonly position: string;
}
