import type { SchemaChange, Truncation } from '../../../core/change.ts';
import type { Position } from '../../../core/position.ts';
import type { ChangeBatch, RowBatch } from '../../../core/source.ts';
import { type Delivery, type DeliveryControl, type DeliveryOptions, EntryRouter } from './delivery.ts';
import type { HandlerCalls } from './handler-calls.ts';
import type { Reached } from './open-transactions.ts';
import { type EventContext, keyEventOf, rawEventMaker } from './row-events.ts';

/** One handler call after the other, in the order of the stream. No promise is made as long as handlers are synchronous. */
export class SequentialDelivery implements Delivery {
  readonly #calls: HandlerCalls;
  readonly #control: DeliveryControl;
  readonly #router: EntryRouter;
  #position: Position | null = null;
  /** Whether the transaction at hand has begun before. */
  #redelivered = false;
  /** Set when a stop left something of the transaction at hand undone: its end must not be reached. */
  #cutShort = false;

  constructor(options: DeliveryOptions) {
    this.#calls = options.calls;
    this.#control = options.control;
    this.#router = new EntryRouter(options);
  }

  get position(): Position | null {
    return this.#position;
  }

  async deliver(batch: ChangeBatch): Promise<'done' | 'paused'> {
    for (const part of batch.parts) {
      if (part.begins) this.#redelivered = part.restarted;
      const context: EventContext = { transaction: part.transaction, redelivered: this.#redelivered };
      for (const entry of part.entries) {
        const pending = entry.type === 'rows' ? this.#rows(entry, context) : this.#table(entry, context);
        // oxlint-disable-next-line no-await-in-loop -- handlers follow one another
        if (pending !== undefined) await pending;
      }
      if (this.#cutShort) return 'done';
      if (part.end === null) continue;
      const pending = this.#reach({ position: part.end, transaction: part.transaction });
      // oxlint-disable-next-line no-await-in-loop
      if (pending !== undefined) await pending;
      if (this.#control.stopping) return 'done';
      if (this.#control.pausing) return 'paused';
    }
    // A stream that is idle, or of which nothing is wanted, moves on too.
    if (!samePosition(this.#position, batch.position)) {
      await this.#reach({ position: batch.position, transaction: null });
    }
    return 'done';
  }

  async settle(): Promise<void> {
    // Nothing runs beside `deliver`.
  }

  #rows(rows: RowBatch, context: EventContext): Promise<void> | undefined {
    const wanted = this.#router.rows(rows);
    if (wanted === null || this.#stopped()) return undefined;
    const event = keyEventOf(rows, wanted, context);
    if (wanted.raw.length === 0) {
      const keys = rows.keys() ?? [];
      return inOrder(keys, (key) => (this.#stopped() ? undefined : this.#calls.key(wanted.key, key, event)));
    }
    const rawEventOf = rawEventMaker(rows, event);
    return inOrder(rows.changes(), (change) =>
      this.#stopped() ? undefined : this.#calls.row(wanted, event, rawEventOf(change)),
    );
  }

  #table(entry: SchemaChange | Truncation, context: EventContext): Promise<void> | undefined {
    const { event, handlers } = this.#router.table(entry, context);
    return handlers.length === 0 || this.#stopped() ? undefined : this.#calls.table(handlers, event);
  }

  /** To be asked right before work that the stop then leaves undone. */
  #stopped(): boolean {
    if (this.#control.stopping) this.#cutShort = true;
    return this.#control.stopping;
  }

  #reach(reached: Reached): Promise<void> | undefined {
    this.#position = reached.position;
    const handlers = this.#router.positionHandlers();
    return handlers.length === 0 ? undefined : this.#calls.position(handlers, reached);
  }
}

export function samePosition(a: Position | null, b: Position): boolean {
  return a === b || (a !== null && String(a) === String(b));
}

/** Runs a step for each item, each after the one before it; undefined when none of them needed a promise. */
function inOrder<T>(items: readonly T[], step: (item: T) => Promise<void> | undefined): Promise<void> | undefined {
  for (let i = 0; i < items.length; i++) {
    const pending = step(items[i] as T);
    if (pending !== undefined) return goOn(items, i + 1, { step, pending });
  }
  return undefined;
}

interface Steps<T> {
  readonly step: (item: T) => Promise<void> | undefined;
  readonly pending: Promise<void>;
}

async function goOn<T>(items: readonly T[], from: number, { step, pending }: Steps<T>): Promise<void> {
  await pending;
  for (let i = from; i < items.length; i++) {
    const next = step(items[i] as T);
    // oxlint-disable-next-line no-await-in-loop -- handlers follow one another
    if (next !== undefined) await next;
  }
}
