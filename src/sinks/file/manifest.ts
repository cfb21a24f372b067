import { crc32c } from '../../base/crc32c.ts';
import type { SinkCheckpoint } from '../../core/sink.ts';

/** What is known of a file. */
export interface ManifestFile {
  readonly id: string;
  /** The process that writes it, or wrote it. */
  readonly writer: string;
  /** Where it lies, or will lie, below the sink's directory. */
  readonly path: string;
  /** `table`, for whoever reads the manifest: `shop.orders`; null when rows of several tables may be in it. */
  readonly table: string | null;
  /** So many of its bytes count. What lies behind them is of no meaning. */
  readonly bytes: number;
  readonly rows: number;
  readonly firstScn: number;
  readonly lastScn: number;
  /** Complete files have their name, or get it now; they never change. */
  readonly complete: boolean;
}

export interface Writer {
  readonly id: string;
  readonly pid: number;
  readonly host: string;
}

/** An entry of the manifest. Each is true as soon as it is durable. */
export type ManifestRecord =
  | { readonly kind: 'head'; readonly version: 1; readonly sink: string; readonly stream: string }
  | ({ readonly kind: 'writer' } & Writer)
  /** It has ended, and none of its files is open. */
  | { readonly kind: 'gone'; readonly writer: string }
  | { readonly kind: 'claim'; readonly writer: string; readonly partitions: readonly number[] }
  | {
      readonly kind: 'commit';
      readonly files: readonly ManifestFile[];
      readonly checkpoints: readonly SinkCheckpoint[];
    };

/** Older complete files are forgotten by the manifest. They stay where they are. */
const COMPLETE_FILES_MAX = 10_000;

/** What the records of a manifest amount to. */
export class Manifest {
  #head: (ManifestRecord & { readonly kind: 'head' }) | null = null;
  readonly #writers: Map<string, Writer> = new Map();
  readonly #owners: Map<number, string> = new Map();
  readonly #checkpoints: Map<string, SinkCheckpoint> = new Map();
  readonly #files: Map<string, ManifestFile> = new Map();

  get stream(): string | null {
    return this.#head?.stream ?? null;
  }

  get writers(): readonly Writer[] {
    return [...this.#writers.values()];
  }

  get files(): readonly ManifestFile[] {
    return [...this.#files.values()];
  }

  file(id: string): ManifestFile | null {
    return this.#files.get(id) ?? null;
  }

  writer(id: string): Writer | null {
    return this.#writers.get(id) ?? null;
  }

  /** Who has claimed the partition last. */
  ownerOf(partition: number): string | null {
    return this.#owners.get(partition) ?? null;
  }

  /** Of all partitions that were ever claimed. */
  get checkpoints(): readonly SinkCheckpoint[] {
    return [...this.#checkpoints.values()];
  }

  checkpoint({ partition, serial }: Pick<SinkCheckpoint, 'partition' | 'serial'>): SinkCheckpoint | null {
    return this.#checkpoints.get(checkpointKey(partition, serial)) ?? null;
  }

  apply(record: ManifestRecord): void {
    switch (record.kind) {
      case 'head':
        this.#head = record;
        break;
      case 'writer':
        this.#writers.set(record.id, { id: record.id, pid: record.pid, host: record.host });
        break;
      case 'gone':
        this.#writers.delete(record.writer);
        break;
      case 'claim':
        for (const partition of record.partitions) this.#claim(partition, record.writer);
        break;
      case 'commit':
        for (const file of record.files) {
          if (file.rows === 0) this.#files.delete(file.id);
          else this.#files.set(file.id, file);
        }
        for (const checkpoint of record.checkpoints) {
          this.#checkpoints.set(checkpointKey(checkpoint.partition, checkpoint.serial), checkpoint);
        }
        break;
    }
  }

  /** A partition that was claimed has checkpoints, of which 0 says that nothing was written. */
  #claim(partition: number, writer: string): void {
    this.#owners.set(partition, writer);
    for (const serial of [false, true]) {
      const key = checkpointKey(partition, serial);
      if (!this.#checkpoints.has(key)) this.#checkpoints.set(key, { partition, serial, scn: 0 });
    }
  }

  /** The fewest records that amount to the same. */
  records(): ManifestRecord[] {
    const partitions = new Map<string, number[]>();
    for (const [partition, writer] of this.#owners) {
      const owned = partitions.get(writer);
      if (owned === undefined) partitions.set(writer, [partition]);
      else owned.push(partition);
    }
    const complete = this.files.filter((file) => file.complete);
    const forgotten = new Set(complete.slice(0, Math.max(complete.length - COMPLETE_FILES_MAX, 0)));
    return [
      ...(this.#head === null ? [] : [this.#head]),
      ...this.writers.map((writer): ManifestRecord => ({ kind: 'writer', ...writer })),
      ...[...partitions].map(([writer, owned]): ManifestRecord => ({ kind: 'claim', writer, partitions: owned })),
      { kind: 'commit', files: [], checkpoints: this.checkpoints },
      ...this.files
        .filter((file) => !forgotten.has(file))
        .map((file): ManifestRecord => ({ kind: 'commit', files: [file], checkpoints: [] })),
    ];
  }
}

function checkpointKey(partition: number, serial: boolean): string {
  return serial ? `${partition}s` : String(partition);
}

/** A record as a line: eight digits of CRC-32C over the JSON text, a space, the text. */
export function encodeRecord(record: ManifestRecord): Buffer {
  const text = JSON.stringify(record);
  return Buffer.from(`${checksum(text)} ${text}\n`);
}

/** Null when the line is not whole. */
function decodeRecord(line: string): ManifestRecord | null {
  const text = line.slice(9);
  return line[8] === ' ' && line.startsWith(checksum(text)) ? (JSON.parse(text) as ManifestRecord) : null;
}

function checksum(text: string): string {
  const bytes = Buffer.from(text);
  return crc32c(bytes, 0, bytes.length).toString(16).padStart(8, '0');
}

export interface DecodedManifest {
  readonly records: readonly ManifestRecord[];
  /** Bytes of the records. What lies behind them is the rest of a write that a crash has cut off. */
  readonly bytes: number;
  /** A whole record stands behind one that is not: no crash does that. */
  readonly isDamaged: boolean;
}

export function decodeRecords(bytes: Buffer): DecodedManifest {
  const records: ManifestRecord[] = [];
  let at = 0;
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, at)) {
    const record = decodeRecord(bytes.toString('utf8', at, end));
    if (record === null) break;
    records.push(record);
    at = end + 1;
  }
  const rest = bytes.toString('utf8', at).split('\n').slice(1);
  return { records, bytes: at, isDamaged: rest.some((line) => decodeRecord(line) !== null) };
}
