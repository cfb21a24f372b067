import { endianness } from 'node:os';

/** What stands behind `Buffer.toString`, minus its look-up of the encoding's name. Not declared in @types/node. */
interface SlicingBuffer {
  latin1Slice(start: number, end: number): string;
  ucs2Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
}

const HOST_IS_BIG_ENDIAN = endianness() === 'BE';
/** The room kept between calls, in UTF-16 units. Longer texts get their own, so that one of 1 GB is not held for ever. */
const KEPT_UNITS_MAX = 512 * 1024;

let kept = new Uint16Array(4096);
let keptBytes = bytesOf(kept);

/** Each byte as the character of the same number. */
export function latin1Text(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as SlicingBuffer).latin1Slice(start, end);
}

/** UTF-8 as far as it is valid, U+FFFD for the rest: the caller has to look for it. A byte order mark is kept. */
export function utf8Text(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as SlicingBuffer).utf8Slice(start, end);
}

/** UTF-16, little endian; lone surrogates are kept, a last odd byte is dropped. */
export function utf16leText(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as SlicingBuffer).ucs2Slice(start, end);
}

/** Room for at least `count` UTF-16 units. It is shared: valid until the next call, contents arbitrary. */
export function unitsFor(count: number): Uint16Array {
  if (count <= kept.length) return kept;
  const room = new Uint16Array(Math.max(count, Math.min(2 * kept.length, KEPT_UNITS_MAX)));
  if (room.length <= KEPT_UNITS_MAX) {
    kept = room;
    keptBytes = bytesOf(room);
  }
  return room;
}

/** The first `count` of `units` as a string. Destroys them on a big-endian machine. */
export function unitsText(units: Uint16Array, count: number): string {
  const bytes = units === kept ? keptBytes : bytesOf(units);
  if (HOST_IS_BIG_ENDIAN) bytes.subarray(0, 2 * count).swap16();
  return utf16leText(bytes, 0, 2 * count);
}

function bytesOf(units: Uint16Array): Buffer {
  return Buffer.from(units.buffer, units.byteOffset, units.byteLength);
}
