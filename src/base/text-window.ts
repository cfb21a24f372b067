/**
 * Text out of a buffer without one call into the runtime per value.
 *
 * Most text is ASCII and short. Then one call turns the next two kilobytes of the buffer into a string (the window), and each value is
 * a substring of it: a pointer into the window, made without leaving JavaScript. A value that a consumer keeps holds its
 * window with it, so the window's size bounds the waste: at most WINDOW_BYTES for each string that is kept.
 *
 * State: the window belongs to the bytes it was made from. Whoever decodes calls `openWindow` or `forgetWindow` first, as the same
 * buffer holds other bytes after the next read.
 */
const WINDOW_BYTES = 2048;
/** Longer values are converted by themselves: the call's cost no longer counts. */
export const WINDOW_VALUE_BYTES_MAX = 128;

let text = '';
let windowStart = 0;
let windowEnd = 0;
let limit = 0;
let windowOwner: object | null = null;

/** What `toString('latin1', …)` calls after its checks of arguments; part of Buffer since its first versions. */
type Latin1Sliceable = Buffer & { latin1Slice(start: number, end: number): string };

/** Forgets the window, and keeps the next ones from reaching past `end`: what lies there will not be asked for. */
export function forgetWindow(end: number): void {
  windowStart = 0;
  windowEnd = 0;
  limit = end;
  windowOwner = null;
}

/**
 * As `forgetWindow`, but keeps the window when the same owner opened it last: then its bytes are still the same.
 *
 * @param owner stands for one buffer with one content: a new object for every new content
 */
export function openWindow(owner: object, end: number): void {
  if (owner === windowOwner && end === limit) return;
  forgetWindow(end);
  windowOwner = owner;
}

/** Whether all bytes from `start` to `end` are below 0x80. @param view over the same bytes, with the same offsets */
export function isAscii(bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
  let all = 0;
  let i = start;
  for (const last = end - 16; i <= last; i += 16) {
    all |=
      view.getInt32(i, true) | view.getInt32(i + 4, true) | view.getInt32(i + 8, true) | view.getInt32(i + 12, true);
  }
  for (const last = end - 4; i <= last; i += 4) all |= view.getInt32(i, true);
  for (; i < end; i++) all |= bytes[i] as number;
  return (all & 0x80808080) === 0;
}

/** Bytes `start` to `end`, which are ASCII, as text. Best below WINDOW_VALUE_BYTES_MAX bytes. */
export function asciiText(bytes: Buffer, start: number, end: number): string {
  if (start === end) return '';
  if (start < windowStart || end > windowEnd) {
    windowStart = start;
    windowEnd = Math.max(end, Math.min(start + WINDOW_BYTES, limit));
    text = (bytes as Latin1Sliceable).latin1Slice(windowStart, windowEnd);
  }
  return text.substring(start - windowStart, end - windowStart);
}
