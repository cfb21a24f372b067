import type { Value } from '../../../../core/change.ts';
import { TidingsError } from '../../../../core/errors.ts';
import type { Column } from '../../../../core/table-schema.ts';
import { bitValue } from '../../binlog/rows/value-runtime.ts';
import { latin1Text } from '../../charset/text-slices.ts';
import { encodes } from '../../ddl/repertoire.ts';
import type { Server } from '../../server.ts';
import { doubleLiteral } from './key-comparison.ts';
import { badText } from './text-errors.ts';

/**
 * Values of key columns as SQL literals. In a `comparison` with the column they are compared as the column's own values are: its order, its collation, no
 * rounding; and nothing is converted on the column's side, so that the server can use an index. They mean the same in every sql_mode but for
 * invalid dates, which `sessionStatements` allows.
 *
 * - Text is in the column's own character set: `_latin1 X'…'`. A literal is weaker than a column, so the column's collation decides.
 * - ENUM and SET are their numbers, which is what the servers sort them by; compared with text they would be compared as text.
 * - FLOAT is the double that it is: `col = 0.1` is false for a FLOAT of 0.1.
 */

/** What of a server decides how its values and names are written. */
export type ServerKind = Pick<Server, 'flavour' | 'version'>;

const INTEGER = /^(-?)0*(\d+)$/;
const DECIMAL = /^(-?)0*(\d+(?:\.\d+)?)$/;
const DOUBLE = /^-?\d+(?:\.\d+)?(?:e[-+]?\d+)?$/i;
const MOMENT = /^[-0-9: .]+$/;
const ADDRESS = /^[0-9a-f:.-]+$/i;
/** Of values as `RowBatch.keys()` and JSON have them. The servers would say what is wrong with others by quoting them (I10). */
const VALUES = {
  date: /^\d{4}-\d\d-\d\d$/,
  datetime: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?$/,
  time: /^-?\d{2,3}:\d\d:\d\d(?:\.\d{1,6})?$/,
  timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$/,
  uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  inet4: /^\d{1,3}(?:\.\d{1,3}){3}$/,
  inet6: /^[0-9a-f:.]+$/i,
} as const;
/** What an integer column of any kind can hold. */
const INTEGER_MIN = -(2n ** 63n);
const INTEGER_MAX = 2n ** 64n - 1n;

/** Of a value as a result row has it: `bytes` from `start` to `end`. For ENUM and SET the number that was selected beside it. */
export function literalOfText(
  column: Column,
  { bytes, start, end }: { readonly bytes: Buffer; readonly start: number; readonly end: number },
  server: ServerKind,
): string {
  const ascii = (form: RegExp): string => {
    const text = latin1Text(bytes, start, end);
    if (!form.test(text)) throw badText(`a ${column.type}`);
    return text;
  };
  switch (column.type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'enum':
    case 'set':
      return ascii(INTEGER).replace(INTEGER, '$1$2');
    case 'year':
      return ascii(/^(?:\d\d|\d{4})$/).replace(/^0000$/, '0');
    case 'decimal':
      return ascii(DECIMAL).replace(DECIMAL, '$1$2');
    case 'float':
    case 'double':
      return doubleLiteral(Number(ascii(DOUBLE)));
    case 'bit':
      return String(bitValue(bytes, start, end - start));
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
      return `'${ascii(MOMENT)}'`;
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return `'${ascii(ADDRESS)}'`;
    case 'char':
    case 'varchar':
    case 'text':
      return textLiteral(column, bytes.toString('hex', start, end), server);
    case 'binary':
    case 'varbinary':
    case 'blob':
      return `_binary X'${bytes.toString('hex', start, end)}'`;
    case 'json':
    case 'geometry':
    case 'vector':
      throw unordered(column);
  }
}

/**
 * Of a value as `RowBatch.keys()` gives it, or bytes as base64 text. `NULL` for what the column cannot hold: no comparison with it is true.
 *
 * @throws TidingsError SNAPSHOT_KEYS_INVALID when it is not of the column's type
 */
export function literalOfValue(column: Column, value: Value, server: ServerKind): string {
  switch (column.type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'year':
    case 'bit':
      if (typeof value === 'bigint') return value < INTEGER_MIN || value > INTEGER_MAX ? 'NULL' : value.toString();
      if (typeof value === 'number' && Number.isSafeInteger(value)) return value.toString();
      throw misfit(column, 'an integer');
    case 'decimal':
      return matching(column, value, DECIMAL);
    case 'float':
    case 'double': {
      // An integer that no number holds exactly may be the text of one that is a double.
      const number = typeof value === 'bigint' ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isFinite(number)) throw misfit(column, 'a number');
      return doubleLiteral(column.type === 'float' ? Math.fround(number) : number);
    }
    case 'timestamp':
      return `'${matching(column, value, VALUES.timestamp).replace('T', ' ').slice(0, -1)}'`;
    case 'date':
    case 'datetime':
    case 'time':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return `'${matching(column, value, VALUES[column.type])}'`;
    case 'enum':
    case 'set': {
      if (typeof value !== 'string') throw misfit(column, 'text');
      const members = column.members ?? [];
      const number = column.type === 'enum' ? enumNumber(members, value) : setNumber(members, value);
      // information_schema cannot show every member. As text it is compared as text, which is as good for equality.
      return number === null ? convertedText(column, value, server) : String(number);
    }
    case 'char':
    case 'varchar':
    case 'text':
      if (typeof value !== 'string') throw misfit(column, 'text');
      return convertedText(column, value, server);
    case 'binary':
    case 'varbinary':
    case 'blob':
      return `_binary X'${bytesOf(column, value).toString('hex')}'`;
    case 'json':
    case 'geometry':
    case 'vector':
      throw unordered(column);
  }
}

function matching(column: Column, value: Value, form: RegExp): string {
  if (typeof value === 'string' && form.test(value)) return value;
  throw misfit(column, 'text of its form');
}

function bytesOf(column: Column, value: Value): Buffer {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'base64');
    // Node passes over whatever is no base64.
    if (bytes.toString('base64') === value) return bytes;
  }
  throw misfit(column, 'bytes in base64');
}

function enumNumber(members: readonly string[], text: string): number | null {
  return text === '' ? 0 : members.indexOf(text) + 1 || null;
}

function setNumber(members: readonly string[], text: string): bigint | null {
  let bits = 0n;
  for (const member of text === '' ? [] : text.split(',')) {
    const bit = members.indexOf(member);
    if (bit < 0) return null;
    bits |= 1n << BigInt(bit);
  }
  return bits;
}

/** The server converts it; not with CONVERT, whose collation would be as strong as the column's, and another one. */
function convertedText({ charset }: Column, text: string, { flavour }: ServerKind): string {
  // MariaDB's encoding of names as file names has every character; of others the server refuses what they lack.
  const isHeld = /^[\0-\x7f]*$/.test(text) || charset === 'filename' || encodes(charset ?? 'utf8mb4', text, flavour);
  return isHeld ? `_utf8mb4 X'${Buffer.from(text, 'utf8').toString('hex')}'` : 'NULL';
}

function textLiteral(column: Column, hex: string, server: ServerKind): string {
  return `_${charsetName(column, server)} X'${hex}'`;
}

/** As the server calls it: before MySQL 8 and MariaDB 10.6 utf8mb3 was utf8. */
function charsetName({ charset }: Column, { flavour, version }: ServerKind): string {
  const name = charset ?? 'utf8mb4';
  if (name !== 'utf8mb3') return name;
  return version < (flavour === 'mysql' ? 80_000 : 100_600) ? 'utf8' : name;
}

function misfit({ name, type }: Column, wanted: string): TidingsError {
  return new TidingsError('SNAPSHOT_KEYS_INVALID', `a key's value for column ${name} (${type}) is not ${wanted}`, {
    details: { column: name, columnType: type },
  });
}

function unordered({ name, type }: Column): TidingsError {
  return new TidingsError('SNAPSHOT_KEY_MISSING', `column ${name} (${type}) cannot be part of a key`, {
    details: { column: name, columnType: type },
  });
}
