import type { StreamChange } from './consumer.ts';
import type { SinkRow, SinkTarget } from './sink.ts';

/** Makes a sink's rows of a stream's changes. One for each sink; it keeps what it has made of tables' definitions. */
export interface Mapper {
  /** The tables it has rules for, as patterns: what to ask the stream for. */
  readonly tables: readonly string[];
  /** The columns that it looks at, by table pattern, where it does without some. */
  readonly columns: Readonly<Record<string, readonly string[]>> | null;
  /**
   * The rows that a change becomes: none when it is filtered out, several when it goes to several targets. A promise only when a hook has returned one.
   *
   * @throws TidingsError MAPPING_FAILED naming table, column and rule, for a row that cannot be mapped
   */
  map(change: StreamChange): readonly MappedRow[] | Promise<readonly MappedRow[]>;
  /** The targets that get rows of this table and nothing else: what a truncation of the table empties. */
  targetsOf(database: string, table: string): readonly SinkTarget[];
}

export interface MappedRow extends SinkRow {
  /**
   * True when the target's key follows from the table's primary key alone, column by column, so that rows of one target key come from one partition. Others go
   * through the serial lane.
   */
  readonly keepsKey: boolean;
}
