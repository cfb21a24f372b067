import type { Key } from './plain-rows.ts';
import type { Position } from './position.ts';
import type { RowBatch } from './source.ts';
import type { TableSchema } from './table-schema.ts';

/**
 * Reads the rows of a source's tables as they stand, chunk by chunk, without a lock and without writing to the source.
 *
 * A chunk alone says nothing about the place in the stream at which its rows hold: they are read while others write. It says between
 * which two places that was (`ChunkRequest.since`, `SnapshotChunk.mark`). Whoever merges it into the stream notes which keys the
 * stream has changed behind `since`, and lets the chunk's other rows through once the stream has come to `mark`: those rows were not
 * changed in between, so they hold there, whenever in between they were read.
 */
export interface SnapshotReader {
  /** The tables of the source's selection as they are now, ordered by database and name. */
  tables(): Promise<readonly SnapshotTable[]>;
  /**
   * Reads the next rows of a table in the order of its chunk key. Several may be read at a time, each over a connection of its own.
   *
   * @throws TidingsError SNAPSHOT_TABLE_GONE, SNAPSHOT_KEY_MISSING, SNAPSHOT_KEYS_INVALID, SNAPSHOT_CURSOR_INVALID,
   *   SNAPSHOT_CONDITION_INVALID, SNAPSHOT_SERVER_CHANGED (it is not the server that the stream reads), CONNECTION_LOST and what the server
   *   says
   */
  readChunk(request: ChunkRequest): Promise<SnapshotChunk>;
  /**
   * Resolves when all of these can be keys of the table, as `ChunkRequest.keys` takes them.
   *
   * @throws TidingsError SNAPSHOT_KEYS_INVALID naming the first one that cannot, by its place in the list; as `readChunk`
   */
  checkKeys(request: KeysRequest): Promise<void>;
  /**
   * Reads a table in one consistent read, chunk by chunk, for want of a key to cut it by. `next` of its chunks is null; ending the iteration ends
   * the read. What was handed over has to be read again after a failure, as there is no place to go on from. A reader that cannot leaves it
   * out.
   *
   * @throws TidingsError as `readChunk`
   */
  readWhole?(request: WholeRequest): AsyncIterable<SnapshotChunk>;
  /** Whether everything up to `mark` is at or before `position`, a place of the same server. */
  reached(position: Position, mark: Position): boolean;
  /** Whether the source's selection has the table, be it there or not. */
  watches(database: string, table: string): boolean;
  /** How busy the server is: connections that work at this moment. */
  threadsRunning(): Promise<number>;
  /** How far the source's replicas are behind it; left out where none are known. Resolves also when some cannot be asked. */
  replicaLags?(): Promise<readonly ReplicaLag[]>;
  /** Ends what is being read, and the connections. Idempotent. */
  close(): Promise<void>;
}

export interface ReplicaLag {
  /** Its address, without credentials. */
  readonly replica: string;
  /** Null: it is not known, or does not end; `problem` says why. */
  readonly seconds: number | null;
  readonly problem: string | null;
}

export interface SnapshotTable {
  readonly database: string;
  readonly name: string;
  /** As the server estimates it. */
  readonly rows: number;
  /** The columns by which the table is cut into chunks: the primary key, or a unique one without NULL; null when it has neither. */
  readonly key: readonly string[] | null;
}

export interface ChunkRequest {
  readonly database: string;
  readonly table: string;
  /**
   * Yields `SnapshotChunk.next` of the chunk before; null: from the beginning. Asked when the read is ready for it, perhaps more than once: the
   * chunk before may still be on its way then. What it throws ends the read.
   */
  readonly after: () => string | null | Promise<string | null>;
  /**
   * Told where the next chunk begins as soon as the rows have come, which is some questions to the server before the chunk is complete. Told
   * again, if they had to be read again.
   */
  readonly onRows?: (next: string | null) => void;
  /** At most so many rows. */
  readonly rows: number;
  /** Ends with the row with which its bytes on the wire pass this sum, whatever `rows` says. */
  readonly bytes: number;
  /** Only rows for which this SQL expression of the source's dialect is true; null: all. */
  readonly where: string | null;
  /** Only rows with these values of the chunk key, in the key's order, as `RowBatch.keys()` gives them; bytes may be base64 text. */
  readonly keys?: readonly Key[];
  /** Of those only rows that have one of these, too: which values are the same key only the server knows. */
  readonly among?: readonly Key[];
  /** Everything that was committed up to this place of the stream must be visible to the read. */
  readonly since: Position;
  readonly signal: AbortSignal;
}

/** `rows` and `bytes` limit each chunk. */
export type WholeRequest = Omit<ChunkRequest, 'after' | 'keys' | 'among' | 'onRows'>;

export interface KeysRequest {
  readonly database: string;
  readonly table: string;
  readonly keys: readonly Key[];
  readonly signal: AbortSignal;
}

export interface SnapshotChunk {
  readonly table: TableSchema;
  /** Names of the chunk key's columns, in its order. */
  readonly key: readonly string[];
  readonly count: number;
  /** How many columns its rows have: as many as a row of the stream with all of them. */
  readonly columns: number;
  /** On the wire. */
  readonly bytes: number;
  /** Where the next chunk begins; null: the table has no more rows. */
  readonly next: string | null;
  /** Everything that the read saw was committed at or before this place. */
  readonly mark: Position;
  /** When it was read, µs since 1970 UTC. */
  readonly readAtUs: number;
  /**
   * Its rows as upserts with `snapshot` set, without those whose key (`keyText`) is in the set; empty when none is left. In batches of a few
   * thousand at most, so that none keeps the thread for long. Valid until `release`.
   */
  rows(except: ReadonlySet<string>): readonly RowBatch[];
  /** The chunk keys of all its rows, in the form of `RowBatch.keys()`. Until `release`. */
  keys(): readonly Key[];
  /** The chunk is used no more, and its memory serves the next one. */
  release(): void;
}

type Part = Exclude<Key, readonly unknown[]>;

/** A key as a text that two keys share only if they are the same value by value: also `1` and `1n`, which are the same number. */
export function keyText(key: Key): string {
  if (!Array.isArray(key)) return partText(key as Part);
  return (key as readonly Part[]).map((part) => partText(part)).join('\u0000');
}

function partText(value: Part): string {
  switch (typeof value) {
    case 'string':
      return `s${JSON.stringify(value)}`;
    case 'number':
    case 'bigint':
      return `n${Object.is(value, -0) ? '-0' : value}`;
    case 'boolean':
      return `b${value}`;
    default:
      return objectText(value);
  }
}

function objectText(value: Exclude<Part, string | number | bigint | boolean>): string {
  if (value === null) return '-';
  if (value instanceof Uint8Array) {
    return `x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  }
  return value instanceof Float32Array ? `f${value.join()}` : `j${JSON.stringify(value)}`;
}
