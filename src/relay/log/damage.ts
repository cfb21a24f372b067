import { isTidingsError, TidingsError } from '../../core/errors.ts';
import { errorCodeOf } from './disk.ts';
import type { Segment } from './segment.ts';

/** @param what a clause: what is wrong there */
export function segmentDamaged(segment: Segment, offset: number, what: string): TidingsError {
  return new TidingsError('LOG_DAMAGED', `${segment.path} is damaged at byte ${offset}: ${what}`, {
    details: { segment: segment.name, offset },
  });
}

/** What was found in the batch at `offset` by somebody who does not know where it stands, told with that. */
export function inSegment(error: unknown, segment: Segment, offset: number): unknown {
  if (!isTidingsError(error) || 'segment' in error.details) return error;
  const { code, message, hint, retry, details } = error;
  return new TidingsError(code, `${segment.path} cannot be read at byte ${offset}: ${message}`, {
    cause: error,
    hint,
    retry,
    details: { ...details, segment: segment.name, offset },
  });
}

/** What the system says of a segment's file that was to be read at `offset`. */
export function segmentUnreadable(segment: Segment, offset: number, cause: unknown): TidingsError {
  if (isTidingsError(cause)) return cause;
  if (errorCodeOf(cause) === 'ENOENT') return segmentDamaged(segment, offset, 'the file is gone');
  return new TidingsError('DISK_ERROR', `${segment.path} cannot be read`, {
    cause,
    details: { segment: segment.name, offset },
  });
}

export function scnPurged({ name, scn, after }: { name: string; scn: number; after: number }): TidingsError {
  return new TidingsError(
    'SCN_PURGED',
    `the changes of ${name} behind ${scn} are no longer kept, only those behind ${after}`,
    {
      details: { stream: name, scn, after },
    },
  );
}
