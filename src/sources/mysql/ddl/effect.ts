import type { CharsetAndCollation, TableDefinition } from '../schema/table-definition.ts';

/** A table by the server's names: in lower case where the server keeps them so (`lower_case_table_names=1`). */
export interface TableName {
  readonly database: string;
  readonly name: string;
}

/** What is known of a table: its definition, that there is none, or nothing. A view counts as `absent`. */
export type TableKnowledge = TableDefinition | 'absent' | 'unknown';

/** What is known of a database: the default of its new tables, that there is none, or nothing. */
export type DatabaseKnowledge = CharsetAndCollation | 'absent' | 'unknown';

/** The modes that change how a statement is read. All of them are in the `sql_mode` that each QUERY event carries. */
export interface DdlSqlMode {
  /** ANSI_QUOTES: `"x"` is an identifier. */
  readonly ansiQuotes: boolean;
  /** NO_BACKSLASH_ESCAPES: a backslash in a string is a backslash. */
  readonly noBackslashEscapes: boolean;
  /** REAL_AS_FLOAT: REAL is FLOAT, not DOUBLE. */
  readonly realAsFloat: boolean;
  /** MariaDB's ORACLE: another dialect. Definitions made in it are not understood. */
  readonly oracle: boolean;
  /** MAXDB (MySQL 5.7, MariaDB): TIMESTAMP is DATETIME. */
  readonly maxdb: boolean;
}

/** The circumstances of one statement: from its QUERY event, from the server's variables, and from the history before it. */
export interface DdlContext {
  /** The statement's default database; empty when it had none. */
  readonly database: string;
  readonly flavour: 'mysql' | 'mariadb';
  /** Of the server that wrote the event: 50744, 80400, 101118. Decides which executable comments are executed. */
  readonly serverVersion: number;
  readonly sqlMode: DdlSqlMode;
  readonly lowerCaseTableNames: 0 | 1 | 2;
  /** Of the session; null when it is not known, which matters to a TIMESTAMP that says neither NULL nor NOT NULL. */
  readonly explicitDefaultsForTimestamp: boolean | null;
  /** What the name `utf8` stands for: utf8mb3, unless MariaDB's old_mode lacks UTF8_IS_UTF8MB3. */
  readonly utf8: 'utf8mb3' | 'utf8mb4';
  /** The session's character_set_server and collation_server, which CREATE DATABASE falls back to. */
  readonly serverCharset: CharsetAndCollation | null;
  /**
   * The event's THREAD_SPECIFIC flag. In the statement and mixed formats the name in ALTER, RENAME, TRUNCATE, LIKE and CREATE or
   * DROP INDEX may then be a temporary table's, so these leave a known table unknown. Both servers set the flag with every DROP
   * TABLE as well, and MariaDB with CREATE OR REPLACE, where it means nothing.
   */
  readonly threadSpecific: boolean;
  /** The error code in the event, 0 for success. A statement that failed in part leaves its tables unknown. */
  readonly errorCode: number;
  /** The definition in force before the statement. */
  lookup(database: string, table: string): TableKnowledge;
  /** The default character set of a database before the statement. */
  lookupDatabase(database: string): DatabaseKnowledge;
  /** The collation that a character set gets when none is named, in this session; null when it is not known. */
  defaultCollation(charset: string): string | null;
  charsetOfCollation(collation: string): string | null;
}

/** One consequence of a statement. The steps of a statement apply in order. */
export type SchemaStep =
  /** From here on the table is this. It may or may not have existed before. */
  | { readonly op: 'define'; readonly definition: TableDefinition }
  | { readonly op: 'drop'; readonly table: TableName }
  /** The definition, or that it is unknown, moves with the name. */
  | { readonly op: 'rename'; readonly from: TableName; readonly to: TableName }
  /** Rows went without row events: all of them, or those of some partitions. */
  | { readonly op: 'truncate'; readonly table: TableName; readonly rows: 'all' | 'some' }
  /** Rows came or went without row events: EXCHANGE PARTITION, IMPORT TABLESPACE, CREATE … SELECT logged as such, … */
  | { readonly op: 'replace-rows'; readonly table: TableName }
  /** The statement may have changed the table, or made or dropped it: nothing is known of it any more. */
  | { readonly op: 'unknown'; readonly table: TableName }
  | { readonly op: 'unknown-database'; readonly database: string }
  | { readonly op: 'unknown-all' }
  /** The default of new tables; null when the database exists but its default is not known. */
  | { readonly op: 'define-database'; readonly database: string; readonly charset: CharsetAndCollation | null }
  | { readonly op: 'drop-database'; readonly database: string };

export type DdlEffect =
  /** Understood, and without consequence for any base table's definition or rows. */
  | { readonly kind: 'irrelevant' }
  /**
   * A change of rows written as a statement. `tables` are the tables it may write itself (triggers, stored functions and
   * cascading foreign keys may write others); null when the text does not tell.
   */
  | { readonly kind: 'dml'; readonly tables: readonly TableName[] | null }
  | { readonly kind: 'schema'; readonly steps: readonly SchemaStep[] };
