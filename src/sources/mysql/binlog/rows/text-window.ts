import { asciiText, forgetWindow as forget, isAscii, WINDOW_VALUE_BYTES_MAX } from '../../../../base/text-window.ts';
import type { Charset } from '../../charset/charset.ts';

/** Called before the rows of an event are decoded: the buffer holds other bytes than before. See base/text-window.ts. */
export function forgetWindow(end: number): void {
  forget(end);
}

/**
 * Bytes `start` to `end` as text in a character set whose bytes below 0x80 are ASCII. `forgetWindow` comes
 * first.
 *
 * @throws TidingsError TEXT_UNDECODABLE when the character set does not define the bytes
 */
export function windowText(bytes: Buffer, view: DataView, start: number, end: number, charset: Charset): string {
  if (end - start > WINDOW_VALUE_BYTES_MAX || !isAscii(bytes, view, start, end)) {
    return charset.decode(bytes, start, end);
  }
  return asciiText(bytes, start, end);
}
