import type { StreamChange } from './consumer.ts';
import type { TidingsError } from './errors.ts';
import type { SinkRow, SinkTarget } from './sink.ts';
import type { TableSchema } from './table-schema.ts';

/** Makes a sink's rows of a stream's changes. One for each sink; it keeps what it has made of tables' definitions. */
export interface Mapper {
  /** The tables it has rules for, as patterns: what to ask the stream for. */
  readonly tables: readonly string[];
  /** The columns that it looks at, by table pattern, where it does without some. */
  readonly columns: Readonly<Record<string, readonly string[]>> | null;
  /**
   * The rows that a change becomes: none when it is filtered out, several when it goes to several targets. A promise only when a hook has returned one.
   * JSON columns of the change hold the document's text: the stream is read with `json: 'text'`.
   *
   * @throws TidingsError MAPPING_FAILED or MAPPING_TIMEOUT naming table, column and rule, for a row that cannot be mapped; MAPPING_INVALID when the
   *   rules do not go with the table, whatever its rows; what a hook throws of which waiting is the cure
   */
  map(change: StreamChange): readonly MappedRow[] | Promise<readonly MappedRow[]>;
  /**
   * The same for several changes at a time, for hooks that work so. Left out: there is none. For each change its rows, or what `map` would have thrown.
   */
  mapBatch?(changes: readonly StreamChange[]): Promise<readonly MappedChange[]>;
  /**
   * The target that changes of this table go to as they are: its rows have the table's columns and key, and each change is one of the target's. Null when
   * there is anything to be done with them. Left out: there always is.
   *
   * @throws as `map`
   */
  passing?(table: TableSchema): SinkTarget | null;
  /**
   * The targets that a truncation of this table empties: those that get rows of it and nothing else, and those that the rules say so of.
   *
   * @throws TidingsError MAPPING_INVALID when rows of the table are in targets whose rows cannot be told apart
   */
  targetsOf(database: string, table: string): readonly SinkTarget[];
}

/** What became of one change of several. */
export type MappedChange =
  | { readonly rows: readonly MappedRow[]; readonly error: null }
  | { readonly rows: null; readonly error: TidingsError };

export interface MappedRow extends SinkRow {
  /**
   * True when the target's key follows from the table's primary key alone, column by column, and no other table has rows of the same key there, so that rows
   * of one target key come from one partition. Others go through the serial lane.
   */
  readonly keepsKey: boolean;
}
