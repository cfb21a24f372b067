import type { RetryDirective } from './errors.ts';

/** One row of `docs/reference/errors.md`, which is generated from this table. */
export interface ErrorEntry {
  readonly retry: RetryDirective;
  /** What happened, in one sentence. */
  readonly cause: string;
  /** What a person can do about it, in one or two sentences. */
  readonly remedy: string;
}

const REPORT = 'Keep the binlog file and report it with the details of the error; nothing was skipped.';

/** Every error code. Stable: a code is never renamed or given another meaning. */
export type ErrorCode =
  | 'BINLOG_CORRUPT'
  | 'BINLOG_TRUNCATED';

/** What each code means, and the directive that `retry` acts on. Sorted by code. */
export const ERROR_CATALOG: Readonly<Record<ErrorCode, ErrorEntry>> = {
  BINLOG_CORRUPT: {
    retry: 'never',
    cause: 'The bytes of a binlog event contradict its own layout.',
    remedy: REPORT,
  },
  BINLOG_TRUNCATED: {
    retry: 'never',
    cause: 'A binlog event ends before a field that its layout promises.',
    remedy: REPORT,
  },
};
