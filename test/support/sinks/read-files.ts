import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, inflateRawSync, zstdDecompressSync } from 'node:zlib';
import avro from 'avsc';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';

/** A row as it stands in a file, by column. Whole numbers of 64 bits are bigints. */
export type ReadRow = Readonly<Record<string, unknown>>;

/** The complete files below a sink's directory, by their paths, in order. */
export function completeFiles(directory: string): string[] {
  return (
    readdirSync(directory, { recursive: true, withFileTypes: true }) as {
      isFile(): boolean;
      parentPath: string;
      name: string;
    }[]
  )
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('_tidings'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** With the libraries of others: what they read is what anybody reads. */
export async function readRows(path: string): Promise<ReadRow[]> {
  if (path.endsWith('.avro')) return readAvro(path);
  if (path.endsWith('.parquet')) return readParquet(path);
  return readLines(path).map((line) => exactJson(line) as ReadRow);
}

export function readLines(path: string): string[] {
  const bytes = readFileSync(path);
  const text = path.endsWith('.gz') ? gunzipSync(bytes) : path.endsWith('.zst') ? zstdFrames(bytes) : bytes;
  const lines = text.toString('utf8').split('\n');
  if (lines.pop() !== '') throw new Error(`${path} ends inside of a line`);
  return lines;
}

/** Node reads the first frame only; the command `zstd` reads them all, as the format has it. */
function zstdFrames(bytes: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const { buffer, engine } = zstdDecompressSync(bytes.subarray(at), { info: true }) as unknown as {
      readonly buffer: Buffer;
      readonly engine: { readonly bytesWritten: number };
    };
    if (engine.bytesWritten === 0) throw new Error('a frame without bytes');
    frames.push(buffer);
    at += engine.bytesWritten;
  }
  return Buffer.concat(frames);
}

/** As JSON.parse; but whole numbers that it would round are bigints. */
export function exactJson(text: string): unknown {
  return JSON.parse(text, digits) as unknown;
}

function digits(this: unknown, _name: string, value: unknown, context?: { readonly source: string }): unknown {
  return typeof value === 'number' &&
    Number.isInteger(value) &&
    !Number.isSafeInteger(value) &&
    /^-?\d+$/.test(context?.source ?? '')
    ? BigInt(context?.source ?? 0)
    : value;
}

// oxlint-disable-next-line no-underscore-dangle -- that is how the library calls it
const longType = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

function readAvro(path: string): Promise<ReadRow[]> {
  return new Promise((resolve, reject) => {
    const rows: ReadRow[] = [];
    const decoder = avro.createFileDecoder(path, {
      parseHook: (schema: never) =>
        avro.Type.forSchema(schema, {
          typeHook: (inner: unknown) => (isLong(inner) ? longType : undefined),
        }),
      codecs: {
        null: (bytes: Buffer, done: (error: null, bytes: Buffer) => void) => done(null, bytes),
        deflate: (bytes: Buffer, done: (error: null, bytes: Buffer) => void) => done(null, inflateRawSync(bytes)),
        zstandard: (bytes: Buffer, done: (error: null, bytes: Buffer) => void) => done(null, zstdDecompressSync(bytes)),
      },
    } as never);
    decoder.on('data', (row: object) => rows.push({ ...row }));
    decoder.on('end', () => resolve(rows));
    decoder.on('error', reject);
  });
}

function isLong(schema: unknown): boolean {
  return (
    schema === 'long' || (typeof schema === 'object' && schema !== null && 'type' in schema && schema.type === 'long')
  );
}

async function readParquet(path: string): Promise<ReadRow[]> {
  const bytes = readFileSync(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const metadata = parquetMetadata(file);
  // The library makes a rounded number of it; the test wants the digits.
  for (const element of metadata.schema) {
    if (element.converted_type !== 'DECIMAL') continue;
    delete element.converted_type;
    delete element.logical_type;
  }
  const rows = await parquetReadObjects({
    file,
    metadata,
    utf8: false,
    parsers: {
      dateFromDays: (days: number) => days,
      timestampFromMicroseconds: (micros: bigint) => micros,
      stringFromBytes: (text: Uint8Array | undefined) =>
        text === undefined ? text : Buffer.from(text).toString('utf8'),
    },
    compressors: {
      GZIP: (input: Uint8Array) => gunzipSync(input),
      ZSTD: (input: Uint8Array) => zstdDecompressSync(input),
    },
  });
  return rows as ReadRow[];
}
