/**
 * Text out of a buffer without one call into the runtime per value.
 *
 * Most text is ASCII and short. Then one call turns the next two kilobytes of the buffer into a string (the window), and each value is
 * a substring of it: a pointer into the window, made without leaving JavaScript. A value that a consumer keeps holds its
 * window with it, so the window's size bounds the waste: at most WINDOW_BYTES for each string that is kept.
 */
const WINDOW_BYTES = 2048;
/** Longer values are converted by themselves: the call's cost no longer counts. */
export const WINDOW_VALUE_BYTES_MAX = 128;

/** A window for bytes that stay as they are as long as it is used. Fastest for code that keeps its fields in local variables. */
export interface TextWindow {
  /** Bytes `start` to `end` as ISO 8859-1. */
  text: string;
  start: number;
  end: number;
}

export function emptyWindow(): TextWindow {
  return { text: '', start: 0, end: 0 };
}

/**
 * The text of a new window that begins at `start` and holds at least `length` bytes.
 *
 * @param limit what lies behind it will not be asked for
 */
export function windowFrom(
  bytes: Buffer,
  start: number,
  { length, limit }: { readonly length: number; readonly limit: number },
): string {
  return (bytes as Latin1Sliceable).latin1Slice(start, Math.max(start + length, Math.min(start + WINDOW_BYTES, limit)));
}

/*
 * One window for all, for code that decodes a little here and there. It belongs to the bytes it was made from: whoever decodes calls
 * `forgetWindow` first, as the same buffer holds other bytes after the next read.
 */
let text = '';
let windowStart = 0;
let windowEnd = 0;
let limit = 0;

/** What `toString('latin1', …)` calls after its checks of arguments; part of Buffer since its first versions. */
type Latin1Sliceable = Buffer & { latin1Slice(start: number, end: number): string };

/** Forgets the window, and keeps the next ones from reaching past `end`: what lies there will not be asked for. */
export function forgetWindow(end: number): void {
  windowStart = 0;
  windowEnd = 0;
  limit = end;
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
