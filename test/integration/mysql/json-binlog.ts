import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteCursor } from '../../../src/base/byte-cursor.ts';

/**
 * Just enough of a binlog reader to get the bytes of JSON columns out of a server's own files, and independent of the project's:
 * tables `(id INT, version INT, j JSON NOT NULL)`, CRC32 checksums (not verified), no compression, no transaction payloads.
 */

/** One row image: the JSON column as a whole document, or as diffs to the image before. */
export interface JsonImage {
  readonly id: number;
  readonly version: number;
  readonly isPartial: boolean;
  readonly json: Buffer;
}

export interface JsonRow {
  /** Null for an insert. */
  readonly before: JsonImage | null;
  readonly after: JsonImage;
}

const EVENT = { tableMap: 19, writeRows: 30, updateRows: 31, partialUpdateRows: 39 } as const;
const MAGIC_BYTES = 4;
const HEADER_BYTES = 19;
const CHECKSUM_BYTES = 4;

/** All rows written to `table` that the binlog files hold, in order. */
export async function readJsonRows(
  dataDir: string,
  files: readonly string[],
  table: string,
): Promise<readonly JsonRow[]> {
  const rows: JsonRow[] = [];
  for (const content of await Promise.all(files.map(async (file) => await readFile(join(dataDir, file))))) {
    rows.push(...jsonRowsOf(content, table));
  }
  return rows;
}

function* jsonRowsOf(file: Buffer, table: string): Generator<JsonRow> {
  let tableId = -1;
  for (let at = MAGIC_BYTES; at < file.length;) {
    const type = file.readUInt8(at + 4);
    const size = file.readUInt32LE(at + 9);
    const cursor = new ByteCursor(file.subarray(at + HEADER_BYTES, at + size - CHECKSUM_BYTES));
    at += size;
    if (type === EVENT.tableMap) {
      const id = cursor.u48('table id');
      cursor.skip(2, 'flags');
      cursor.skip(cursor.u8('length') + 1, 'database');
      if (cursor.text(cursor.u8('length'), 'table') === table) tableId = id;
      else if (tableId === id) tableId = -1;
    } else if (type === EVENT.writeRows || type === EVENT.updateRows || type === EVENT.partialUpdateRows) {
      if (cursor.u48('table id') === tableId) yield* rowsOf(cursor, type);
    }
  }
}

function* rowsOf(cursor: ByteCursor, type: number): Generator<JsonRow> {
  cursor.skip(2, 'flags');
  cursor.skip(cursor.u16('extra length') - 2, 'extra');
  cursor.skip(1, 'column count');
  cursor.skip(type === EVENT.writeRows ? 1 : 2, 'columns present');
  while (cursor.remaining > 0) {
    const before = type === EVENT.writeRows ? null : image(cursor, false);
    const options = type === EVENT.partialUpdateRows ? cursor.lengthEncoded('value options') : 0;
    const isPartial = (options & 1) === 1 && (cursor.u8('partial bits') & 1) === 1;
    yield { before, after: image(cursor, isPartial) };
  }
}

function image(cursor: ByteCursor, isPartial: boolean): JsonImage {
  if ((cursor.u8('nulls') & 7) !== 0) throw new Error('a column is null');
  const id = cursor.u32('id');
  const version = cursor.u32('version');
  return { id, version, isPartial, json: cursor.bytes(cursor.u32('length'), 'json') };
}
