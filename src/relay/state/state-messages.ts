import type { ErrorCode } from '../../core/error-catalog.ts';
import { isTidingsError, type RetryDirective, TidingsError } from '../../core/errors.ts';
import type { StateOperation } from './state-operations.ts';

/** What the worker thread is started with. */
export interface StateWorkerData {
  readonly directory: string;
  readonly failpoints: string | null;
}

export type StateRequest =
  | { readonly type: 'operation'; readonly id: number; readonly operation: StateOperation }
  | { readonly type: 'close' };

export type StateReport =
  | { readonly type: 'open' }
  | { readonly type: 'refused'; readonly error: ErrorMessage }
  /** Of the operations of one transaction, in their order. */
  | { readonly type: 'answers'; readonly answers: readonly StateAnswer[] };

export type StateAnswer =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: ErrorMessage };

/** An error on its way between two threads: a class does not survive the copy. */
export interface ErrorMessage {
  readonly message: string;
  /** Null: no error of ours, and so a bug. */
  readonly known: {
    readonly code: ErrorCode;
    readonly hint: string;
    readonly retry: RetryDirective;
    readonly details: TidingsError['details'];
  } | null;
  readonly cause: string | null;
}

export function errorToMessage(error: unknown): ErrorMessage {
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : null;
  if (!isTidingsError(error)) return { message, cause, known: null };
  const { code, hint, retry, details } = error;
  return { message, cause, known: { code, hint, retry, details } };
}

export function errorFromMessage({ message, cause, known }: ErrorMessage): Error {
  const options = cause === null ? {} : { cause: new Error(cause) };
  return known === null ? new Error(message, options) : new TidingsError(known.code, message, { ...known, ...options });
}
