import type { Charset } from './charset.ts';
import { SINGLE_BYTE_TABLES } from './single-byte-tables.generated.ts';
import { latin1Text, unitsFor, unitsText } from './text-slices.ts';
import { undecodable } from './undecodable.ts';

/** Marks a byte without a character: no set has this noncharacter. U+FFFD will not do, as tis620 has it nine times. */
const UNDEFINED = 0xffff;

export const SINGLE_BYTE_CHARSETS: readonly Charset[] = [
  { ...oneByte('binary', true), decode: latin1Text },
  ...Object.entries(SINGLE_BYTE_TABLES).map(([name, characters]) => tableCharset(name, characters)),
];

function oneByte(name: string, asciiTransparent: boolean): Omit<Charset, 'decode'> {
  return { name, asciiTransparent, bytesPerCharMax: 1, bytesPerCharMin: 1 };
}

function tableCharset(name: string, characters: string): Charset {
  // Strings of up to 128 characters are the upper half over ASCII; a longer one starts at byte 0 (swe7).
  const isFull = name === 'swe7';
  const table = new Uint16Array(256).fill(UNDEFINED);
  if (!isFull) for (let byte = 0; byte < 128; byte++) table[byte] = byte;
  for (let i = 0; i < characters.length; i++) table[isFull ? i : i + 128] = characters.charCodeAt(i);
  const decode = (bytes: Buffer, start: number, end: number): string => decodeTable(name, table, bytes, start, end);
  if (isFull) return { ...oneByte(name, false), decode };
  // Below this byte the set is ISO 8859-1 and needs no table. latin1 is cp1252: it differs in 0x80 to 0x9f only.
  const alike = name === 'latin1' ? isLatin1WithoutC1 : isAscii;
  return {
    ...oneByte(name, true),
    decode: (bytes, start, end) =>
      alike(bytes, start, end) ? latin1Text(bytes, start, end) : decode(bytes, start, end),
  };
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  let all = 0;
  for (let i = start; i < end; i++) all |= bytes[i] as number;
  return all < 0x80;
}

function isLatin1WithoutC1(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (((bytes[i] as number) & 0xe0) === 0x80) return false;
  return true;
}

function decodeTable(name: string, table: Uint16Array, bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  const units = unitsFor(length);
  for (let i = 0; i < length; i++) {
    const unit = table[bytes[start + i] as number] as number;
    if (unit === UNDEFINED) throw undecodable(name, start + i, start, end);
    units[i] = unit;
  }
  return unitsText(units, length);
}
