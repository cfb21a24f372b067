import type { Column, TableSchema } from '../../../core/table-schema.ts';

/** A character set and its collation, by the server's names; the collation is null where it is not known. */
export interface CharsetAndCollation {
  readonly charset: string;
  readonly collation: string | null;
}

/**
 * A table's definition together with what the server knows of it beyond its columns and needs again when the table is altered.
 *
 * Immutable, like the schema in it.
 */
export interface TableDefinition {
  readonly schema: TableSchema;
  /** What a text column gets that names no character set of its own. Null where it is not known. */
  readonly defaultCharset: CharsetAndCollation | null;
  /** The ROW END column of a MariaDB system-versioned table, which the server appends to the primary key. Otherwise null. */
  readonly rowEnd: string | null;
  /**
   * How many of the last columns no information_schema lists although each row image has them. MariaDB only: `row_start` and
   * `row_end` of a table whose system versioning names no columns, and one `DB_ROW_HASH_n` per UNIQUE key that is too long for
   * the storage engine.
   */
  readonly hiddenColumns: number;
  /**
   * ENUM and SET columns of which a member holds a question mark that may stand for a character beyond U+FFFF:
   * information_schema and SHOW CREATE TABLE cannot show such characters, and say so by nothing else. As SHOW CREATE TABLE prints it
   * also reads a CREATE TABLE that the server wrote into the binlog itself: of CREATE … SELECT, and with generated invisible keys.
   */
  readonly doubtfulMembers: readonly string[];
  /**
   * MariaDB: columns that may be part of a UNIQUE key, rather too many than too few. Such a column brings in a hidden one when it
   * grows too long for the storage engine. Elsewhere of no consequence.
   */
  readonly uniqueColumns: readonly string[];
  /**
   * The columns are right, but `rowEnd` and `hiddenColumns` are not known: good for rows, and nothing can be told of the table after
   * an ALTER.
   */
  readonly columnsOnly?: boolean;
}

/** Whether a copy of the table would not have just the same columns, or it is not known. */
export function isSpecial({ rowEnd, hiddenColumns, columnsOnly = false }: TableDefinition): boolean {
  return columnsOnly || rowEnd !== null || hiddenColumns > 0;
}

/** Character sets with characters that information_schema, being utf8mb3, cannot show. */
const BEYOND_UTF8MB3: ReadonlySet<string> = new Set(['utf8mb4', 'utf16', 'utf16le', 'utf32', 'gb18030']);

/** The names of the columns whose members hold a question mark that may stand for something else. */
export function doubtfulMembers(columns: readonly Column[]): string[] {
  return columns
    .filter(
      ({ members, charset }) =>
        members !== null && BEYOND_UTF8MB3.has(charset ?? '') && members.some((member) => member.includes('?')),
    )
    .map(({ name }) => name);
}

/** Whether `name` is what MariaDB calls the hidden column behind a long UNIQUE key. */
export function isHashColumn(name: string): boolean {
  return /^DB_ROW_HASH_\d+$/.test(name);
}
