import { encodes } from '../../../src/sources/mysql/ddl/repertoire.ts';
import { type ColumnType, type ServerFacts, ascii, fromHex, hexed, plain, utf8 } from './column-spec.ts';
import type { Dice } from './dice.ts';
import { bytesLiteral, randomLength, randomText, textLiteral } from './texts.ts';

const LENGTHS = [0, 1, 3, 10, 51, 63, 64, 85, 86, 127, 128, 200, 255];
const LONG_LENGTHS = [256, 257, 300, 1000, 4000];

interface TextOptions {
  /** MariaDB: stored compressed, and logged so. */
  readonly compressed?: boolean;
}

function charsetOf(dice: Dice, facts: ServerFacts): { name: string; bytesMax: number; sql: string } {
  const charset = dice.oneIn(2)
    ? (facts.charsets.find(({ name }) => name === 'utf8mb4') ?? dice.pick(facts.charsets))
    : dice.pick(facts.charsets);
  return {
    ...charset,
    sql: ` CHARACTER SET ${charset.name}${dice.oneIn(4) && charset.name !== 'filename' ? ` COLLATE ${charset.name}_bin` : ''}`,
  };
}

function memberCharset(dice: Dice, facts: ServerFacts): { name: string; sql: string } {
  if (dice.oneIn(10)) return { name: 'binary', sql: ' CHARACTER SET binary' };
  // No DDL with members in `filename` is understood, whatever they are.
  const charsets = facts.members.lossy ? facts.charsets : facts.charsets.filter(({ name }) => name !== 'filename');
  return charsetOf(dice, { ...facts, charsets });
}

export function charColumn(dice: Dice, facts: ServerFacts): ColumnType {
  const charset = charsetOf(dice, facts);
  // Above 1,020 bytes, which only the five bytes a character of `filename` allow, MariaDB makes it a VARCHAR.
  const length = Math.min(dice.pick(LENGTHS), Math.floor(1020 / charset.bytesMax));
  return {
    sql: `CHAR(${length})${charset.sql}`,
    value: (dice) => textLiteral(randomText(dice, randomLength(dice, length)) + (dice.oneIn(4) ? '  ' : '')),
    select: plain,
    expected: utf8,
    key: length === 0 ? 'no' : length > 20 ? dice.between(1, 20) : 'whole',
    rowBytes: length * charset.bytesMax,
  };
}

export function varcharColumn(dice: Dice, facts: ServerFacts, { compressed = false }: TextOptions = {}): ColumnType {
  const charset = charsetOf(dice, facts);
  const length = dice.pick(dice.oneIn(4) ? LONG_LENGTHS : LENGTHS);
  return {
    sql: `VARCHAR(${length})${compressed ? ' COMPRESSED' : ''}${charset.sql}`,
    value: (dice) => {
      const text = randomText(dice, randomLength(dice, length));
      return textLiteral(dice.oneIn(6) ? `${text.slice(0, -2)}  ` : text);
    },
    select: plain,
    expected: utf8,
    key: length === 0 || compressed ? 'no' : length > 20 ? dice.between(1, 20) : 'whole',
    rowBytes: length * charset.bytesMax + 3,
  };
}

export function textColumn(dice: Dice, facts: ServerFacts, { compressed = false }: TextOptions = {}): ColumnType {
  const charset = charsetOf(dice, facts);
  const name = dice.pick(['TINYTEXT', 'TEXT', 'MEDIUMTEXT', 'LONGTEXT']);
  return {
    sql: `${name}${compressed ? ' COMPRESSED' : ''}${charset.sql}`,
    value: (dice) => {
      const length = name === 'TINYTEXT' ? 255 : dice.pick([300, 5000]);
      const most = dice.oneIn(200) && name !== 'TINYTEXT' ? 70_000 : randomLength(dice, length);
      return textLiteral(randomText(dice, Math.floor(most / (name === 'TINYTEXT' || name === 'TEXT' ? 4 : 1))));
    },
    select: plain,
    expected: utf8,
    key: compressed ? 'no' : dice.between(1, 20),
    rowBytes: 12,
    blob: true,
  };
}

/** Random bytes, often with zeros or spaces at the end: the log strips some of them from some types. */
function randomBytes(dice: Dice, length: number): Buffer {
  const bytes = length > 400 ? Buffer.alloc(length, dice.bytes(97)) : dice.bytes(length);
  if (dice.oneIn(3)) bytes.fill(dice.pick([0, 0, 0x20]), dice.between(0, length));
  return bytes;
}

export function binaryColumn(dice: Dice): ColumnType {
  const length = dice.pick([0, 1, 4, 8, 12, 16, 17, 32, 255]);
  return {
    sql: dice.oneIn(6) ? `CHAR(${length}) CHARACTER SET binary` : `BINARY(${length})`,
    value: (dice) => bytesLiteral(randomBytes(dice, randomLength(dice, length))),
    select: hexed,
    expected: fromHex,
    key: length === 0 ? 'no' : 'whole',
    rowBytes: length,
  };
}

export function varbinaryColumn(dice: Dice, { compressed = false }: TextOptions = {}): ColumnType {
  const length = dice.pick([0, 1, 4, 16, 63, 64, 255, 256, 300, 1000]);
  return {
    sql: `VARBINARY(${length})${compressed ? ' COMPRESSED' : ''}`,
    value: (dice) => bytesLiteral(randomBytes(dice, randomLength(dice, length))),
    select: hexed,
    expected: fromHex,
    key: length === 0 || compressed ? 'no' : length > 60 ? dice.between(1, 60) : 'whole',
    rowBytes: length + 3,
  };
}

export function blobColumn(dice: Dice, { compressed = false }: TextOptions = {}): ColumnType {
  const name = dice.pick(['TINYBLOB', 'BLOB', 'MEDIUMBLOB', 'LONGBLOB']);
  return {
    sql: `${name}${compressed ? ' COMPRESSED' : ''}`,
    value: (dice) => {
      const length = name === 'TINYBLOB' ? 255 : dice.oneIn(200) && name !== 'BLOB' ? 70_000 : 1000;
      return bytesLiteral(randomBytes(dice, randomLength(dice, length)));
    },
    select: hexed,
    expected: fromHex,
    key: compressed ? 'no' : dice.between(1, 60),
    rowBytes: 12,
    blob: true,
  };
}

export function enumColumn(dice: Dice, facts: ServerFacts): ColumnType {
  const charset = memberCharset(dice, facts);
  const count = dice.pick([1, 2, 3, 10, 127, 128, 254, 255, 256, 257, 300]);
  const members = dice.list(count, (i) => member(dice, `${i}`, { charset: charset.name, facts, forbidden: '' }));
  return {
    sql: `ENUM(${members.join(',')})${charset.sql}`,
    // 0 is the error value, shown as the empty string.
    value: (dice) => String(dice.pick([0, 1, count, dice.between(1, count), dice.between(1, count)])),
    select: plain,
    expected: charset.name === 'binary' ? ascii : utf8,
    key: 'whole',
    rowBytes: 2,
  };
}

export function setColumn(dice: Dice, facts: ServerFacts): ColumnType {
  const charset = memberCharset(dice, facts);
  const count = dice.pick([1, 2, 8, 9, 16, 17, 24, 25, 31, 32, 33, 63, 64]);
  const members = dice.list(count, (i) => member(dice, `${i}`, { charset: charset.name, facts, forbidden: ',' }));
  const all = (1n << BigInt(count)) - 1n;
  return {
    sql: `SET(${members.join(',')})${charset.sql}`,
    value: (dice) =>
      String(dice.pick([0n, 1n, all, 1n << BigInt(count - 1), dice.u64() & all, dice.u64() & dice.u64() & all])),
    select: plain,
    expected: charset.name === 'binary' ? ascii : utf8,
    key: 'whole',
    rowBytes: 8,
  };
}

/** A member that no other equals in any collation: its number ends it, and nothing before that is a digit. */
function member(
  dice: Dice,
  number: string,
  { charset, facts, forbidden }: { charset: string; facts: ServerFacts; forbidden: string },
): string {
  // In `swe7` some of ASCII's own signs are something else, or nothing.
  const digitsOnly = !facts.members.lossy && charset === 'swe7';
  const odd = digitsOnly
    ? ''
    : dice.pick(["it''s", 'a\\\\b', 'with space', '"', '%_', '', '', forbidden === ',' ? ';' : ',']);
  const letters =
    charset === 'binary' || digitsOnly || dice.oneIn(2)
      ? ''
      : randomText(dice, 2).replaceAll(/[,'"\\\s\p{N}\p{Cc}\ufeff\u{fffd}\u2028?]/gu, '');
  const allowed = Array.from(letters).filter(
    (letter) =>
      (facts.members.astral || letter.length === 1) &&
      (facts.members.lossy || isAscii(letter) || encodes(charset, letter, facts.flavour)),
  );
  return `'${allowed.join('')}${odd}${number}'`;
}

function isAscii(letter: string): boolean {
  return letter < '\u0080';
}
