import type { SchemaChange, Truncation } from '../../../core/change.ts';
import type { Key } from '../../../core/plain-rows.ts';
import type { Position } from '../../../core/position.ts';
import type { ChangeBatch, Entry, RowBatch, TransactionPart } from '../../../core/source.ts';
import type { TableSchema } from '../../../core/table-schema.ts';
import { type Delivery, type DeliveryControl, type DeliveryOptions, EntryRouter } from './delivery.ts';
import type { HandlerCalls } from './handler-calls.ts';
import { KeyedLanes } from './keyed-lanes.ts';
import { type LaneOf, laneOfTable } from './lane-key.ts';
import { type OpenTransaction, OpenTransactions, type Reached } from './open-transactions.ts';
import { type EventContext, keyEventOf, rawEventMaker } from './row-events.ts';
import { samePosition } from './sequential-delivery.ts';

export interface ConcurrentDeliveryOptions extends DeliveryOptions {
  /** How many handler calls run at a time. */
  readonly concurrency: number;
  /** Called when a handler failed while no `deliver` or `settle` is there to reject. */
  readonly onFailure: () => void;
}

/** Handler calls of one key in order, of different keys side by side. */
export class ConcurrentDelivery implements Delivery {
  readonly #calls: HandlerCalls;
  readonly #control: DeliveryControl;
  readonly #router: EntryRouter;
  readonly #onFailure: () => void;
  readonly #lanes: KeyedLanes;
  readonly #transactions: OpenTransactions;
  readonly #laneOf = new WeakMap<TableSchema, LaneOf>();
  /** The transaction whose parts are coming in. A restarted one stays the same: its calls are done when both attempts' are. */
  #open: OpenTransaction | null = null;
  #redelivered = false;
  #cutShort = false;
  #failure: { readonly error: unknown } | null = null;
  #position: Position | null = null;
  /** The end of the last part or batch that was handed in, reached or not. */
  #lastEnd: Position | null = null;
  /** The newest position that the listeners are still to be told. Older ones that they were too slow for are left out. */
  #unsignalled: Reached | null = null;
  #signalling: Promise<void> | null = null;

  constructor({ concurrency, onFailure, ...options }: ConcurrentDeliveryOptions) {
    this.#calls = options.calls;
    this.#control = options.control;
    this.#router = new EntryRouter(options);
    this.#onFailure = onFailure;
    this.#lanes = new KeyedLanes({ concurrency, tasksMax: 8 * concurrency });
    this.#transactions = new OpenTransactions((reached) => this.#reach(reached));
  }

  get position(): Position | null {
    return this.#position;
  }

  async deliver(batch: ChangeBatch): Promise<'done' | 'paused'> {
    for (const part of batch.parts) {
      const open = this.#begin(part);
      const context: EventContext = { transaction: part.transaction, redelivered: this.#redelivered };
      for (const entry of part.entries) {
        // oxlint-disable-next-line no-await-in-loop -- entries come in order, and only as fast as the lanes take them
        await this.#entry(entry, open, context);
        this.#throwFailure();
      }
      if (this.#cutShort) return 'done';
      if (part.end === null) continue;
      this.#lastEnd = part.end;
      open.seal(part.end);
      this.#open = null;
      if (this.#control.stopping) return 'done';
      if (this.#control.pausing) return 'paused';
    }
    if (this.#open === null && !samePosition(this.#lastEnd, batch.position)) {
      this.#lastEnd = batch.position;
      this.#transactions.begin(null).seal(batch.position);
    }
    return 'done';
  }

  async settle(): Promise<void> {
    await this.#lanes.drain();
    while (this.#signalling !== null) {
      // oxlint-disable-next-line no-await-in-loop -- a listener may make a new position worth telling
      await this.#signalling;
    }
    this.#throwFailure();
  }

  #begin(part: TransactionPart): OpenTransaction {
    if (part.begins) this.#redelivered = part.restarted;
    return (this.#open ??= this.#transactions.begin(part.transaction));
  }

  async #entry(entry: Entry, open: OpenTransaction, context: EventContext): Promise<void> {
    if (entry.type === 'rows') await this.#rows(entry, open, context);
    else await this.#table(entry, open, context);
  }

  async #rows(rows: RowBatch, open: OpenTransaction, context: EventContext): Promise<void> {
    const wanted = this.#router.rows(rows);
    if (wanted === null) return;
    const laneOf = this.#laneOfTable(rows.table);
    const event = keyEventOf(rows, wanted, context);
    // What is taken out of the batch here is its own: the calls may run after the batch is gone.
    if (wanted.raw.length === 0) {
      for (const key of rows.keys() ?? []) {
        const call = (): Promise<void> | undefined => this.#calls.key(wanted.key, key, event);
        const room = this.#schedule(laneOf(key), open, call);
        // oxlint-disable-next-line no-await-in-loop -- the pause that bounds what waits (I7)
        if (room !== undefined) await room;
      }
      return;
    }
    const rawEventOf = rawEventMaker(rows, event);
    for (const change of rows.changes()) {
      const raw = rawEventOf(change);
      const call = (): Promise<void> | undefined => this.#calls.row(wanted, event, raw);
      const room = this.#schedule(laneOfRow(laneOf, raw), open, call);
      // oxlint-disable-next-line no-await-in-loop
      if (room !== undefined) await room;
    }
  }

  /** Runs alone: what happens to a table concerns all of its keys. */
  async #table(entry: SchemaChange | Truncation, open: OpenTransaction, context: EventContext): Promise<void> {
    const { event, handlers } = this.#router.table(entry, context);
    if (handlers.length > 0) await this.#schedule(null, open, () => this.#calls.table(handlers, event));
  }

  #schedule(
    lane: string | null,
    open: OpenTransaction,
    call: () => Promise<void> | undefined,
  ): Promise<void> | undefined {
    if (this.#isOver()) return undefined;
    open.enter();
    if (lane === null) return this.#alone(open, call);
    return this.#lanes.add(lane, () => this.#run(open, call));
  }

  async #alone(open: OpenTransaction, call: () => Promise<void> | undefined): Promise<void> {
    await this.#lanes.drain();
    await this.#run(open, call);
  }

  /** A call that is not made, or fails, never leaves its transaction, so that no position behind it is reached. */
  #run(open: OpenTransaction, call: () => Promise<void> | undefined): Promise<void> | undefined {
    if (this.#isOver()) return undefined;
    const pending = call();
    if (pending === undefined) {
      open.leave();
      return undefined;
    }
    return pending.then(
      () => open.leave(),
      (error: unknown) => this.#fail(error),
    );
  }

  #isOver(): boolean {
    if (this.#control.stopping) this.#cutShort = true;
    return this.#control.stopping || this.#failure !== null;
  }

  #reach(reached: Reached): void {
    this.#position = reached.position;
    if (this.#router.positionHandlers().length === 0) return;
    this.#unsignalled = reached;
    this.#signalling ??= this.#signal();
  }

  /** One round at a time: a checkpoint that is written must not be overtaken by an older one. */
  async #signal(): Promise<void> {
    while (this.#unsignalled !== null) {
      const reached = this.#unsignalled;
      this.#unsignalled = null;
      try {
        // oxlint-disable-next-line no-await-in-loop
        await this.#calls.position(this.#router.positionHandlers(), reached);
      } catch (error) {
        this.#fail(error);
        break;
      }
    }
    // Here and not later: a position reached after this line starts a round of its own.
    this.#signalling = null;
  }

  #fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = { error };
    this.#onFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  #laneOfTable(table: TableSchema): LaneOf {
    let laneOf = this.#laneOf.get(table);
    if (laneOf === undefined) this.#laneOf.set(table, (laneOf = laneOfTable(table)));
    return laneOf;
  }
}

/** A row whose key an update changed belongs to two lanes, so it runs alone. */
function laneOfRow(
  laneOf: LaneOf,
  { key, keyBefore }: { readonly key: Key | null; readonly keyBefore: Key | null },
): string | null {
  const lane = laneOf(key);
  return keyBefore === null || laneOf(keyBefore) === lane ? lane : null;
}
