import { type FileHandle, open } from 'node:fs/promises';
import { deserialize } from 'node:v8';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { ColumnSource } from 'hyparquet-writer';
import { TidingsError } from '../../core/errors.ts';
import { readAt, writeAt } from './disk.ts';
import type { ConversionRequest } from './convert-spool.ts';
import type { SchemaElement, SpoolColumn, SpoolHead } from './parquet-format.ts';

type Library = typeof import('hyparquet-writer');

/** A row group is written when it has so many rows, or its frames so many bytes: no more is held in memory. */
const GROUP_ROWS = 50_000;
const GROUP_BYTES = 16 * 1024 * 1024;

const CODECS = { none: 'UNCOMPRESSED', snappy: 'SNAPPY', gzip: 'GZIP', zstd: 'ZSTD' } as const;

/** @throws TidingsError PACKAGE_MISSING */
export async function loadParquetLibrary(): Promise<Library> {
  try {
    return await import('hyparquet-writer');
  } catch (error) {
    throw new TidingsError(
      'PACKAGE_MISSING',
      'Parquet files need the package hyparquet-writer, which is not installed',
      {
        cause: error,
        hint: 'Install it beside tidings: npm install hyparquet-writer@0.17.0',
        details: { package: 'hyparquet-writer' },
      },
    );
  }
}

/** Makes a Parquet file of the first `bytes` of a spool; durable when it resolves. @returns its bytes */
export async function spoolToParquet({ spoolPath, bytes, path }: ConversionRequest): Promise<number> {
  const library = await loadParquetLibrary();
  const spool = await open(spoolPath, 'r');
  try {
    const output = await open(path, 'w', 0o640);
    try {
      const size = await convert(library, { spool, bytes, output });
      await output.sync();
      return size;
    } finally {
      await output.close();
    }
  } finally {
    await spool.close();
  }
}

interface Conversion {
  readonly spool: FileHandle;
  readonly bytes: number;
  readonly output: FileHandle;
}

async function convert({ ByteWriter, ParquetWriter }: Library, { spool, bytes, output }: Conversion): Promise<number> {
  const frames = framesOf(spool, bytes);
  const first = await frames.next();
  if (first.done === true) throw new RangeError('a spool has no head');
  const { table, schema, compression } = first.value.value as SpoolHead;
  const columns = columnElements(schema);
  const bytesOf = new ByteWriter();
  let written = 0;
  const flush = async (): Promise<void> => {
    const chunk = bytesOf.getBytes();
    await writeAt(output, chunk, written);
    written += chunk.length;
    bytesOf.index = 0;
  };
  const writer = new ParquetWriter({
    writer: bytesOf,
    schema: [...schema],
    codec: CODECS[compression],
    compressors: { GZIP: gzipSync, ZSTD: zstdCompressSync },
    createdBy: 'tidings',
    kvMetadata: [{ key: 'tidings.table', value: table }],
  });
  let group: SpoolColumn[] = [];
  let groupBytes = 0;
  const writeGroup = async (): Promise<void> => {
    const rows = group[0]?.length ?? 0;
    if (rows === 0) return;
    await writer.write({
      columnData: columns.map((element, i) => source(element, group[i] ?? [])),
      rowGroupSize: rows,
    });
    await flush();
    group = [];
    groupBytes = 0;
  };
  for await (const frame of frames) {
    const chunk = frame.value as SpoolColumn[];
    group = group.length === 0 ? chunk : group.map((column, i) => column.concat(chunk[i] ?? []));
    groupBytes += frame.bytes;
    if ((group[0]?.length ?? 0) >= GROUP_ROWS || groupBytes >= GROUP_BYTES) await writeGroup();
  }
  await writeGroup();
  await writer.finish();
  await flush();
  return written;
}

/** The elements of the columns: what is inside of a list is none. */
function columnElements(schema: readonly SchemaElement[]): SchemaElement[] {
  const columns: SchemaElement[] = [];
  for (let i = 1; i < schema.length; i++) {
    const element = schema[i] as SchemaElement;
    columns.push(element);
    if (element.converted_type === 'LIST') i += 2;
  }
  return columns;
}

function source(element: SchemaElement, values: SpoolColumn): ColumnSource {
  const data =
    element.converted_type === 'LIST'
      ? values.map((value) => (value instanceof Float32Array ? [...value] : value))
      : values;
  return { name: element.name, data };
}

async function* framesOf(
  spool: FileHandle,
  bytes: number,
): AsyncGenerator<{ readonly value: unknown; readonly bytes: number }> {
  let at = 0;
  while (at < bytes) {
    // oxlint-disable no-await-in-loop -- one frame in memory at a time
    const length = (await readAt(spool, 4, at)).readUInt32LE();
    if (at + 4 + length > bytes) throw new RangeError('a frame of a spool ends behind what counts of it');
    const body = await readAt(spool, length, at + 4);
    // oxlint-enable no-await-in-loop
    yield { value: deserialize(body), bytes: length };
    at += 4 + length;
  }
}
