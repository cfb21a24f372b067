import avsc from 'avsc';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomRows } from '../../../test/support/random-rows.ts';
import { GrowingRowTarget, viewOf } from '../../../test/support/row-target.ts';
import { emptyWindow } from '../../base/text-window.ts';
import type { Row, Value } from '../../core/change.ts';
import { plainRowBatch } from '../../core/plain-rows.ts';
import { avroKind, avroSchema } from '../../core/rows/avro-schema.ts';
import type { RowBatch } from '../../core/source.ts';
import type { Column } from '../../core/table-schema.ts';
import { tableOf } from '../../testing/tables.ts';
import { compileKeys, compileRows, type RowsOptions } from './row-decoder.ts';
import { DamagedRow } from './row-runtime.ts';

interface Images {
  readonly before: Row[];
  readonly after: Row[];
}

function written(batch: RowBatch): Buffer {
  const target = new GrowingRowTarget();
  batch.writeTo(target);
  expect(target.rows).toBe(batch.rows().count);
  return target.written();
}

/** Between other bytes, as in a batch. */
function decode(batch: RowBatch, bytes: Buffer, options: Partial<RowsOptions> = {}): Images {
  const around = Buffer.concat([Buffer.alloc(7, 0xff), bytes, Buffer.alloc(40, 0xff)]);
  const output: Images = { before: [], after: [] };
  const range = { start: 7, end: 7 + bytes.length, window: emptyWindow(), limit: around.length };
  compileRows(batch.shape, { wanted: null, json: 'text', ...options })(around, viewOf(around), range, output);
  return output;
}

function keysOf(batch: RowBatch, bytes: Buffer): (Value | readonly Value[])[] | null {
  const output: (Value | readonly Value[])[] = [];
  const keys = compileKeys(batch.shape, 'text');
  if (keys === null) return null;
  keys(bytes, viewOf(bytes), { start: 0, end: bytes.length, window: emptyWindow(), limit: bytes.length }, output);
  return output;
}

describe('rows written as objects', () => {
  test('are decoded as they were, whatever the columns, the kind of change and the images', () => {
    fc.assert(
      fc.property(randomRows, ({ batch }) => {
        const { before, after } = batch.rows();
        const decoded = decode(batch, written(batch));
        expect(decoded).toEqual({ before: before ?? [], after: after ?? [] });
        for (const [i, row] of decoded.after.entries()) {
          expect(Object.keys(row).toSorted()).toEqual(Object.keys(after?.[i] ?? {}).toSorted());
        }
      }),
      { numRuns: 400 },
    );
  });

  test('have the same keys', () => {
    fc.assert(
      fc.property(randomRows, ({ batch }) => {
        expect(keysOf(batch, written(batch))).toEqual(batch.keys());
      }),
      { numRuns: 200 },
    );
  });

  test('come without the columns that are not wanted', () => {
    fc.assert(
      fc.property(randomRows, fc.array(fc.boolean(), { minLength: 14, maxLength: 14 }), ({ batch }, wanted) => {
        const { before, after } = batch.rows();
        const names = new Set(batch.table.columns.filter((_, i) => wanted[i] === true).map(({ name }) => name));
        const picked = (row: Row): Row =>
          Object.fromEntries(Object.entries(row).filter(([name]) => names.has(name))) as Row;
        const decoded = decode(batch, written(batch), { wanted });
        expect(decoded).toEqual({ before: (before ?? []).map(picked), after: (after ?? []).map(picked) });
      }),
      { numRuns: 200 },
    );
  });

  test('are Avro: another library reads the same values with the schema of their shape', () => {
    fc.assert(
      fc.property(randomRows, ({ batch }) => {
        if (!isUnicode(batch)) return;
        const { before, after } = batch.rows();
        const type = avroType(batch);
        avroRecords(written(batch)).forEach((bytes, i) => {
          const record = type.fromBuffer(bytes) as Record<string, Record<string, unknown>>;
          const images = { ...(before && { before: before[i] }), ...(after && { after: after[i] }) };
          expect(Object.keys(record)).toEqual(Object.keys(images));
          for (const [name, row] of Object.entries(images) as ['before' | 'after', Row][]) {
            const columns = (batch.shape[name] ?? []).map((index) => batch.table.columns[index] as Column);
            const values = Object.values(record[name] ?? {});
            expect(values.map((value, at) => fromAvro(columns[at] as Column, value))).toEqual(
              columns.map((column) => inAvro(column, row[column.name] ?? null)),
            );
          }
        });
      }),
      { numRuns: 300 },
    );
  });
});

test('JSON columns come parsed when that is asked for', () => {
  const table = tableOf('shop.docs', { id: 'int', doc: 'json' }, ['id']);
  const rows = ['{"a": [1, null, "é"]}', '"text"', '17', 'null', null].map((doc, id) => ({ id, doc }));
  const batch = plainRowBatch({ kind: 'insert', table, rows });
  const documents = decode(batch, written(batch), { json: 'parsed' }).after.map((row) => row['doc']);
  expect(documents).toEqual([{ a: [1, null, 'é'] }, 'text', 17, null, null]);
  expect(decode(batch, written(batch), { json: 'text' }).after).toEqual(rows);
});

test('decoded bytes are copies: they stay as they are when the buffer is used again', () => {
  const table = tableOf('shop.files', { id: 'int', data: 'blob', place: 'vector' }, ['id']);
  const row = { id: 1, data: new Uint8Array(100).fill(7), place: new Float32Array([1, 2]) };
  const batch = plainRowBatch({ kind: 'insert', table, rows: [row] });
  const bytes = written(batch);
  const output: Images = { before: [], after: [] };
  const range = { start: 0, end: bytes.length, window: emptyWindow(), limit: bytes.length };
  compileRows(batch.shape, { wanted: null, json: 'text' })(bytes, viewOf(bytes), range, output);
  bytes.fill(0xff);
  expect(output.after).toEqual([row]);
});

describe('damaged rows', () => {
  /** What decoding does with them, and with the views that read only a part. */
  function tolerated(batch: RowBatch, bytes: Buffer): void {
    const attempts = [
      (): unknown => decode(batch, bytes),
      (): unknown => decode(batch, bytes, { json: 'parsed' }),
      (): unknown => decode(batch, bytes, { wanted: batch.table.columns.map((_, i) => i % 2 === 0) }),
      (): unknown => keysOf(batch, bytes),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch (error) {
        // What LogRowBatch turns into LOG_DAMAGED.
        if (!(error instanceof DamagedRow) && !(error instanceof RangeError)) throw error;
      }
    }
  }

  test('end in an error that says so, at whatever byte they are cut', () => {
    fc.assert(
      fc.property(randomRows, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), ({ batch }, part) => {
        const bytes = written(batch);
        const cut = bytes.subarray(0, Math.floor(part * bytes.length));
        tolerated(batch, cut);
        const rows = (): number => {
          const { before, after } = decode(batch, cut);
          return Math.max(before.length, after.length);
        };
        // A cut between two rows is the run's count's business.
        if (!rowStarts(bytes).has(cut.length)) expect(rows).toThrow(/contradict|bounds/u);
      }),
      { numRuns: 200 },
    );
  });

  test('never lead to anything but rows or that error, whatever bytes are wrong', () => {
    fc.assert(
      fc.property(
        randomRows,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        ({ batch }, flips) => {
          const bytes = written(batch);
          for (const [at, value] of flips) bytes[at % bytes.length] = value;
          tolerated(batch, bytes);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('never show bytes that lie behind the run', () => {
    const table = tableOf('shop.secrets', { id: 'int', note: 'text', day: 'date', data: 'blob' }, ['id']);
    const batch = plainRowBatch({
      kind: 'insert',
      table,
      rows: [{ id: 1, note: 'abc', day: '2026-01-01', data: new Uint8Array([1, 2, 3]) }],
    });
    const bytes = written(batch);
    const neighbour = Buffer.from('neighbour'.repeat(40));
    for (let at = 0; at < bytes.length; at++) {
      for (let value = 0; value < 256; value++) {
        const damaged = Buffer.concat([bytes, neighbour]);
        damaged[at] = value;
        const output: Images = { before: [], after: [] };
        const range = { start: 0, end: bytes.length, window: emptyWindow(), limit: damaged.length };
        try {
          compileRows(batch.shape, { wanted: null, json: 'text' })(damaged, viewOf(damaged), range, output);
        } catch {
          continue;
        }
        const { note, day, data } = output.after[0] as { note: string; day: string; data: Uint8Array };
        const shown = [note, day, data === null ? '' : Buffer.from(data).toString('latin1')].join(' ');
        expect(shown).not.toMatch(/nei|eig|igh|ghb/);
      }
    }
  });
});

/** Avro's text is Unicode: a lone surrogate is kept in a way that only this package reads. */
function isUnicode(batch: RowBatch): boolean {
  const { before, after } = batch.rows();
  return [...(before ?? []), ...(after ?? [])].every((row) =>
    Object.values(row).every((value) => typeof value !== 'string' || value.isWellFormed()),
  );
}

function avroType(batch: RowBatch): avsc.Type {
  // oxlint-disable-next-line no-underscore-dangle -- the library's name for it
  const long = avsc.types.LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer: (value: bigint) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(value);
      return bytes;
    },
    fromJSON: BigInt,
    toJSON: Number,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: (a: bigint, b: bigint) => (a < b ? -1 : Number(a > b)),
  });
  return avsc.Type.forSchema(avroSchema(batch.shape) as never, { registry: { long }, wrapUnions: 'always' });
}

/** The Avro record in each row. */
function avroRecords(bytes: Buffer): Buffer[] {
  const starts = [...rowStarts(bytes)].toSorted((a, b) => a - b);
  return starts
    .slice(0, -1)
    .map((start, i) => bytes.subarray(start + ((bytes[start + 3] ?? 0) > 127 ? 16 : 8), starts[i + 1]));
}

/** Where rows begin, and where the last one ends. */
function rowStarts(bytes: Buffer): Set<number> {
  const starts = new Set([0]);
  for (let at = 0; at < bytes.length; starts.add(at)) {
    const length = bytes.readInt32LE(at);
    at += length < 0 ? 16 + (length & 0x7fff_ffff) : 8 + length;
  }
  return starts;
}

/** A value as avsc has it, as the value model has it. */
function fromAvro(column: Column, value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return new Float32Array(value as number[]);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value === 'object' && value !== null) {
    const inner: unknown = Object.values(value)[0];
    return avroKind(column) === 'unsigned' && typeof inner === 'string' ? BigInt(inner) : fromAvro(column, inner);
  }
  return value;
}

/** A float32 has no shortest decimal there. */
function inAvro({ type }: Column, value: Value): Value {
  return type === 'float' && typeof value === 'number' ? Math.fround(value) : value;
}
