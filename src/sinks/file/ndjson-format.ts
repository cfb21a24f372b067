import type { SinkRow, SinkTarget } from '../../core/sink.ts';
import type { SinkLines } from '../../formats/sink-lines.ts';
import type { TargetTruncation } from '../../formats/sink-rows.ts';
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

  constructor(lines: SinkLines, compression: 'none' | 'gzip' | 'zstd') {
    this.#lines = lines;
    this.#compress = compressorOf(compression);
    this.extension = EXTENSIONS[compression];
  }

  layoutOf(target: SinkTarget): FileLayout {
    this.#lines.check(target);
    return LINES;
  }

  chunk(): Chunk {
    return new LineChunk(this.#lines, this.#compress);
  }
}

/** Strings are joined up to this length before they are made bytes. */
const TEXT_CHARS = 1 << 18;

class LineChunk implements Chunk {
  readonly #lines: SinkLines;
  readonly #compress: Compress;
  readonly #parts: Buffer[] = [];
  #text = '';

  constructor(lines: SinkLines, compress: Compress) {
    this.#lines = lines;
    this.#compress = compress;
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

  bytes(): Promise<Buffer> {
    this.#flush();
    return this.#compress(this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts));
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
