import type { TransactionInfo } from '../../../core/change.ts';
import { TidingsError } from '../../../core/errors.ts';
import type { Key } from '../../../core/plain-rows.ts';
import type { FailureDecision, HandlerFailure, KeyEvent, RawEvent, SchemaEvent, TruncateEvent } from './event-types.ts';
import type { Reached } from './open-transactions.ts';
import type { Subscription } from './subscriptions.ts';

export type OnError = FailureDecision | ((failure: HandlerFailure) => FailureDecision | Promise<FailureDecision>);

export interface HandlerCallsOptions {
  readonly onError: OnError;
  /** Told of every failure that was skipped. */
  readonly report: (warning: TidingsError) => unknown;
}

type Handler = (first: unknown, second: unknown) => unknown;
/** What a failure was about; asked for only when there is one, so that calls that succeed cost nothing. */
type Subject = () => Omit<HandlerFailure, 'error' | 'failures'>;

/**
 * Calls handlers in the order they were added, each after the one before it is done, and does what `onError` decides when one
 * fails. Every method returns undefined when all of it was done at once, so that synchronous handlers cost no promise; its
 * promise rejects with EVENT_HANDLER_FAILED when a failure stops the stream. None of them throws.
 */
export class HandlerCalls {
  readonly #onError: OnError;
  readonly #report: (warning: TidingsError) => unknown;

  constructor({ onError, report }: HandlerCallsOptions) {
    this.#onError = onError;
    this.#report = report;
  }

  key(handlers: readonly Subscription[], key: Key, event: KeyEvent): Promise<void> | undefined {
    for (let i = 0; i < handlers.length; i++) {
      const pending = attempt(handlers[i], key, event);
      if (pending !== undefined) {
        return this.#goOn(handlers.slice(i), pending, {
          first: key,
          second: event,
          subject: () => rowSubject(event, key),
        });
      }
    }
    return undefined;
  }

  raw(handlers: readonly Subscription[], event: RawEvent): Promise<void> | undefined {
    for (let i = 0; i < handlers.length; i++) {
      const pending = attempt(handlers[i], event, undefined);
      if (pending !== undefined) {
        return this.#goOn(handlers.slice(i), pending, {
          first: event,
          second: undefined,
          subject: () => rowSubject(event, event.key),
        });
      }
    }
    return undefined;
  }

  /** A key event and its raw twin, in this order. */
  row(
    handlers: { readonly key: readonly Subscription[]; readonly raw: readonly Subscription[] },
    keyEvent: KeyEvent,
    rawEvent: RawEvent,
  ): Promise<void> | undefined {
    const pending = rawEvent.key === null ? undefined : this.key(handlers.key, rawEvent.key, keyEvent);
    return pending === undefined
      ? this.raw(handlers.raw, rawEvent)
      : pending.then(() => this.raw(handlers.raw, rawEvent));
  }

  table(handlers: readonly Subscription[], event: TruncateEvent | SchemaEvent): Promise<void> | undefined {
    for (let i = 0; i < handlers.length; i++) {
      const pending = attempt(handlers[i], event, undefined);
      if (pending !== undefined) {
        const { name, database, table, transaction } = event;
        return this.#goOn(handlers.slice(i), pending, {
          first: event,
          second: undefined,
          subject: () => ({ event: name, database, table, key: null, transaction }),
        });
      }
    }
    return undefined;
  }

  position(handlers: readonly Subscription[], { position, transaction }: Reached): Promise<void> | undefined {
    for (const [i, handler] of handlers.entries()) {
      const first = handler.name === 'position' ? position : String(position);
      const pending = attempt(handler, first, transaction);
      if (pending !== undefined) {
        const subject: Subject = () => ({ event: handler.name, database: null, table: null, key: null, transaction });
        // The others may want the other form of the position, so they get a round of their own.
        const rest = this.#goOn([handler], pending, { first, second: transaction, subject });
        return rest.then(() => this.position(handlers.slice(i + 1), { position, transaction }));
      }
    }
    return undefined;
  }

  /** The first handler's call is `pending`; the others follow. */
  async #goOn(
    handlers: readonly Subscription[],
    pending: Promise<unknown>,
    call: { first: unknown; second: unknown; subject: Subject },
  ): Promise<void> {
    let result: Promise<unknown> | undefined = pending;
    for (const [i, handler] of handlers.entries()) {
      if (i > 0) result = attempt(handler, call.first, call.second);
      for (let failures = 1; result !== undefined; failures++) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- handlers follow one another
          await result;
          result = undefined;
        } catch (error) {
          const failure: HandlerFailure = { ...call.subject(), error, failures };
          // oxlint-disable-next-line no-await-in-loop
          const again = (await this.#decide(failure)) === 'retry';
          result = again ? attempt(handler, call.first, call.second) : undefined;
        }
      }
    }
  }

  async #decide(failure: HandlerFailure): Promise<'skip' | 'retry'> {
    const decision = typeof this.#onError === 'function' ? await this.#onError(failure) : this.#onError;
    switch (decision) {
      case 'retry':
        return 'retry';
      case 'skip':
        this.#report(handlerFailed(failure, 'skipped'));
        return 'skip';
      case 'stop':
        throw handlerFailed(failure, 'stopped');
      default:
        // From JavaScript anything may come. What is not understood stops the stream: nothing is lost by that.
        decision satisfies never;
        throw handlerFailed(failure, 'stopped');
    }
  }
}

/** Undefined when the handler was done at once, or is no longer wanted. A failure becomes a rejected promise. */
function attempt(handler: Subscription | undefined, first: unknown, second: unknown): Promise<unknown> | undefined {
  if (handler === undefined || !handler.active) return undefined;
  try {
    const result = (handler.listener as Handler)(first, second);
    return isThenable(result) ? Promise.resolve(result) : undefined;
  } catch (error) {
    return Promise.reject(error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function rowSubject(event: KeyEvent, key: Key | null): ReturnType<Subject> {
  return { event: event.name, database: event.database, table: event.table.name, key, transaction: event.transaction };
}

/** Names the event and where it stands; the key stays out of it (I10), `onError` gets it. */
function handlerFailed(
  { error, event, database, table, transaction, failures }: HandlerFailure,
  outcome: 'skipped' | 'stopped',
): TidingsError {
  return new TidingsError(
    'EVENT_HANDLER_FAILED',
    `the handler of "${event}" failed; ${outcome === 'skipped' ? 'the event was skipped' : 'the stream stops before its transaction'}`,
    {
      cause: error,
      details: {
        event,
        failures,
        outcome,
        ...(database === null ? {} : { database }),
        ...(table === null ? {} : { table }),
        ...transactionDetails(transaction),
      },
    },
  );
}

function transactionDetails(transaction: TransactionInfo | null): Record<string, string> {
  if (transaction === null) return {};
  return { start: String(transaction.start), ...(transaction.id === null ? {} : { transaction: transaction.id }) };
}
