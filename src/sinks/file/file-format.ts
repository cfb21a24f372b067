import type { RowShape } from '../../core/rows/row-shape.ts';
import type { StoredRows } from '../../core/rows/stored-rows.ts';
import type { TargetTruncation } from '../../formats/sink-rows.ts';
import type { SinkRow, SinkTarget } from '../../core/sink.ts';

/** How rows are written into files. */
export interface FileFormat {
  /** How the names of complete files end: `ndjson.gz`. */
  readonly extension: string;
  /**
   * How a target's rows are written. The same object for the same target.
   *
   * @throws TidingsError SINK_SCHEMA_CONFLICT
   */
  layoutOf(target: SinkTarget): FileLayout;
  /** Whether chunks of this target take rows of this shape as the log has them. */
  takesStored(target: SinkTarget, shape: RowShape): boolean;
  chunk(layout: FileLayout): Chunk;
}

export interface FileLayout {
  /** Rows may share a file if this is the same. */
  readonly id: string;
  /** With what a file begins. */
  readonly header: Buffer;
}

/** Rows of one batch that go into one file. */
export interface Chunk {
  /** @throws TidingsError when the row has no exact form; then nothing of it is in the chunk */
  add(row: SinkRow): void;
  addTruncation(truncation: TargetTruncation): void;
  /** The rows that come next are of this run: see `RowPack`. Only where `takesStored` has said yes. */
  beginRun(rows: StoredRows, about: { readonly target: SinkTarget; readonly committedAtUs: number }): void;
  /** As `RowPack.row`. */
  addStored(scn: number, start: number, end: number): void;
  /** What is to be appended to the file, one behind the other. The same whenever it is asked for. */
  parts(): Promise<readonly Buffer[]>;
  /** Neither it nor its parts are used any more. */
  release(): void;
}
