/** Above it the call into the engine costs less than copying eight bytes at a time. */
const NATIVE_COPY_MIN = 160;

/**
 * Copies bytes `from` to `to` to `at` of the target, and returns the offset behind them. The caller has checked that both ranges lie
 * within their buffers. Each view is over the same bytes as its buffer, with the same offsets.
 */
// Called for every row, in places for every column: an options object would cost more than the copying.
// oxlint-disable-next-line max-params -- called for every value: a range, and where it goes
export function copyBytes(
  source: Buffer,
  sourceView: DataView,
  from: number,
  to: number,
  target: Buffer,
  targetView: DataView,
  at: number,
): number {
  if (to - from >= NATIVE_COPY_MIN) {
    source.copy(target, at, from, to);
    return at + (to - from);
  }
  let p = from;
  let q = at;
  // With `| 0` the engine need not look whether a sum is too large for 32 bits.
  for (const last = (to - 8) | 0; p <= last; p = (p + 8) | 0, q = (q + 8) | 0) {
    // As two integers: a float of these bits might be changed on its way through a register.
    targetView.setInt32(q, sourceView.getInt32(p, true), true);
    targetView.setInt32((q + 4) | 0, sourceView.getInt32((p + 4) | 0, true), true);
  }
  for (; p < to; p++, q++) target[q] = source[p] as number;
  return q;
}
