import { isTidingsError } from '../core/errors.ts';
import type { StreamFailure } from './relay-api.ts';

/** An error as the status of a stream tells of it. */
export function failureOf(error: unknown, sinceMs: number): StreamFailure {
  if (isTidingsError(error)) {
    const { code, message, hint, retry, details } = error;
    return { code, message, hint, retry, details, sinceMs };
  }
  const message = error instanceof Error ? error.message : String(error);
  const hint = 'Report it with the log around this moment.';
  return { code: 'INTERNAL_ERROR', message, hint, retry: 'never', details: {}, sinceMs };
}
