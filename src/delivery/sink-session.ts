import type { Clock } from '../base/clock.ts';
import type { ChangeStream, NamedCheckpointStore, StreamOptions } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Mapper } from '../core/mapper.ts';
import type { Sink, SinkTarget, TargetPlan } from '../core/sink.ts';
import { BatchDispatcher } from './batch-dispatcher.ts';
import { ClaimedPartitions } from './claimed-partitions.ts';
import { CommitOrder } from './commit-order.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import { type DeliveryStream, type SinkDefinition, WHOLE_STREAM } from './delivery-types.ts';
import type { Written } from './lane.ts';
import { LaneSet } from './lane-set.ts';
import { Lock } from './lock.ts';
import type { ParkedKeys } from './parked-keys.ts';
import { readerPlace } from './reader-place.ts';
import { StoreProgress } from './store-progress.ts';
import { WriteGate } from './write-gate.ts';

export interface SinkSessionOptions {
  readonly definition: SinkDefinition;
  readonly stream: DeliveryStream;
  readonly parked: ParkedKeys;
  readonly store: DeadLetterStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the session: what is on its way is written, nothing more is read. */
  readonly signal: AbortSignal;
  readonly onRunning: () => void;
  readonly onWaiting: (error: unknown) => void;
  readonly onWritten: (what: Written) => void;
}

/** The name of the group, or of the reader, that a sink is to the relay. */
function sinkGroup(name: string): string {
  return `sink-${name}`;
}

/** How long the end of a session waits for what is on its way. */
const DRAIN_MS = 10_000;
/** How often it is looked whether a transaction has come to its end. */
const TRANSACTION_MS = 20;

/** What there is of a session once its sink is open. */
interface OpenParts {
  readonly sink: Sink;
  readonly mapper: Mapper;
  readonly gate: WriteGate;
  readonly lanes: LaneSet;
  readonly claimed: ClaimedPartitions;
  readonly dispatcher: BatchDispatcher;
}

/**
 * One run of a sink, from opening it until it fails or is told to end: opens and closes what takes part in it, and has the batches of the stream
 * dispatched one after the other.
 *
 * Order (I3): a partition is in one lane, and a lane writes in order. Where something must not be overtaken in any lane (a truncation, another definition
 * of a target, a key that is redriven) all lanes are empty before it begins, and get nothing until it is over.
 */
export class SinkSession {
  readonly #options: SinkSessionOptions;
  readonly #stop: AbortController = new AbortController();
  readonly #commits: CommitOrder;
  readonly #lock: Lock = new Lock();
  readonly #progress: StoreProgress;
  #failure: { readonly error: unknown } | null = null;
  #stream: ChangeStream | null = null;
  #finishing: Promise<void> | null = null;
  #sink: Sink | null = null;
  #open: OpenParts | null = null;

  constructor(options: SinkSessionOptions) {
    this.#options = options;
    const { definition, store, clock } = options;
    this.#progress = new StoreProgress({ sink: definition.name, store, clock });
    this.#commits = new CommitOrder((error) => this.#fail(error));
  }

  get sink(): Sink | null {
    return this.#sink;
  }

  /** Rows that are on their way to the store. */
  get pending(): number {
    return this.#open?.lanes.rows ?? 0;
  }

  /** Commit time of the oldest of them, µs. */
  get oldestUs(): number | null {
    return this.#open?.lanes.oldestUs ?? null;
  }

  /** Until the signal aborts. @throws what the sink, the stream or the mapping fails with */
  async run(): Promise<void> {
    const { signal, onRunning } = this.#options;
    signal.throwIfAborted();
    const end = (): void => void this.#finish();
    try {
      const open = await this.#openParts();
      this.#stream = await this.#openStream(open);
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
      else onRunning();
      // It ends when the stream is closed, by `#finish` or `#fail`.
      for await (const batch of this.#stream) {
        await this.#lock.run(async () => {
          if (this.#isGoingOn) await open.dispatcher.dispatch(batch);
        });
        await open.lanes.hasRoom(() => this.#isGoingOn);
      }
      await this.#finishing;
    } finally {
      signal.removeEventListener('abort', end);
      await this.#close();
    }
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Opens the sink for a piece of work alone, without reading the stream. @throws as `exclusively`, and what opening fails with */
  async aside<T>(work: () => Promise<T>): Promise<T> {
    try {
      await this.#openParts();
      return await work();
    } finally {
      await this.#close();
    }
  }

  async #openParts(): Promise<OpenParts> {
    const { definition, clock, log, signal, parked } = this.#options;
    const mapper = await definition.makeMapper(signal);
    const sink = await definition.makeSink();
    this.#sink = sink;
    this.#checkOrder(sink);
    const count = definition.order === 'key' ? definition.lanes : 1;
    const context = { name: definition.name, stream: definition.stream, order: definition.order, lanes: count };
    await sink.open({ ...context, log, clock, signal: this.#stop.signal });
    const gate = this.#makeGate();
    const lanes = this.#makeLanes({ sink, gate, count });
    const claimed = new ClaimedPartitions({ sink, gate, progress: this.#progress });
    const dispatcher = new BatchDispatcher({
      definition,
      sink,
      mapper,
      gate,
      lanes,
      claimed,
      commits: this.#commits,
      parked,
      drain: () => this.#drain(),
      hasFailed: () => this.#failure !== null,
    });
    this.#open = { sink, mapper, gate, lanes, claimed, dispatcher };
    return this.#open;
  }

  async #close(): Promise<void> {
    this.#stop.abort(new Error('the sink has ended'));
    await this.#stream?.close();
    await this.#open?.lanes.idle();
    await this.#sink?.close();
    this.#progress.keep();
  }

  /**
   * Does something while nothing else is written, and nothing is read that could overtake it.
   *
   * @throws what the work throws, and what the session has failed with
   */
  async exclusively<T>(work: (sink: Sink, mapper: Mapper, gate: Pick<WriteGate, 'run'>) => Promise<T>): Promise<T> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- until no transaction is half written
      const outcome = await this.#lock.run(async () => {
        await this.#drain();
        if (this.#open === null || this.#stop.signal.aborted) throw this.#notRunning();
        const { sink, mapper, gate, lanes } = this.#open;
        return lanes.isOpen ? null : { of: await work(sink, mapper, gate) };
      });
      if (outcome !== null) return outcome.of;
      // oxlint-disable-next-line no-await-in-loop -- the rest of the transaction comes meanwhile
      await this.#options.clock.sleep(TRANSACTION_MS, this.#stop.signal);
    }
  }

  /** How rows of a target go to the store. @throws what the sink's `prepare` throws */
  async plan(target: SinkTarget): Promise<TargetPlan> {
    if (this.#open === null) throw this.#notRunning();
    return this.#open.dispatcher.plan(target);
  }

  #notRunning(): TidingsError {
    return new TidingsError('SINK_NOT_RUNNING', `sink ${this.#options.definition.name} is not running`);
  }

  #checkOrder(sink: Sink): void {
    const { order, name } = this.#options.definition;
    if (order === 'key' || sink.claim !== undefined) return;
    throw new TidingsError('SINK_ORDER_UNSUPPORTED', `sink ${name} cannot apply whole transactions`, {
      details: { sink: name, promise: sink.promise },
    });
  }

  #makeGate(): WriteGate {
    const { definition, clock, log, onWaiting } = this.#options;
    return new WriteGate({ backoff: definition.backoff, clock, log, signal: this.#stop.signal, onWaiting });
  }

  #makeLanes({
    sink,
    gate,
    count,
  }: {
    readonly sink: Sink;
    readonly gate: WriteGate;
    readonly count: number;
  }): LaneSet {
    const { definition, clock, parked, onWritten } = this.#options;
    return new LaneSet({
      count,
      order: definition.order,
      sink,
      gate,
      commits: this.#commits,
      limits: definition.batch,
      clock,
      signal: this.#stop.signal,
      parking: parked,
      written: (what) => {
        onWritten(what);
        this.#progress.wrote(what);
      },
      failed: (error) => this.#fail(error),
    });
  }

  async #openStream({ sink, mapper, lanes, claimed }: OpenParts): Promise<ChangeStream> {
    const { definition, stream, log } = this.#options;
    const { name, order, from, bootstrap } = definition;
    const options: StreamOptions = {
      tables: mapper.tables,
      ...(mapper.columns === null ? {} : { columns: mapper.columns }),
      ...(from === undefined ? {} : { from }),
      json: 'text',
      log,
    };
    if (order === 'transaction') {
      return stream.open({ ...options, bootstrap, checkpoints: this.#placeIn(lanes, claimed) });
    }
    const group = sinkGroup(name);
    return stream.open({
      ...options,
      group,
      // One process at a time is this sink: another one takes over.
      member: 'sink',
      bootstrap: await this.#progress.bootstrapMode(sink, {
        bootstrap,
        group,
        committed: await stream.checkpointOf(group),
      }),
      onAssigned: (partitions) => claimed.claim(partitions),
      onRevoked: (partitions) => this.#letGo(claimed, partitions),
    });
  }

  #placeIn(lanes: LaneSet, claimed: ClaimedPartitions): NamedCheckpointStore {
    const { definition, store, clock } = this.#options;
    return readerPlace({
      sink: definition.name,
      store,
      clock,
      lane: () => lanes.lanes[0],
      claim: async () => {
        await claimed.claim([WHOLE_STREAM]);
        return claimed.stored.of(WHOLE_STREAM);
      },
      check: () => {
        if (this.#failure !== null) throw this.#failure.error;
      },
    });
  }

  async #letGo(claimed: ClaimedPartitions, partitions: readonly number[]): Promise<void> {
    await this.#drain();
    await this.#commits.settled();
    claimed.letGo(partitions);
  }

  /** Resolves when the lanes are empty. */
  async #drain(): Promise<void> {
    await this.#open?.lanes.idle();
    if (this.#failure !== null) throw this.#failure.error;
  }

  get #isGoingOn(): boolean {
    return this.#failure === null && this.#finishing === null;
  }

  /** What is on its way is written and committed while the group still has its partitions; then the stream ends. */
  #finish(): Promise<void> {
    this.#finishing ??= this.#lock.run(async () => {
      const limit = new AbortController();
      const drained = this.#drain().then(() => this.#commits.settled());
      // What it fails with is in `#failure`.
      await Promise.race([drained.catch(() => {}), this.#options.clock.sleep(DRAIN_MS, limit.signal).catch(() => {})]);
      limit.abort();
      await this.#stream?.close();
    });
    this.#open?.lanes.wakeUp();
    return this.#finishing;
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#failure ??= { error };
    this.#stop.abort(error);
    this.#open?.lanes.wakeUp();
    void this.#stream?.close();
  }
}
