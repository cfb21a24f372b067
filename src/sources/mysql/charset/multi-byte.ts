import type { Charset } from './charset.ts';
import { decodeFilename } from './filename.ts';
import { gb18030Quads } from './gb18030.ts';
import { HIGH_BYTE_TABLES, PACKED_TABLES, type PackedTableName } from './multi-byte-tables.generated.ts';
import { unpackTable } from './packed-table.ts';
import { latin1Text, unitsFor, unitsText } from './text-slices.ts';
import { undecodable } from './undecodable.ts';

/** What a character set's bytes from 0x80 on mean. All tables hold UTF-16 units; 0 is "no character". */
interface Tables {
  /** Single bytes, by `byte - 0x80`. */
  readonly high: Uint16Array;
  /** Two bytes, by `(first << 8 | second) - 0x8000`. */
  readonly pairs: Uint16Array;
  /** The two bytes behind 0x8f, by `(second << 8 | third) - 0x8000`; null: 0x8f is a byte like others. */
  readonly after8f: Uint16Array | null;
  /** Four bytes of gb18030 in the BMP, by linear index; null: not gb18030. */
  readonly quads: Uint16Array | null;
}

/** In these the second byte of a character is 0x80 or more, so that a byte below is always ASCII. */
const ASCII_TRANSPARENT: ReadonlySet<string> = new Set(['gb2312', 'ujis', 'eucjpms']);

export const MULTI_BYTE_CHARSETS: readonly Charset[] = [
  tableCharset('big5', 2),
  tableCharset('cp932', 2),
  tableCharset('euckr', 2),
  tableCharset('gb2312', 2),
  tableCharset('gbk', 2),
  tableCharset('sjis', 2),
  tableCharset('eucjpms', 3, 'eucjpmsAfter8f'),
  tableCharset('ujis', 3, 'ujisAfter8f'),
  tableCharset('gb18030', 4),
  { name: 'filename', asciiTransparent: false, bytesPerCharMax: 5, bytesPerCharMin: 1, decode: decodeFilename },
];

function tableCharset(name: PackedTableName, bytesPerCharMax: number, after8f?: PackedTableName): Charset {
  let tables: Tables | null = null; // made by the first text that is not ASCII: it takes about a millisecond and 64 KB a table
  return {
    name,
    asciiTransparent: ASCII_TRANSPARENT.has(name),
    bytesPerCharMax,
    bytesPerCharMin: 1,
    decode(bytes, start, end) {
      let all = 0;
      for (let i = start; i < end; i++) all |= bytes[i] as number;
      if (all < 0x80) return latin1Text(bytes, start, end);
      tables ??= makeTables(name, after8f);
      return decodeTables(name, tables, bytes, start, end);
    },
  };
}

function makeTables(name: PackedTableName, after8f: PackedTableName | undefined): Tables {
  const high = new Uint16Array(128);
  const characters = HIGH_BYTE_TABLES[name] ?? '';
  for (let i = 0; i < characters.length; i++) {
    const unit = characters.charCodeAt(i);
    if (unit !== 0xffff) high[i] = unit;
  }
  return {
    high,
    pairs: unpackTable(PACKED_TABLES[name]),
    after8f: after8f === undefined ? null : unpackTable(PACKED_TABLES[after8f]),
    quads: name === 'gb18030' ? gb18030Quads() : null,
  };
}

function decodeTables(name: string, tables: Tables, bytes: Buffer, start: number, end: number): string {
  const { high, pairs, after8f, quads } = tables;
  const units = unitsFor(end - start); // no character has more units than bytes
  let count = 0;
  let at = start;
  while (at < end) {
    const first = bytes[at] as number;
    if (first < 0x80) {
      units[count++] = first;
      at++;
      continue;
    }
    let unit = high[first - 0x80] as number;
    let length = 1;
    // A read behind `end` may find the next value's bytes; `length` then leads behind `end`, which is refused below.
    if (unit === 0) {
      const second = bytes[at + 1] as number;
      length = 2;
      if (after8f !== null && first === 0x8f) {
        length = 3;
        if (second >= 0x80) unit = after8f[((second << 8) | (bytes[at + 2] as number)) - 0x8000] as number;
      } else if (quads !== null && second >= 0x30 && second <= 0x39) {
        const index = linearIndex(first, second, bytes[at + 2] as number, bytes[at + 3] as number);
        length = 4;
        if (index >= ASTRAL_INDEX && index <= ASTRAL_INDEX_MAX && at + 4 <= end) {
          units[count++] = 0xd800 + ((index - ASTRAL_INDEX) >> 10);
          unit = 0xdc00 + ((index - ASTRAL_INDEX) & 0x3ff);
        } else if (index >= 0 && index < quads.length) unit = quads[index] as number;
      } else unit = pairs[((first << 8) | second) - 0x8000] as number;
    }
    // 0: no such character. undefined or NaN: the buffer ended inside it.
    if (!(unit > 0) || at + length > end) throw undecodable(name, at, start, end);
    units[count++] = unit;
    at += length;
  }
  return unitsText(units, count);
}

/** U+10000 and U+10FFFF. */
const ASTRAL_INDEX = 189_000;
const ASTRAL_INDEX_MAX = ASTRAL_INDEX + 0xfffff;

/** The place of a four-byte sequence of gb18030 among all of them; -1 when a byte is out of its range. */
function linearIndex(first: number, second: number, third: number, fourth: number): number {
  if (first < 0x81 || first > 0xfe || !(third >= 0x81 && third <= 0xfe && fourth >= 0x30 && fourth <= 0x39)) return -1;
  return (((first - 0x81) * 10 + second - 0x30) * 126 + third - 0x81) * 10 + fourth - 0x30;
}
