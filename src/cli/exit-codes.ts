import { isTidingsError } from '../core/errors.ts';

/** What the `tidings` command returns to the shell. docs/reference/cli.md repeats it. */
export const EXIT = {
  ok: 0,
  /** It could not go on; stderr says why. */
  failed: 1,
  /** An argument or option cannot be used as it is given. Nothing was started. */
  usage: 2,
  /** A second Ctrl-C: as a shell reports a process that SIGINT ended. A second SIGTERM gives 143 in the same way. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export function exitCodeOf(error: unknown): ExitCode {
  const isUsage = isTidingsError(error) && (error.code === 'CONFIG_INVALID' || error.code === 'POSITION_INVALID');
  return isUsage ? EXIT.usage : EXIT.failed;
}
