import { TidingsError } from '../../core/errors.ts';
import type { Segment } from './segment.ts';

/** @param what a clause: what is wrong there */
export function segmentDamaged(segment: Segment, offset: number, what: string): TidingsError {
  return new TidingsError('LOG_DAMAGED', `${segment.path} is damaged at byte ${offset}: ${what}`, {
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
