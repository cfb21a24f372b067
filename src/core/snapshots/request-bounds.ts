/** What may be asked of a snapshot at most, wherever it is asked: over HTTP, on the command line, in a configuration. */
export const SNAPSHOT_BOUNDS = {
  /** Snapshots of one stream that are not over. */
  open: 100,
  tables: 1000,
  /** Characters of one pattern. */
  pattern: 1000,
  /** Characters of the condition. */
  where: 4096,
  /** Rows that are asked for by their keys. */
  keys: 10_000,
  /** Of the list of them, as JSON: a request has 1 MiB for all that it says. */
  keyBytes: 1_000_000,
  parallel: 16,
  rowsPerSecond: 1_000_000_000,
  threadsRunning: 100_000,
  replicaLagSeconds: 1_000_000,
} as const;

/** How the hours of the day are written; `parseHours` says whether they are any. */
export const HOURS_PATTERN: RegExp = /^([01]?\d|2[0-3]):[0-5]\d-(([01]?\d|2[0-3]):[0-5]\d|24:00)$/;

/** In words. */
export const HOURS_TEXT = 'two different times of the day in UTC such as 22:00-05:30';

/** Whether chunks can be begun at such hours: neither never nor always. */
export function areHours(text: string): boolean {
  if (!HOURS_PATTERN.test(text)) return false;
  const [from, to] = text.split('-').map((time) => time.padStart(5, '0'));
  return from !== to;
}
