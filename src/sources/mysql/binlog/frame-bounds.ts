import { TidingsError } from '../../../core/errors.ts';

/**
 * For decoders that read a buffer in place, without a cursor: throws unless `needed` bytes are there from `start` on. `event` and
 * `field` name what could not be read.
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function requireBytes(event: string, { field, start, needed, end }: Bounds): void {
  if (end - start < needed) throw truncated(event, { field, start, needed, end });
}

interface Bounds {
  readonly field: string;
  readonly start: number;
  readonly needed: number;
  readonly end: number;
}

/** The same error, for callers that compare by themselves so as not to allocate. */
export function truncated(event: string, { field, start, needed, end }: Bounds): TidingsError {
  const remaining = Math.max(0, end - start);
  return new TidingsError('BINLOG_TRUNCATED', `${event} event: "${field}" needs ${needed} bytes, ${remaining} remain`, {
    details: { event, field, needed, remaining },
  });
}
