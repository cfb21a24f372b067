import type { Column } from '../../core/table-schema.ts';
import { quoteName } from './sql-text.ts';

/** InnoDB's longest key, with the row format that is the default. */
const KEY_BYTES_MAX = 3072;
/** Room for a column that is no text: more than any of them takes. */
const OTHER_BYTES = 16;
const DECIMAL_BYTES = 32;
const CHARACTER_BYTES: Readonly<Record<string, number>> = {
  utf8mb4: 4,
  utf16: 4,
  utf16le: 4,
  utf32: 4,
  gb18030: 4,
  utf8mb3: 3,
  ujis: 3,
  eucjpms: 3,
  ucs2: 2,
  gbk: 2,
  big5: 2,
  sjis: 2,
  cp932: 2,
  euckr: 2,
  gb2312: 2,
};

interface Part {
  readonly column: Column;
  readonly unitBytes: number;
  /** What the whole column takes. */
  readonly bytes: number;
  /** TEXT and BLOB: a key has only ever the beginning, even if that is all. */
  readonly needsLength: boolean;
  readonly isText: boolean;
}

/**
 * The columns of a primary key, with as long beginnings of long texts as a key has room for. The source's key has beginnings, too, where it has such columns, and
 * what differs there differs in longer ones.
 *
 * @param charsetOf the character set that the column gets in the target
 */
export function primaryKeyParts(columns: readonly Column[], charsetOf: (column: Column) => string): readonly string[] {
  const parts = columns.map((column) => partOf(column, charsetOf));
  let left = KEY_BYTES_MAX - parts.filter(({ isText }) => !isText).reduce((sum, { bytes }) => sum + bytes, 0);
  // Short ones first: what they leave is for the long ones.
  const texts = parts.filter(({ isText }) => isText).sort((a, b) => a.bytes - b.bytes);
  const given = new Map<Part, number>();
  for (const [i, part] of texts.entries()) {
    const bytes = Math.min(part.bytes, Math.floor(left / (texts.length - i)));
    given.set(part, bytes);
    left -= bytes;
  }
  return parts.map((part) => {
    const bytes = given.get(part);
    const name = quoteName(part.column.name);
    if (bytes === undefined || (bytes === part.bytes && !part.needsLength)) return name;
    return `${name}(${Math.max(Math.floor(bytes / part.unitBytes), 1)})`;
  });
}

function partOf(column: Column, charsetOf: (column: Column) => string): Part {
  const { type, length } = column;
  switch (type) {
    case 'char':
    case 'varchar':
    case 'text': {
      const unitBytes = CHARACTER_BYTES[charsetOf(column)] ?? 1;
      return {
        column,
        unitBytes,
        bytes: type === 'text' ? (length ?? 255) : (length ?? 255) * unitBytes,
        needsLength: type === 'text',
        isText: true,
      };
    }
    case 'binary':
    case 'varbinary':
    case 'blob':
      return { column, unitBytes: 1, bytes: length ?? 255, needsLength: type === 'blob', isText: true };
    case 'decimal':
      return { column, unitBytes: 1, bytes: DECIMAL_BYTES, needsLength: false, isText: false };
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return { column, unitBytes: 1, bytes: 45, needsLength: false, isText: false };
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'year':
    case 'bit':
    case 'float':
    case 'double':
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
    case 'enum':
    case 'set':
    case 'json':
    case 'geometry':
    case 'vector':
      return { column, unitBytes: 1, bytes: OTHER_BYTES, needsLength: false, isText: false };
  }
}
