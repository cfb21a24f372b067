import type { Clock } from '../base/clock.ts';
import type {
  ChangeStream,
  NamedCheckpointStore,
  ConsumerBatch,
  StreamChange,
  StreamEntry,
  StreamOptions,
} from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Mapper } from '../core/mapper.ts';
import type { Sink, SinkCheckpoint, SinkTarget, TargetPlan } from '../core/sink.ts';
import { BatchPacker } from './batch-packer.ts';
import { ChangeRouter } from './change-router.ts';
import { CommitOrder, type Unit } from './commit-order.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import { type DeliveryStream, type SinkDefinition, WHOLE_STREAM } from './delivery-types.ts';
import type { Written } from './lane.ts';
import { LaneSet } from './lane-set.ts';
import { Lock } from './lock.ts';
import type { ParkedKeys } from './parked-keys.ts';
import { readerPlace } from './reader-place.ts';
import { StoreProgress } from './store-progress.ts';
import { StoredScns } from './stored-scns.ts';
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
/**
 * One run of a sink, from opening it until it fails or is told to end: takes batches from the stream, makes rows of their changes and gives
 * them to the lanes.
 *
 * Order (I3): a partition is in one lane, and a lane writes in order. Where something must not be overtaken in any lane (a truncation, another definition
 * of a target, a key that is redriven) all lanes are empty before it begins, and get nothing until it is over.
 */
export class SinkSession {
  readonly #options: SinkSessionOptions;
  readonly #stop: AbortController = new AbortController();
  readonly #commits: CommitOrder;
  readonly #lock: Lock = new Lock();
  readonly #plans = new Map<SinkTarget, TargetPlan>();
  readonly #prepared = new Map<string, SinkTarget>();
  readonly #stored: StoredScns = new StoredScns();
  readonly #progress: StoreProgress;
  readonly #partitions = new Set<number>();
  #failure: { readonly error: unknown } | null = null;
  #stream: ChangeStream | null = null;
  #finishing: Promise<void> | null = null;
  #sink: Sink | null = null;
  #mapper: Mapper | null = null;
  #gate: WriteGate | null = null;
  #lanes: LaneSet | null = null;
  #router: ChangeRouter | null = null;
  /** Null: rows always go one by one. */
  #packer: BatchPacker | null = null;
  /** Of the last entry that came. */
  #lastScn = 0;

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
    return this.#lanes?.rows ?? 0;
  }

  /** Commit time of the oldest of them, µs. */
  get oldestUs(): number | null {
    return this.#lanes?.oldestUs ?? null;
  }

  /** Until the signal aborts. @throws what the sink, the stream or the mapping fails with */
  async run(): Promise<void> {
    const { signal, onRunning } = this.#options;
    signal.throwIfAborted();
    const end = (): void => void this.#finish();
    try {
      const { sink, mapper } = await this.#open();
      this.#stream = await this.#openStream(sink, mapper);
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
      else onRunning();
      // It ends when the stream is closed, by `#finish` or `#fail`.
      for await (const batch of this.#stream) {
        await this.#lock.run(() => this.#dispatch(batch));
        await this.#lanes?.hasRoom(() => this.#isGoingOn);
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
      await this.#open();
      return await work();
    } finally {
      await this.#close();
    }
  }

  async #open(): Promise<{ readonly sink: Sink; readonly mapper: Mapper }> {
    const { definition, clock, log, signal } = this.#options;
    const mapper = await definition.makeMapper(signal);
    this.#mapper = mapper;
    const sink = await definition.makeSink();
    this.#sink = sink;
    this.#checkOrder(sink);
    const lanes = definition.order === 'key' ? definition.lanes : 1;
    const context = { name: definition.name, stream: definition.stream, order: definition.order, lanes };
    await sink.open({ ...context, log, clock, signal: this.#stop.signal });
    const set = this.#openLanes(sink, lanes);
    this.#router = new ChangeRouter({
      mapper,
      parked: this.#options.parked,
      stored: this.#stored,
      lanes: set.lanes,
      serial: set.serial,
      plans: this.#plans,
      plan: (target) => this.plan(target),
    });
    const { packing } = sink;
    if (packing !== undefined && mapper.passing !== undefined && definition.order === 'key') {
      this.#packer = new BatchPacker({
        packing,
        mapper,
        parked: this.#options.parked,
        stored: this.#stored,
        lanes: set,
        limits: definition.batch,
        plan: (target) => this.plan(target),
        drain: () => this.#drain(),
      });
    }
    return { sink, mapper };
  }

  async #close(): Promise<void> {
    this.#stop.abort(new Error('the sink has ended'));
    await this.#stream?.close();
    await this.#lanes?.idle();
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
        if (this.#sink === null || this.#mapper === null || this.#gate === null || this.#stop.signal.aborted) {
          throw new TidingsError('SINK_NOT_RUNNING', `sink ${this.#options.definition.name} is not running`);
        }
        if (this.#lanes?.isOpen === true) return null;
        return { of: await work(this.#sink, this.#mapper, this.#gate) };
      });
      if (outcome !== null) return outcome.of;
      // oxlint-disable-next-line no-await-in-loop -- the rest of the transaction comes meanwhile
      await this.#options.clock.sleep(TRANSACTION_MS, this.#stop.signal);
    }
  }

  /** How rows of a target go to the store. @throws what the sink's `prepare` throws */
  async plan(target: SinkTarget): Promise<TargetPlan> {
    const known = this.#plans.get(target);
    if (known !== undefined) return known;
    const { database, name } = target.table;
    const tableName = `${database}\0${name}`;
    // Rows of the former definition are written under it.
    if (this.#prepared.has(tableName)) await this.#drain();
    const sink = this.#sink as Sink;
    const plan = await (this.#gate as WriteGate).run(() => sink.prepare(target));
    this.#plans.set(target, plan);
    this.#prepared.set(tableName, target);
    return plan;
  }

  #checkOrder(sink: Sink): void {
    const { order, name } = this.#options.definition;
    if (order === 'key' || sink.claim !== undefined) return;
    throw new TidingsError('SINK_ORDER_UNSUPPORTED', `sink ${name} cannot apply whole transactions`, {
      details: { sink: name, promise: sink.promise },
    });
  }

  #openLanes(sink: Sink, count: number): LaneSet {
    const { definition, clock, log, parked, onWaiting, onWritten } = this.#options;
    const { signal } = this.#stop;
    const gate = new WriteGate({ backoff: definition.backoff, clock, log, signal, onWaiting });
    this.#gate = gate;
    this.#lanes = new LaneSet({
      count,
      order: definition.order,
      sink,
      gate,
      commits: this.#commits,
      limits: definition.batch,
      clock,
      signal,
      parking: parked,
      written: (what) => {
        onWritten(what);
        this.#progress.wrote(what);
      },
      failed: (error) => this.#fail(error),
    });
    return this.#lanes;
  }

  async #openStream(sink: Sink, mapper: Mapper): Promise<ChangeStream> {
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
      return stream.open({ ...options, bootstrap, checkpoints: this.#placeIn(sink) });
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
      onAssigned: (partitions) => this.#claim(sink, partitions),
      onRevoked: (partitions) => this.#letGo(partitions),
    });
  }

  #placeIn(sink: Sink): NamedCheckpointStore {
    const { definition, store, clock } = this.#options;
    return readerPlace({
      sink: definition.name,
      store,
      clock,
      lane: () => this.#lanes?.lanes[0],
      claim: async () => {
        await this.#claim(sink, [WHOLE_STREAM]);
        return this.#stored.of(WHOLE_STREAM);
      },
      check: () => {
        if (this.#failure !== null) throw this.#failure.error;
      },
    });
  }

  async #claim(sink: Sink, partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) this.#partitions.add(partition);
    const claim = sink.claim?.bind(sink);
    if (claim === undefined) return;
    const checkpoints = await (this.#gate as WriteGate).run(() => claim(partitions));
    if (partitions.length > 0) this.#progress.claimed();
    for (const checkpoint of checkpoints) this.#stored.set(checkpoint);
  }

  async #letGo(partitions: readonly number[]): Promise<void> {
    await this.#drain();
    await this.#commits.settled();
    for (const partition of partitions) {
      this.#partitions.delete(partition);
      this.#stored.delete(partition);
    }
  }

  async #dispatch(batch: ConsumerBatch): Promise<void> {
    if (!this.#isGoingOn) return;
    const unit = this.#commits.begin(batch);
    if (this.#options.definition.order === 'transaction') {
      for (const { entries, ends } of batch.transactions) {
        // oxlint-disable-next-line no-await-in-loop -- in commit order
        await this.#entries(entries, unit);
        const scn = ends ? (entries.at(-1)?.scn ?? this.#lastScn) : null;
        if (scn !== null && !this.#stored.has(WHOLE_STREAM, scn, false)) {
          this.#lanes?.lanes[0]?.endTransaction(scn, WHOLE_STREAM, unit);
        }
      }
    } else if (!(await this.#packed(batch, unit))) await this.#entries(batch.entries, unit);
    this.#commits.done(unit);
  }

  /** Rows that can go as bytes do. False: they have to go one by one. */
  async #packed(batch: ConsumerBatch, unit: Unit): Promise<boolean> {
    const packs = (await this.#packer?.packed(batch)) ?? null;
    if (packs === null || this.#failure !== null) return false;
    this.#lanes?.pushPacks(packs, unit);
    return true;
  }

  async #entries(entries: readonly StreamEntry[], unit: Unit): Promise<void> {
    const router = this.#router as ChangeRouter;
    for (let at = 0; at < entries.length;) {
      if (this.#failure !== null) return;
      const end = endOfChanges(entries, at);
      // oxlint-disable-next-line no-await-in-loop -- entries are in order
      if (end > at) await router.route(entries, { from: at, to: end, unit });
      const entry = entries[end];
      // oxlint-disable-next-line no-await-in-loop -- as above
      if (entry !== undefined && !isChange(entry) && entry.type === 'truncate') await this.#truncate(entry);
      at = end + 1;
      this.#lastScn = entries[Math.min(end, entries.length - 1)]?.scn ?? this.#lastScn;
    }
  }

  async #truncate({
    database,
    table,
    scn,
  }: {
    readonly database: string;
    readonly table: string;
    readonly scn: number;
  }): Promise<void> {
    const sink = this.#sink as Sink;
    const targets = (this.#mapper as Mapper).targetsOf(database, table);
    if (targets.length === 0) return;
    const behind = [...this.#partitions].filter((partition) => !this.#stored.has(partition, scn, false));
    if (behind.length === 0) return;
    await this.#drain();
    const checkpoints: SinkCheckpoint[] = behind.flatMap((partition) =>
      this.#lanes?.serial === null
        ? [{ partition, serial: false, scn }]
        : [
            { partition, serial: false, scn },
            { partition, serial: true, scn },
          ],
    );
    for (const [index, target] of targets.entries()) {
      // Without columns it is a name only: a store would make a table without columns of it.
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      if (target.table.columns.length > 0) await this.plan(target);
      const isLast = index === targets.length - 1;
      // oxlint-disable-next-line no-await-in-loop -- as above
      await (this.#gate as WriteGate).run(() => sink.truncate(target, isLast ? checkpoints : []));
      this.#options.parked.clear(target);
    }
  }

  /** Resolves when the lanes are empty. */
  async #drain(): Promise<void> {
    await this.#lanes?.idle();
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
    this.#lanes?.wakeUp();
    return this.#finishing;
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#failure ??= { error };
    this.#stop.abort(error);
    this.#lanes?.wakeUp();
    void this.#stream?.close();
  }
}

function isChange(entry: StreamEntry): entry is StreamChange {
  return 'kind' in entry;
}

/** The first entry from there on that is no change. */
function endOfChanges(entries: readonly StreamEntry[], at: number): number {
  let end = at;
  while (end < entries.length && isChange(entries[end] as StreamEntry)) end++;
  return end;
}
