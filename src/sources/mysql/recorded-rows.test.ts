import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { column, table } from '../../../test/support/changes.ts';
import { binlogFixtures, fixtureEvents } from '../../../test/support/fixtures.ts';
import { wrongRows } from '../../../test/support/rows/check-rows.ts';
import { RowBuffer, type WrittenRow } from '../../../test/support/rows/row-buffer.ts';
import type { Change } from '../../core/change.ts';
import { isTidingsError } from '../../core/errors.ts';
import type { Column, TableSchema } from '../../core/table-schema.ts';
import { COLUMN_TYPE } from './binlog/column-types.ts';
import { type BinlogFlavour, EVENT, eventTypeName } from './binlog/event-types.ts';
import {
  emptyRowsEvent,
  isUpdate,
  readRowsEventInto,
  rowsAction,
  type RowsAction,
  type RowsEvent,
} from './binlog/rows-event.ts';
import { decodeTableMapEvent, type TableMapEvent, type WireColumn } from './binlog/table-map-event.ts';
import { BinlogRowBatch, RowViews } from './row-batch.ts';
import { bindTable, hasFullMetadata, schemaFromMetadata, type TableBinding } from './schema/table-binding.ts';

interface RecordedRows {
  readonly name: string;
  readonly type: number;
  readonly body: Buffer;
  readonly binding: TableBinding;
  /** Decoders by the bitmaps of logged columns, which wrong bytes may change. */
  readonly views: Map<string, RowViews>;
}

/** What a column may be whose rows hold this. */
const TYPES: Readonly<Record<number, Column['type']>> = {
  [COLUMN_TYPE.TINY]: 'tinyint',
  [COLUMN_TYPE.SHORT]: 'smallint',
  [COLUMN_TYPE.INT24]: 'mediumint',
  [COLUMN_TYPE.LONG]: 'int',
  [COLUMN_TYPE.LONGLONG]: 'bigint',
  [COLUMN_TYPE.FLOAT]: 'float',
  [COLUMN_TYPE.DOUBLE]: 'double',
  [COLUMN_TYPE.YEAR]: 'year',
  [COLUMN_TYPE.BIT]: 'bit',
  [COLUMN_TYPE.NEWDECIMAL]: 'decimal',
  [COLUMN_TYPE.DATE]: 'date',
  [COLUMN_TYPE.TIME2]: 'time',
  [COLUMN_TYPE.DATETIME2]: 'datetime',
  [COLUMN_TYPE.TIMESTAMP2]: 'timestamp',
  [COLUMN_TYPE.ENUM]: 'enum',
  [COLUMN_TYPE.SET]: 'set',
  [COLUMN_TYPE.JSON]: 'json',
  [COLUMN_TYPE.GEOMETRY]: 'geometry',
  [COLUMN_TYPE.VECTOR]: 'vector',
  [COLUMN_TYPE.STRING]: 'char',
  [COLUMN_TYPE.VARCHAR]: 'varbinary',
  [COLUMN_TYPE.BLOB]: 'blob',
  [COLUMN_TYPE.VARCHAR_COMPRESSED]: 'varbinary',
  [COLUMN_TYPE.BLOB_COMPRESSED]: 'blob',
};

const files = binlogFixtures();
const maps: { name: string; flavour: BinlogFlavour; body: Buffer }[] = [];
const recorded: RecordedRows[] = [];
for (const file of files) {
  const tables = new Map<number, TableBinding>();
  for (const { header, body, format, offset } of fixtureEvents(file)) {
    if (header.type === EVENT.TABLE_MAP) {
      const event = decodeTableMapEvent(body, format.flavour);
      tables.set(event.tableId, bind(event));
      maps.push({ name: `${file} at ${offset}`, flavour: format.flavour, body });
    } else if (isPlainRows(header.type)) {
      const binding = tables.get(body.readUIntLE(0, 6));
      const name = `${file} at ${offset}, ${eventTypeName(header.type, format.flavour)}`;
      if (binding !== undefined) recorded.push({ name, type: header.type, body, binding, views: new Map() });
    }
  }
}

/** Compressed rows are uncompressed before they come here. */
function isPlainRows(type: number): boolean {
  return rowsAction(type) !== null && (type < EVENT.WRITE_ROWS_COMPRESSED_V1 || type > EVENT.DELETE_ROWS_COMPRESSED);
}

/** Where the recording has no names, any definition that fits will do: this is about the bytes, not about what they mean. */
function bind(event: TableMapEvent): TableBinding {
  const options = { flavour: event.flavour, selected: ({ columns }: TableSchema) => columns.map(() => true) };
  if (hasFullMetadata(event)) return bindTable(event, schemaFromMetadata(event, event.flavour, null), options);
  return bindTable({ ...event, metadata: null }, inventedSchema(event), options);
}

function inventedSchema(event: TableMapEvent): TableSchema {
  return table(
    `${event.database}.${event.table}`,
    event.columns.map((wire, i) => inventedColumn(wire, i)),
  );
}

function inventedColumn(wire: WireColumn, index: number): Column {
  const type = TYPES[wire.type];
  if (type === undefined) throw new Error(`no column for ${wire.type}`);
  const isCompressed = wire.type === COLUMN_TYPE.VARCHAR_COMPRESSED;
  const memberCount = wire.size === 1 ? 8 : wire.type === COLUMN_TYPE.ENUM ? 300 : wire.size * 8;
  const hasMembers = type === 'enum' || type === 'set';
  return column(`c${index}`, type, {
    length: type === 'blob' ? 256 ** wire.size - 1 : wire.size - (isCompressed ? 1 : 0),
    scale: type === 'decimal' ? wire.scale : null,
    charset: type === 'char' ? 'latin1' : null,
    members: hasMembers ? Array.from({ length: memberCount }, (_, i) => `m${i}`) : null,
  });
}

/** Decodes a rows event that lies in `bytes` from `start` to `end`: everything that can be asked of it. */
function decode(rows: RecordedRows, bytes: Buffer, start: number, end: number): Change[] {
  return batchOf(rows, bytes, start, end)?.changes() ?? [];
}

/** Null when the event has another number of columns. */
function batchOf(rows: RecordedRows, bytes: Buffer, start: number, end: number): BinlogRowBatch | null {
  const event = emptyRowsEvent();
  const version = rows.type >= EVENT.WRITE_ROWS ? 2 : 1;
  readRowsEventInto(bytes, start, end, version, isUpdate(rows.type), event);
  // Who reads the stream compares the count with the TABLE_MAP's.
  if (event.columnCount !== rows.binding.columns.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new BinlogRowBatch(bytes, view, event, viewsOf(rows, bytes, event), null);
}

function viewsOf({ type, binding, views }: RecordedRows, bytes: Buffer, event: RowsEvent): RowViews {
  const bitmaps = bytes.toString('hex', event.firstBitmap, event.rowsStart);
  let made = views.get(bitmaps);
  if (made === undefined) {
    const action = rowsAction(type) as RowsAction;
    const first = bits(bytes, event.firstBitmap, event.columnCount);
    made = new RowViews(binding, action, {
      json: 'text',
      layout: {
        before: action === 'insert' ? null : first,
        after: action === 'delete' ? null : bits(bytes, event.secondBitmap, event.columnCount),
        partial: type === EVENT.PARTIAL_UPDATE_ROWS,
      },
    });
    views.set(bitmaps, made);
  }
  return made;
}

function bits(bytes: Buffer, offset: number, count: number): boolean[] {
  return Array.from({ length: count }, (_, i) => ((bytes.readUInt8(offset + (i >> 3)) >> (i & 7)) & 1) === 1);
}

/** The rows, or null when the event was refused in the way that is made for that. */
function attempt(rows: RecordedRows, bytes: Buffer, start: number, end: number): Change[] | null {
  try {
    return decode(rows, bytes, start, end);
  } catch (error) {
    if (isTidingsError(error)) return null;
    throw new Error(`${rows.name}: ${String(error)}`, { cause: error });
  }
}

/** What is wrong with the rows as the log would hold them; null when the event was refused. */
function transcoded(rows: RecordedRows, bytes: Buffer, start: number, end: number): string[] | null {
  try {
    const batch = batchOf(rows, bytes, start, end);
    return batch === null ? [] : wrongRows(batch);
  } catch (error) {
    if (isTidingsError(error)) return null;
    throw new Error(`${rows.name}: ${String(error)}`, { cause: error });
  }
}

/** The rows as the log would hold them; null when the event was refused. */
function writes(rows: RecordedRows, bytes: Buffer, start: number, end: number): readonly WrittenRow[] | null {
  const target = new RowBuffer({ roomMax: 2 ** 24 });
  try {
    batchOf(rows, bytes, start, end)?.writeTo(target);
    return target.finish();
  } catch (error) {
    if (isTidingsError(error)) return null;
    throw new Error(`${rows.name}: ${String(error)}`, { cause: error });
  }
}

test('the recordings have rows of every kind', () => {
  expect(maps.length).toBeGreaterThan(20);
  expect(new Set(recorded.map(({ type }) => type))).toEqual(
    new Set([
      EVENT.WRITE_ROWS_V1,
      EVENT.UPDATE_ROWS_V1,
      EVENT.DELETE_ROWS_V1,
      EVENT.WRITE_ROWS,
      EVENT.UPDATE_ROWS,
      EVENT.DELETE_ROWS,
      EVENT.PARTIAL_UPDATE_ROWS,
    ]),
  );
  const undecodable = recorded.filter((rows) => attempt(rows, rows.body, 0, rows.body.length) === null);
  // A difference to a JSON document that a MINIMAL image has not logged.
  expect(undecodable.map(({ name }) => name)).toEqual([expect.stringMatching(/partial-json.* PARTIAL_UPDATE_ROWS/)]);
});

test('a recorded event, written in the form of the log, decodes to what rows() yields, and has the hashes of its keys', () => {
  for (const rows of recorded) {
    const wrong = transcoded(rows, rows.body, 0, rows.body.length);
    expect({ name: rows.name, wrong: wrong ?? [] }).toEqual({ name: rows.name, wrong: [] });
  }
});

describe('a recorded event cut short', () => {
  test('TABLE_MAP is refused, or was cut between two fields of its optional metadata', () => {
    for (const { name, flavour, body } of maps) {
      const whole = decodeTableMapEvent(body, flavour);
      for (let length = 0; length < body.length; length++) {
        let event: TableMapEvent;
        try {
          event = decodeTableMapEvent(body.subarray(0, length), flavour);
        } catch (error) {
          if (isTidingsError(error)) continue;
          throw new Error(`${name}: ${String(error)}`, { cause: error });
        }
        expect({ name, length, event: { ...event, metadata: null } }).toEqual({
          name,
          length,
          event: { ...whole, metadata: null },
        });
      }
    }
  });

  test('rows are refused, or are fewer whole rows; what lies behind the event is never read', () => {
    let shorter = 0;
    for (const rows of recorded) {
      const { body, name } = rows;
      const whole = attempt(rows, body, 0, body.length);
      if (whole === null) continue;
      for (let length = 0; length < body.length; length++) {
        const start = body.subarray(0, length);
        const alone = attempt(rows, Buffer.from(start), 0, length);
        if (length % 8 === 0 || length > body.length - 8) {
          const refused = writes(rows, Buffer.from(start), 0, length) === null;
          expect({ name, length, refused }).toEqual({ name, length, refused: alone === null });
        }
        // The whole rows of it, if it decodes.
        if (alone !== null) {
          shorter++;
          expect({ name, length, rows: alone }).toEqual({ name, length, rows: whole.slice(0, alone.length) });
          expect(alone.length).toBeLessThan(whole.length);
        }
        // Other bytes behind it, as in a read buffer: the rest of this event, zeros, ones.
        for (const buffer of [
          body,
          Buffer.concat([start, Buffer.alloc(99)]),
          Buffer.concat([start, Buffer.alloc(99, 0xff)]),
        ]) {
          const among = attempt(rows, buffer, 0, length);
          if (!isDeepStrictEqual(among, alone)) {
            expect({ name, length, rows: among }).toEqual({ name, length, rows: alone });
          }
        }
      }
    }
    expect(shorter).toBeGreaterThan(0);
  });
});

describe('a recorded event with wrong bytes', () => {
  const edits = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });

  function edited(body: Buffer, changes: readonly (readonly [number, number])[]): Buffer {
    const bytes = Buffer.from(body);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes;
  }

  test('rows give a TidingsError or rows, and come to an end', () => {
    fc.assert(
      fc.property(fc.nat(recorded.length - 1), edits, (index, changes) => {
        const rows = recorded[index] as RecordedRows;
        const bytes = edited(rows.body, changes);
        const alone = attempt(rows, bytes, 0, bytes.length);
        const among = attempt(
          rows,
          Buffer.concat([Buffer.alloc(5, 1), bytes, Buffer.alloc(300, 0xff)]),
          5,
          5 + bytes.length,
        );
        expect(among).toEqual(alone);
      }),
      { numRuns: 5000 },
    );
  });

  test('rows are written in the form of the log as rows() yields them, or refused where that refuses them', () => {
    fc.assert(
      fc.property(fc.nat(recorded.length - 1), edits, (index, changes) => {
        const rows = recorded[index] as RecordedRows;
        const bytes = edited(rows.body, changes);
        expect(transcoded(rows, bytes, 0, bytes.length) ?? []).toEqual([]);
        const written = writes(rows, bytes, 0, bytes.length);
        expect(written === null).toBe(attempt(rows, bytes, 0, bytes.length) === null);
        expect(writes(rows, Buffer.concat([bytes, Buffer.alloc(300, 0xff)]), 0, bytes.length)).toEqual(written);
      }),
      { numRuns: 2000 },
    );
  });

  test('TABLE_MAP gives a TidingsError or a table, and rows decode by it or not at all', () => {
    fc.assert(
      fc.property(fc.constantFrom(...maps), edits, fc.constantFrom(...recorded), ({ flavour, body }, changes, rows) => {
        try {
          const event = decodeTableMapEvent(edited(body, changes), flavour);
          const binding = hasFullMetadata(event) ? bind(event) : null;
          if (binding !== null) attempt({ ...rows, binding, views: new Map() }, rows.body, 0, rows.body.length);
        } catch (error) {
          if (!isTidingsError(error)) throw error;
        }
      }),
      { numRuns: 5000 },
    );
  });
});
