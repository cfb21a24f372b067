import type { Clock } from '../base/clock.ts';
import type {
  ChangeStream,
  NamedCheckpointStore,
  ConsumerBatch,
  StreamChange,
  StreamEntry,
  StreamOptions,
} from '../core/consumer.ts';
import { isTidingsError, TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { MappedRow, Mapper } from '../core/mapper.ts';
import type { Sink, SinkCheckpoint, SinkRow, SinkTarget, TargetPlan } from '../core/sink.ts';
import { CommitOrder, type Unit } from './commit-order.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import type { DeliveryStream, SinkDefinition } from './delivery-types.ts';
import { Lane } from './lane.ts';
import { Lock } from './lock.ts';
import type { ParkedKeys } from './parked-keys.ts';
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
  readonly onWritten: (rows: readonly SinkRow[]) => void;
}

/** The name of the group, or of the reader, that a sink is to the relay. */
function sinkGroup(name: string): string {
  return `sink-${name}`;
}

/** With whole transactions there are no partitions: the one place in the stream is kept under this number. */
const WHOLE_STREAM = -1;
/** How much may be on its way to the store, in batches of each lane. */
const BATCHES_AHEAD = 3;
/** How long the end of a session waits for what is on its way. */
const DRAIN_MS = 10_000;
/** How often it is looked whether a transaction has come to its end. */
const TRANSACTION_MS = 20;
/** How often the place of a reader is written though there are no rows. */
const IDLE_SAVE_MS = 5000;

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
  /** SCNs up to which the store has rows, by partition: of its ordinary lane, and of the serial one. */
  readonly #stored = { ordinary: new Map<number, number>(), serial: new Map<number, number>() };
  readonly #partitions = new Set<number>();
  #failure: { readonly error: unknown } | null = null;
  #stream: ChangeStream | null = null;
  #finishing: Promise<void> | null = null;
  #sink: Sink | null = null;
  #mapper: Mapper | null = null;
  #gate: WriteGate | null = null;
  #lanes: readonly Lane[] = [];
  #serial: Lane | null = null;
  #room: PromiseWithResolvers<void> | null = null;
  /** Of the last entry that came. */
  #lastScn = 0;

  constructor(options: SinkSessionOptions) {
    this.#options = options;
    this.#commits = new CommitOrder((error) => this.#fail(error));
  }

  get sink(): Sink | null {
    return this.#sink;
  }

  /** Rows that are on their way to the store. */
  get pending(): number {
    return this.#allLanes.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** Commit time of the oldest of them, µs. */
  get oldestUs(): number | null {
    const times = this.#allLanes.flatMap(({ oldestUs }) => (oldestUs === null ? [] : [oldestUs]));
    return times.length === 0 ? null : Math.min(...times);
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
        await this.#hasRoom();
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
    const { definition, clock, log } = this.#options;
    const mapper = await definition.makeMapper();
    this.#mapper = mapper;
    const sink = await definition.makeSink();
    this.#sink = sink;
    this.#checkOrder(sink);
    const lanes = definition.order === 'key' ? definition.lanes : 1;
    const context = { name: definition.name, stream: definition.stream, order: definition.order, lanes };
    await sink.open({ ...context, log, clock, signal: this.#stop.signal });
    this.#openLanes(sink, lanes);
    return { sink, mapper };
  }

  async #close(): Promise<void> {
    this.#stop.abort(new Error('the sink has ended'));
    await this.#stream?.close();
    await Promise.all(this.#allLanes.map((lane) => lane.idle()));
    await this.#sink?.close();
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
        if (this.#allLanes.some(({ isOpen }) => isOpen)) return null;
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

  get #allLanes(): readonly Lane[] {
    return this.#serial === null ? this.#lanes : [...this.#lanes, this.#serial];
  }

  #checkOrder(sink: Sink): void {
    const { order, name } = this.#options.definition;
    if (order === 'key' || sink.claim !== undefined) return;
    throw new TidingsError('SINK_ORDER_UNSUPPORTED', `sink ${name} cannot apply whole transactions`, {
      details: { sink: name, promise: sink.promise },
    });
  }

  #openLanes(sink: Sink, count: number): void {
    const { definition, clock, log, parked, onWaiting, onWritten } = this.#options;
    const { signal } = this.#stop;
    const gate = new WriteGate({ backoff: definition.backoff, clock, log, signal, onWaiting });
    this.#gate = gate;
    const lane = (which: number | 'serial'): Lane =>
      new Lane({
        lane: which,
        order: definition.order,
        sink,
        gate,
        commits: this.#commits,
        limits: definition.batch,
        clock,
        signal,
        parking: parked,
        written: onWritten,
        failed: (error) => this.#fail(error),
        drained: () => this.#wakeUp(),
      });
    this.#lanes = Array.from({ length: count }, (_, index) => lane(index));
    this.#serial = definition.order === 'key' ? lane('serial') : null;
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
      return stream.open({ ...options, bootstrap, checkpoints: this.#checkpointsIn(sink) });
    }
    const group = sinkGroup(name);
    return stream.open({
      ...options,
      group,
      // One process at a time is this sink: another one takes over.
      member: 'sink',
      bootstrap: await this.#bootstrapMode(sink, group),
      onAssigned: (partitions) => this.#claim(sink, partitions),
      onRevoked: (partitions) => this.#letGo(partitions),
    });
  }

  /**
   * The place of a reader without a group, kept in the store with the data. The name under which the rows are read that exist already is kept beside the dead
   * letters: written before the checkpoint, and taken only when the checkpoint has followed.
   */
  #checkpointsIn(sink: Sink): NamedCheckpointStore {
    const { definition, store, clock } = this.#options;
    let moved = 0;
    let movedMs = Number.NEGATIVE_INFINITY;
    const move = async (scn: number): Promise<void> => {
      const [lane] = this.#lanes;
      moved = scn;
      movedMs = clock.nowMs();
      lane?.endTransaction(scn, WHOLE_STREAM, null);
      await lane?.idle();
      if (this.#failure !== null) throw this.#failure.error;
    };
    return {
      load: async () => {
        await this.#claim(sink, [WHOLE_STREAM]);
        moved = this.#stored.ordinary.get(WHOLE_STREAM) ?? 0;
        return moved === 0 ? null : moved;
      },
      loadName: () => {
        const reader = store.reader(definition.name);
        if (reader === null) return Promise.resolve(null);
        return Promise.resolve(moved >= reader.after ? reader.name : reader.former);
      },
      begin: async (name, scn) => {
        const former = store.reader(definition.name);
        store.setReader(definition.name, { name, after: scn, former: former?.name ?? null });
        await move(scn);
      },
      // Rows move it along. Where reading began, and what passed by without a row, is written alone: the first at once, as `latest` would be another
      // place after a restart (I4), the rest now and then.
      save: async (scn) => {
        const [lane] = this.#lanes;
        const isEarly = moved > 0 && clock.nowMs() - movedMs < IDLE_SAVE_MS;
        // Whatever was pushed behind it says more.
        if (lane === undefined || lane.isOpen || isEarly || scn <= Math.max(moved, lane.lastScn)) return;
        await move(scn);
      },
    };
  }

  /** A store that has never heard of this sink has nothing of what the group has read: its rows have to come anew. */
  async #bootstrapMode(sink: Sink, group: string): Promise<'never' | 'auto' | 'always'> {
    const { bootstrap, name } = this.#options.definition;
    if (sink.claim === undefined || bootstrap === 'always' || !(await this.#options.stream.hasGroup(group))) {
      return bootstrap;
    }
    if ((await sink.claim([])).length > 0) return bootstrap;
    if (bootstrap !== 'never') return 'always';
    throw new TidingsError(
      'SINK_EMPTY',
      `the store of sink ${name} has none of its checkpoints, and its group has read on`,
      {
        details: { sink: name, group },
      },
    );
  }

  async #claim(sink: Sink, partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) this.#partitions.add(partition);
    const claim = sink.claim?.bind(sink);
    if (claim === undefined) return;
    for (const { partition, serial, scn } of await (this.#gate as WriteGate).run(() => claim(partitions))) {
      const stored = serial ? this.#stored.serial : this.#stored.ordinary;
      stored.set(partition, scn);
    }
  }

  async #letGo(partitions: readonly number[]): Promise<void> {
    await this.#drain();
    await this.#commits.settled();
    for (const partition of partitions) {
      this.#partitions.delete(partition);
      this.#stored.ordinary.delete(partition);
      this.#stored.serial.delete(partition);
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
        if (scn !== null && !this.#isStored(WHOLE_STREAM, scn, false)) {
          this.#lanes[0]?.endTransaction(scn, WHOLE_STREAM, unit);
        }
      }
    } else await this.#entries(batch.entries, unit);
    this.#commits.done(unit);
  }

  async #entries(entries: readonly StreamEntry[], unit: Unit): Promise<void> {
    for (let at = 0; at < entries.length;) {
      if (this.#failure !== null) return;
      const entry = entries[at] as StreamEntry;
      this.#lastScn = entry.scn;
      if ('kind' in entry) {
        const end = endOfChange(entries, at);
        const work = this.#change(entries.slice(at, end) as StreamChange[], unit);
        // No promise for a row that takes none.
        // oxlint-disable-next-line no-await-in-loop -- rows are in order
        if (work !== null) await work;
        at = end;
        continue;
      }
      // oxlint-disable-next-line no-await-in-loop -- as above
      if (entry.type === 'truncate') await this.#truncate(entry);
      at++;
    }
  }

  /**
   * All rows of one change go to the lanes at once: a checkpoint says that all of them are there. A change comes in halves when it has moved its key.
   */
  #change(halves: readonly StreamChange[], unit: Unit): Promise<void> | null {
    const ready: PlacedRow[] = [];
    for (const [index, change] of halves.entries()) {
      const rows = this.#mapped(change);
      if (rows === null) continue;
      if (rows instanceof Promise || rows.some(({ target }) => !this.#plans.has(target))) {
        return this.#changeLater(halves.slice(index), ready, { first: rows, unit });
      }
      for (const row of rows) ready.push({ row, change });
    }
    this.#push(ready, unit);
    return null;
  }

  async #changeLater(
    halves: readonly StreamChange[],
    ready: PlacedRow[],
    { first, unit }: { readonly first: readonly MappedRow[] | Promise<readonly MappedRow[]>; readonly unit: Unit },
  ): Promise<void> {
    for (const [index, change] of halves.entries()) {
      let rows: readonly MappedRow[] | null;
      try {
        // oxlint-disable-next-line no-await-in-loop -- rows are in order
        rows = await (index === 0 ? first : this.#mapped(change));
      } catch (error) {
        this.#unmapped(change, error);
        continue;
      }
      for (const row of rows ?? []) {
        // oxlint-disable-next-line no-await-in-loop -- as above
        await this.plan(row.target);
        ready.push({ row, change });
      }
    }
    this.#push(ready, unit);
  }

  /** Null when nothing is to be written of the change. */
  #mapped(change: StreamChange): readonly MappedRow[] | Promise<readonly MappedRow[]> | null {
    const partition = change.partition ?? WHOLE_STREAM;
    // In neither lane there is anything to do.
    if (this.#isStored(partition, change.scn, false) && this.#isStored(partition, change.scn, true)) return null;
    const { parked } = this.#options;
    if (parked.blocksChange(change)) {
      parked.parkChange(change, null);
      return null;
    }
    try {
      return (this.#mapper as Mapper).map(change);
    } catch (error) {
      this.#unmapped(change, error);
      return null;
    }
  }

  #unmapped(change: StreamChange, error: unknown): void {
    const isOfRow =
      isTidingsError(error) && error.code.startsWith('MAPPING_') && error.code !== ('MAPPING_INVALID' as string);
    if (!isOfRow) throw error;
    this.#options.parked.parkChange(change, error);
  }

  #push(rows: readonly PlacedRow[], unit: Unit): void {
    for (const { row, change } of rows) {
      const partition = change.partition ?? WHOLE_STREAM;
      const isSerial = this.#serial !== null && (this.#plans.get(row.target)?.serial === true || !row.keepsKey);
      if (this.#isStored(partition, row.scn, isSerial)) continue;
      const lane = isSerial ? this.#serial : this.#lanes[Math.max(partition, 0) % this.#lanes.length];
      lane?.push(row, partition, unit);
    }
  }

  #isStored(partition: number, scn: number, serial: boolean): boolean {
    const stored = serial ? this.#stored.serial : this.#stored.ordinary;
    return scn <= (stored.get(partition) ?? Number.NEGATIVE_INFINITY);
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
    const behind = [...this.#partitions].filter((partition) => !this.#isStored(partition, scn, false));
    if (behind.length === 0) return;
    await this.#drain();
    const checkpoints: SinkCheckpoint[] = behind.flatMap((partition) =>
      this.#serial === null
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
    await Promise.all(this.#allLanes.map((lane) => lane.idle()));
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Waits until less is on its way. */
  async #hasRoom(): Promise<void> {
    const { rowsMax, bytesMax } = this.#options.definition.batch;
    const lanes = this.#allLanes;
    const most = lanes.length * BATCHES_AHEAD;
    const isFull = (): boolean =>
      lanes.reduce((sum, { rows }) => sum + rows, 0) > most * rowsMax ||
      lanes.reduce((sum, { bytes }) => sum + bytes, 0) > most * bytesMax;
    while (isFull() && this.#isGoingOn) {
      this.#room = Promise.withResolvers();
      // oxlint-disable-next-line no-await-in-loop -- until there is room
      await this.#room.promise;
    }
  }

  #wakeUp(): void {
    this.#room?.resolve();
    this.#room = null;
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
    this.#wakeUp();
    return this.#finishing;
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#failure ??= { error };
    this.#stop.abort(error);
    this.#wakeUp();
    void this.#stream?.close();
  }
}

interface PlacedRow {
  readonly row: MappedRow;
  readonly change: StreamChange;
}

/** Behind the entries that came of the same change as the one there. */
function endOfChange(entries: readonly StreamEntry[], at: number): number {
  let end = at + 1;
  while (end < entries.length && entries[end]?.scn === entries[at]?.scn) end++;
  return end;
}
