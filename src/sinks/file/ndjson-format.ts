import type { RowShape } from '../../core/rows/row-shape.ts';
import type { RowsExtent, StoredRows } from '../../core/rows/stored-rows.ts';
import type { SinkRow, SinkTarget } from '../../core/sink.ts';
import { jsonRuntime, NUMBER_BYTES_MAX } from '../../formats/json-bytes.ts';
import type { SinkLines, StoredLines } from '../../formats/sink-lines.ts';
import type { TargetTruncation } from '../../formats/sink-rows.ts';
import { ByteOut, BytePool, type Constant, constantOf } from './byte-out.ts';
import { type Compress, compressorOf } from './compression.ts';
import type { Chunk, FileFormat, FileLayout } from './file-format.ts';

const EXTENSIONS = { none: 'ndjson', gzip: 'ndjson.gz', zstd: 'ndjson.zst' } as const;

/** Rows of all tables may share a file. */
const LINES: FileLayout = { id: '', header: Buffer.alloc(0) };

/** Lines, compressed per batch: what is compressed can be read by itself, and one behind the other. */
export class NdjsonFormat implements FileFormat {
  readonly extension: string;
  readonly #lines: SinkLines;
  readonly #compress: Compress;
  readonly #pool: BytePool = new BytePool();
  readonly #stored: WeakMap<SinkTarget, WeakMap<RowShape, StoredLines | null>> = new WeakMap();

  constructor(lines: SinkLines, compression: 'none' | 'gzip' | 'zstd') {
    this.#lines = lines;
    this.#compress = compressorOf(compression);
    this.extension = EXTENSIONS[compression];
  }

  layoutOf(target: SinkTarget): FileLayout {
    this.#lines.check(target);
    return LINES;
  }

  takesStored(target: SinkTarget, shape: RowShape): boolean {
    return this.#storedLines(target, shape) !== null;
  }

  chunk(): Chunk {
    return new LineChunk({
      lines: this.#lines,
      pool: this.#pool,
      compress: this.#compress,
      storedLines: (target, shape) => this.#storedLines(target, shape),
    });
  }

  #storedLines(target: SinkTarget, shape: RowShape): StoredLines | null {
    let shapes = this.#stored.get(target);
    if (shapes === undefined) {
      shapes = new WeakMap();
      this.#stored.set(target, shapes);
    }
    let known = shapes.get(shape);
    if (known === undefined) {
      known = this.#lines.stored?.(target, shape) ?? null;
      shapes.set(shape, known);
    }
    return known;
  }
}

/** Strings are joined up to this length before they are made bytes. */
const TEXT_CHARS = 1 << 18;

interface StoredRun {
  readonly extent: RowsExtent;
  readonly lines: StoredLines;
  /** Before the SCN, and behind it. */
  readonly head: Constant;
  readonly behind: Constant;
}

const BRACE_AND_END = [0x7d, 0x0a] as const;

interface LineChunkOptions {
  readonly lines: SinkLines;
  readonly pool: BytePool;
  readonly compress: Compress;
  readonly storedLines: (target: SinkTarget, shape: RowShape) => StoredLines | null;
}

class LineChunk implements Chunk {
  readonly #lines: SinkLines;
  readonly #compress: Compress;
  readonly #pool: BytePool;
  readonly #storedLines: (target: SinkTarget, shape: RowShape) => StoredLines | null;
  /** Stored rows as bytes; those before them are in `#parts`. */
  #out: ByteOut | null = null;
  #run: StoredRun | null = null;
  readonly #parts: Buffer[] = [];
  #text = '';

  constructor({ lines, pool, compress, storedLines }: LineChunkOptions) {
    this.#lines = lines;
    this.#pool = pool;
    this.#compress = compress;
    this.#storedLines = storedLines;
  }

  beginRun(
    rows: StoredRows,
    { target, committedAtUs }: { readonly target: SinkTarget; readonly committedAtUs: number },
  ): void {
    const lines = this.#storedLines(target, rows.shape);
    if (lines === null) throw new RangeError('rows of this shape do not come as they are stored');
    this.#run = {
      extent: rows.extent,
      lines,
      head: constantOf(lines.head(rows.kind)),
      behind: constantOf(lines.behind(committedAtUs)),
    };
    this.#out ??= new ByteOut(this.#pool);
  }

  addStored(scn: number, start: number, end: number): void {
    const { extent, lines, head, behind } = this.#run as StoredRun;
    const out = this.#out as ByteOut;
    out.room(head.bytes.length + NUMBER_BYTES_MAX + behind.bytes.length);
    out.constant(head);
    out.at = jsonRuntime.integer(out.bytes, out.at, scn);
    out.constant(behind);
    lines.write(extent.bytes, extent.view, start, end, out);
    out.room(BRACE_AND_END.length);
    for (const byte of BRACE_AND_END) out.bytes[out.at++] = byte;
  }

  add(row: SinkRow): void {
    const text = this.#text;
    try {
      this.#lines.ofRow(row, this.#append);
    } catch (error) {
      this.#text = text;
      throw error;
    }
    if (this.#text.length > TEXT_CHARS) this.#flush();
  }

  addTruncation(truncation: TargetTruncation): void {
    this.#lines.ofTruncation(truncation, this.#append);
  }

  async parts(): Promise<readonly Buffer[]> {
    this.#flush();
    const out = this.#out;
    // Asked for again when writing has failed.
    const parts = out === null ? this.#parts : [...this.#parts, out.bytes.subarray(0, out.at)];
    return [await this.#compress(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts))];
  }

  release(): void {
    this.#out?.release();
  }

  readonly #append = (line: string): void => {
    this.#text += line + '\n';
  };

  #flush(): void {
    if (this.#text === '') return;
    this.#parts.push(Buffer.from(this.#text));
    this.#text = '';
  }
}
