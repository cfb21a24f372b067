/**
 * A place in a source's history from which reading can resume so that nothing after it is missed.
 *
 * Only the source understands it: keep the text, hand it back, and compare through the source's own type,
 * never as strings (`mysql-bin.999999` < `mysql-bin.1000000` is false for strings).
 */
export interface Position {
  /** The form that is stored, printed as `pos`, and taken by `--from`. */
  toString(): string;
}
