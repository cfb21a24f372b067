import type { Logger } from '../../../core/logger.ts';
import type { FormatDescriptionEvent } from '../binlog/format-description-event.ts';
import type { QueryEvent } from '../binlog/query-event.ts';
import { formatXaId } from '../binlog/xa-id.ts';
import { decodeXaPrepareEvent } from '../binlog/xa-prepare-event.ts';
import type { SchemaHistory } from '../schema/schema-history.ts';
import type { Server } from '../server.ts';
import type { TableSelection } from '../table-selection.ts';
import type { Demand } from './event-source.ts';
import type { OpenTransaction } from './open-transaction.ts';
import { applyStatement, classifyControl } from './statements.ts';
import type { StreamParts } from './stream-parts.ts';
import type { StreamPosition } from './stream-position.ts';
import type { TableResolver } from './table-resolver.ts';
import type { TransactionBuilder } from './transaction-builder.ts';
import type { XaTransactions } from './xa-transactions.ts';

export interface QueryEventsOptions {
  readonly server: Server;
  readonly selection: TableSelection;
  readonly history: SchemaHistory;
  readonly xa: XaTransactions;
  /** What to do about a statement that changed a watched table without row events. */
  readonly statementChanges: 'stop' | 'report';
  readonly log: Logger;
  /** The format of the file that is being read, once it was announced. */
  readonly format: () => FormatDescriptionEvent | null;
}

/**
 * What the statements of the log do: those that control the transaction in the making, XA among them, and those that change definitions, or
 * rows of which the log tells nothing else.
 */
export class QueryEvents {
  readonly #options: QueryEventsOptions;
  readonly #position: StreamPosition;
  readonly #tables: TableResolver;
  readonly #transactions: TransactionBuilder;

  constructor(options: QueryEventsOptions, { position, tables, transactions }: StreamParts) {
    this.#options = options;
    this.#position = position;
    this.#tables = tables;
    this.#transactions = transactions;
  }

  /** @param flags of the event */
  accept(event: QueryEvent, flags: number): Demand {
    const control = classifyControl(event.query);
    const open = this.#transactions.opened();
    const where = { file: this.#position.file, offset: this.#position.offset };
    switch (control.kind) {
      case 'begin':
        open.grouped = true;
        return null;
      case 'commit':
        this.#transactions.finish();
        return null;
      case 'rollback':
        // Written when the rows cannot be taken back out of the log: tables without transactions took part.
        if (open.watchedRows > 0) this.#rolledBack();
        this.#transactions.finish();
        return null;
      case 'savepoint':
        open.savepoints.set(control.name, open.watchedRows);
        return null;
      case 'rollback-to':
        if (open.watchedRows > (open.savepoints.get(control.name) ?? 0)) this.#rolledBack();
        return null;
      case 'xa-start':
        this.xaBegins(open, control.xid);
        return null;
      case 'xa-end':
        return null;
      case 'xa-commit':
        return this.#options.xa.committed(control.xid, where, () => this.#transactions.finish());
      case 'xa-rollback':
        this.#options.xa.forget(control.xid);
        this.#transactions.finish();
        return null;
      case 'statement':
        this.#applyStatement(event, flags, open);
        return null;
    }
  }

  /** The group that has begun prepares this XA transaction. */
  xaBegins(open: OpenTransaction, xid: string): void {
    open.xid = xid;
    open.grouped = true;
    this.#options.xa.begin(xid, open.info.start);
  }

  /** The group has ended with an XA_PREPARE event. @param frame its body */
  xaPrepared(frame: Buffer): Demand {
    const { onePhase, xid } = decodeXaPrepareEvent(frame);
    const open = this.#transactions.opened();
    const { xa } = this.#options;
    if (!onePhase) {
      xa.prepared(formatXaId(xid));
      this.#transactions.finish();
      return null;
    }
    // XA COMMIT … ONE PHASE: what the group holds counts after all, and this event is its commit.
    open.xid = null;
    return xa.committedOnePhase(formatXaId(xid), this.#position.place, () => this.#transactions.finish());
  }

  #applyStatement(event: QueryEvent, flags: number, open: OpenTransaction): void {
    const { server, selection, history, statementChanges, log, format } = this.#options;
    if (!open.alterWithoutEffect) {
      const outcome = applyStatement(event, {
        flags,
        server,
        writtenBy: format()?.serverVersion ?? server.versionText,
        history,
        selection,
      });
      // New definitions come with new table ids, except for what a rename moved: better none than a stale one.
      if (outcome.changesSchema) this.#tables.forget();
      if (outcome.rowsWithoutEvents !== null && !open.skipped) {
        const message = `${outcome.rowsWithoutEvents} in ${this.#position.file} before ${this.#position.offset}, and the binlog has no rows for it`;
        if (statementChanges === 'stop') this.#transactions.fail({ code: 'STATEMENT_CHANGE', message });
        else log.warn({ file: this.#position.file, offset: this.#position.offset }, message);
      }
      this.#transactions.add(outcome.entries);
    }
    if (!open.grouped) this.#transactions.finish();
  }

  #rolledBack(): void {
    const message = `a transaction in ${this.#position.file} holds rows of watched tables and then rolls back`;
    this.#transactions.fail({ code: 'ROLLBACK_IN_BINLOG', message });
  }
}
