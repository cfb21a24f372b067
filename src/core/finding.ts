/** One thing that a preflight looked at. */
export interface Finding {
  /** `error`: reading cannot work or would lose something. `warning`: it works, with a drawback that the message names. */
  readonly level: 'error' | 'warning' | 'ok';
  /** Stable, upper case, as for errors. */
  readonly code: string;
  readonly message: string;
  /** The SQL statement or configuration line that cures it; null when there is nothing to do. */
  readonly cure: string | null;
}
