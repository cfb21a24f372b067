import { ERROR_CATALOG, type ErrorCode } from './error-catalog.ts';

/** What the runner should do after a failure. Decided per code in the catalog, acted on in one place. */
export type RetryDirective =
  | 'backoff' // transient: try the same work again later
  | 'reconnect' // the connection is unusable: open a new one, resume from the position
  | 'operator' // stop and wait: only a person can fix it (credentials, purged binlog, schema)
  | 'never'; // a bug or corrupt input: stop, keep the evidence

export interface TidingsErrorOptions extends ErrorOptions {
  /** One sentence that an operator can act on. Left out, the catalog's remedy for the code is used. */
  readonly hint?: string;
  /** Identifiers and sizes only: never row values or credentials (I10). */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
  /** Overrides the catalog's directive where the circumstances are known better. */
  readonly retry?: RetryDirective;
}

const BRAND: unique symbol = Symbol.for('tidings.error') as never;

/** The one error class of Tidings. `code` is stable; `docs/reference/errors.md` lists all of them. */
export class TidingsError extends Error {
  override readonly name: string = 'TidingsError';
  readonly code: ErrorCode;
  readonly retry: RetryDirective;
  readonly hint: string;
  readonly details: Readonly<Record<string, string | number | boolean>>;

  constructor(code: ErrorCode, message: string, options: TidingsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retry = options.retry ?? ERROR_CATALOG[code].retry;
    this.hint = options.hint ?? ERROR_CATALOG[code].remedy;
    this.details = options.details ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** True for a TidingsError, also one that another copy of the package made. */
export function isTidingsError(error: unknown): error is TidingsError {
  return error instanceof Error && BRAND in error;
}

/** The same failure, that says more of where. */
export function withDetails(error: TidingsError, details: TidingsError['details']): TidingsError {
  const { code, message, hint, retry } = error;
  return new TidingsError(code, message, { hint, retry, details: { ...error.details, ...details }, cause: error });
}
