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
  /** What is to be appended to the file. */
  bytes(): Promise<Buffer>;
}
