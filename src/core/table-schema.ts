/** What a column's values are, whatever the source calls the type. The value model (docs/concepts/values.md) is keyed by it. */
export type ColumnType =
  | 'tinyint'
  | 'smallint'
  | 'mediumint'
  | 'int'
  | 'bigint'
  | 'year'
  | 'bit'
  | 'decimal'
  | 'float'
  | 'double'
  | 'date'
  | 'datetime'
  | 'timestamp'
  | 'time'
  | 'char'
  | 'varchar'
  | 'text' // TINYTEXT … LONGTEXT; `length` tells which
  | 'binary'
  | 'varbinary'
  | 'blob' // TINYBLOB … LONGBLOB
  | 'enum'
  | 'set'
  | 'json'
  | 'geometry'
  | 'vector'
  | 'uuid'
  | 'inet4'
  | 'inet6';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** Integers, DECIMAL, FLOAT, DOUBLE. */
  readonly unsigned: boolean;
  /**
   * CHAR, VARCHAR: characters. BINARY, VARBINARY: bytes. TEXT and BLOB: the most bytes (255, 65535, 16777215, 4294967295).
   * BIT: bits. DECIMAL: digits. Temporal types: digits of the fraction. VECTOR: dimensions. Otherwise null.
   */
  readonly length: number | null;
  /** DECIMAL: digits behind the point. Otherwise null. */
  readonly scale: number | null;
  /** The column's character set by the server's name (`utf8mb4`, `gbk`, `binary`, …); null where it has none. */
  readonly charset: string | null;
  /** The collation, where it is known. */
  readonly collation: string | null;
  /** ENUM and SET: the members in order, decoded. Otherwise null. */
  readonly members: readonly string[] | null;
  /** How a generated column is kept. Whether a row holds its value is the row image's business, not the schema's. */
  readonly generated: 'stored' | 'virtual' | null;
  /** INVISIBLE columns (and generated invisible primary keys) are part of every row image, though SELECT * omits them. */
  readonly invisible: boolean;
}

/** One version of one table's definition. Immutable: a DDL makes a new one. */
export interface TableSchema {
  readonly database: string;
  readonly name: string;
  /** In the server's order, invisible and generated columns included. */
  readonly columns: readonly Column[];
  /** Indexes into `columns` of the primary key, in key order (not column order); empty without a primary key. */
  readonly key: readonly number[];
}
