import type { StartAt } from '../../core/consumer.ts';
import { TidingsError } from '../../core/errors.ts';
import type { ChangeLog } from '../log/change-log.ts';
import { scnPurged } from '../log/damage.ts';

/** The SCN to read behind. @throws TidingsError SCN_UNKNOWN, SCN_PURGED */
export async function seekInLog(log: ChangeLog, start: StartAt): Promise<number> {
  if (start === 'earliest') return log.visible.after;
  if (start === 'latest') return log.visible.last;
  if (start instanceof Date) return log.seekTime(start.getTime() * 1000);
  checkReached(start, { stream: log.name, last: log.visible.last });
  checkKept(start, { stream: log.name, after: log.visible.after });
  return start;
}

/**
 * A checkpoint ahead of the log would skip changes that are still to come (I2).
 *
 * @throws TidingsError SCN_UNKNOWN
 */
export function checkReached(
  scn: number,
  { stream, last, field }: { readonly stream: string; readonly last: number; readonly field?: string | undefined },
): void {
  if (Number.isSafeInteger(scn) && scn >= 0 && scn <= last) return;
  throw new TidingsError('SCN_UNKNOWN', `stream ${stream} has no change ${scn} yet: it ends at ${last}`, {
    details: { stream, scn, last, ...(field === undefined ? {} : { field }) },
  });
}

/**
 * Behind a checkpoint before what is kept nobody could read.
 *
 * @throws TidingsError SCN_PURGED
 */
export function checkKept(scn: number, { stream, after }: { readonly stream: string; readonly after: number }): void {
  if (scn < after) throw scnPurged({ name: stream, scn, after });
}
