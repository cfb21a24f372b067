import type { Column } from '../core/table-schema.ts';
import { jsonNumber, jsonString, vectorText } from './json-text.ts';
import type { ColumnEncoding } from './row-encoder.ts';

/** Every value is text, as Canal's `Map<String, String>` has it. */
export function canalEncoding(column: Column): ColumnEncoding {
  switch (column.type) {
    case 'year':
      return (value) => `"${(value as number).toString().padStart(4, '0')}"`;
    case 'float':
    case 'double':
      return (value) => quoted(jsonNumber(value as number));
    case 'vector':
      return (value) => quoted(vectorText(value as Float32Array));
    case 'timestamp':
      return (value) => `"${(value as string).replace('T', ' ').replace('Z', '')}"`;
    case 'enum':
      return (value) => `"${enumIndex(column, value as string)}"`;
    case 'set':
      return (value) => `"${setBits(column, value as string)}"`;
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      // Each byte is the character of its number.
      return (value) => jsonString(Buffer.from(value as Uint8Array).toString('latin1'));
    case 'char':
    case 'varchar':
    case 'text':
    case 'json':
      return (value) => jsonString(value as string);
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'bit':
    case 'decimal':
    case 'date':
    case 'datetime':
    case 'time':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return 'quoted';
  }
}

function quoted(text: string | undefined): string | undefined {
  return text === undefined ? undefined : `"${text}"`;
}

/** The member's number from 1, as the binlog has it; 0 is the server's error value. */
function enumIndex({ members }: Column, text: string): number {
  return (members ?? []).indexOf(text) + 1;
}

/** One bit for each member, the first one's is the lowest. */
function setBits({ members }: Column, text: string): bigint {
  if (text === '') return 0n;
  return text.split(',').reduce((bits, member) => {
    const index = (members ?? []).indexOf(member);
    return index < 0 ? bits : bits | (1n << BigInt(index));
  }, 0n);
}

/** The type's number in `java.sql.Types`. Canal takes the next larger one for a value that only fits an unsigned column; so do we for the whole column. */
export function canalSqlType({ type, unsigned }: Column): number {
  switch (type) {
    case 'tinyint':
      return unsigned ? 5 : -6;
    case 'smallint':
      return unsigned ? 4 : 5;
    case 'mediumint':
    case 'enum':
      return 4;
    case 'int':
      return unsigned ? -5 : 4;
    case 'bigint':
      return unsigned ? 3 : -5;
    case 'bit':
    case 'set':
      return -7;
    case 'decimal':
      return 3;
    case 'float':
      return 7;
    case 'double':
      return 8;
    case 'date':
      return 91;
    case 'time':
      return 92;
    case 'datetime':
    case 'timestamp':
      return 93;
    case 'char':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return 1;
    case 'year':
    case 'varchar':
    case 'json':
      return 12;
    case 'text':
      return 2005;
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
    case 'vector':
      return 2004;
  }
}

const SIZES: ReadonlyMap<number, string> = new Map([
  [255, 'tiny'],
  [65_535, ''],
  [16_777_215, 'medium'],
  [4_294_967_295, 'long'],
]);

/** The column's type as SHOW COLUMNS tells it, as far as the definition is known: without display widths. */
export function canalMysqlType({ type, unsigned, length, scale, members }: Column): string {
  const sign = unsigned ? ' unsigned' : '';
  switch (type) {
    case 'decimal':
      return `decimal(${length ?? 10},${scale ?? 0})${sign}`;
    case 'text':
    case 'blob':
      return `${SIZES.get(length ?? 65_535) ?? ''}${type}`;
    case 'enum':
    case 'set':
      return `${type}(${(members ?? []).map((member) => `'${member.replaceAll("'", "''")}'`).join(',')})`;
    case 'char':
    case 'varchar':
    case 'binary':
    case 'varbinary':
    case 'bit':
    case 'vector':
      return length === null ? type : `${type}(${length})`;
    case 'datetime':
    case 'timestamp':
    case 'time':
      return length === null || length === 0 ? type : `${type}(${length})`;
    default:
      return type + sign;
  }
}
