import type { SchemaChange, Truncation } from '../../../core/change.ts';
import { TidingsError } from '../../../core/errors.ts';
import type { Position } from '../../../core/position.ts';
import type { ChangeBatch, RowBatch } from '../../../core/source.ts';
import type { SchemaEvent, TruncateEvent } from './event-types.ts';
import type { HandlerCalls } from './handler-calls.ts';
import { type EventContext, tableId } from './row-events.ts';
import type { RowSubscriptions, Subscription, Subscriptions } from './subscriptions.ts';

/** What the owner of a delivery asks of it while it runs. */
export interface DeliveryControl {
  /** No handler is started any more. What was not handled stays behind the position. */
  readonly stopping: boolean;
  /** Return at the next end of a transaction, also in the middle of a batch. */
  readonly pausing: boolean;
}

export interface DeliveryOptions {
  readonly subscriptions: Subscriptions;
  readonly calls: HandlerCalls;
  readonly control: DeliveryControl;
  /** Told of what cannot be published, once per table. False when nobody heard it. */
  readonly report: (warning: TidingsError) => boolean;
}

/** Brings the entries of batches to the handlers. */
export interface Delivery {
  /** The end of the last transaction whose handlers, and those of all before it, are done (I2). */
  readonly position: Position | null;
  /**
   * Resolves when the next batch may come. Rejects with EVENT_HANDLER_FAILED; the position then stands before the failed
   * transaction. `paused` when it stopped at the end of a transaction because it was asked to.
   */
  deliver(batch: ChangeBatch): Promise<'done' | 'paused'>;
  /** Resolves when no handler runs any more and the position listeners have been told; rejects as `deliver` does. */
  settle(): Promise<void>;
}

/** What both ways of delivering have in common: who wants an entry, and what is reported about those nobody can get. */
export class EntryRouter {
  readonly #subscriptions: Subscriptions;
  readonly #report: (warning: TidingsError) => boolean;
  readonly #reported = new Set<string>();

  constructor({ subscriptions, report }: Pick<DeliveryOptions, 'subscriptions' | 'report'>) {
    this.#subscriptions = subscriptions;
    this.#report = report;
  }

  /** Null when nobody wants the rows, or nobody can get them. */
  rows(rows: RowBatch): RowSubscriptions | null {
    const { table } = rows;
    const wanted = this.#subscriptions.rows(table, rows.kind);
    if (wanted.key.length > 0 && table.key.length === 0) {
      this.#reportOnce(
        'EVENT_TABLE_WITHOUT_KEY',
        tableId(table),
        `${tableId(table)} has no primary key: its key events cannot be published`,
      );
    }
    return wanted.raw.length > 0 || (wanted.key.length > 0 && table.key.length > 0) ? wanted : null;
  }

  /** The event of a truncation or a change of definition, and who wants it. */
  table(
    entry: SchemaChange | Truncation,
    context: EventContext,
  ): { event: TruncateEvent | SchemaEvent; handlers: readonly Subscription[] } {
    if (entry.type === 'schema') {
      const { database, table, sql } = entry;
      return {
        event: { name: 'schema', database, table, sql, ...context },
        handlers: this.#subscriptions.global('schema'),
      };
    }
    const { database, table, sql } = entry;
    const handlers = this.#subscriptions.truncations(database, table);
    if (handlers.length === 0 && this.#subscriptions.wantsTable(database, table)) {
      const id = `${database}.${table}`;
      this.#reportOnce(
        'EVENT_TRUNCATE_UNHEARD',
        id,
        `${id} was truncated, and no listener asked for "${table}_truncate"`,
      );
    }
    return { event: { name: `${table}_truncate`, database, table, sql, ...context }, handlers };
  }

  /** Who is to be told of positions. */
  positionHandlers(): readonly Subscription[] {
    return this.#subscriptions.positions();
  }

  #reportOnce(code: 'EVENT_TABLE_WITHOUT_KEY' | 'EVENT_TRUNCATE_UNHEARD', table: string, message: string): void {
    const id = `${code} ${table}`;
    if (this.#reported.has(id)) return;
    const warning = new TidingsError(code, message, { details: { table } });
    // I1: what nobody is told of would be skipped silently, so it stops the stream instead.
    if (!this.#report(warning)) throw warning;
    this.#reported.add(id);
  }
}
