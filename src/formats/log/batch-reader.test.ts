import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BatchSketch, storedBatch } from '../../../test/support/stored-batches.ts';
import { randomRows } from '../../../test/support/random-rows.ts';
import { GrowingRowTarget, viewOf } from '../../../test/support/row-target.ts';
import { isTidingsError } from '../../core/errors.ts';
import { plainRowBatch } from '../../core/plain-rows.ts';
import { keyHash } from '../../core/rows/key-hash.ts';
import { tableOf } from '../../testing/tables.ts';
import { FLAG, HEADER, ROW_OP } from './batch-layout.ts';
import { type DecodedBatch, type ReadBatchOptions, readBatch } from './batch-reader.ts';
import { LogRowBatch } from './log-row-batch.ts';
import { ShapeRegistry, type ShapeRegistryOptions } from './shape-registry.ts';

const users = tableOf('crm.users', { id: 'int', name: 'varchar', doc: 'json' }, ['id']);
const inserted = plainRowBatch({
  kind: 'insert',
  table: users,
  statement: 'INSERT … /* é */',
  rows: [
    { id: 1, name: 'Ada', doc: '{"a": 1}' },
    { id: 2, name: 'Grace', doc: null },
  ],
});
const updated = plainRowBatch({
  kind: 'update',
  table: users,
  rows: [
    { before: { id: 1, name: 'Ada' }, after: { id: 1, name: 'Ada L.' } },
    { before: { id: 2, name: 'Grace' }, after: { id: 3, name: 'Grace' } },
  ],
});
const deleted = plainRowBatch({ kind: 'delete', table: users, rows: [{ id: 1 }] });
const schemaChange = { type: 'schema', database: 'crm', table: 'users', sql: 'ALTER TABLE users ADD x INT' } as const;
const databaseChange = { type: 'schema', database: 'crm', table: null, sql: 'DROP DATABASE crm' } as const;
const truncation = { type: 'truncate', database: 'crm', table: 'logs', sql: 'TRUNCATE logs' } as const;

const SKETCH: BatchSketch = {
  firstScn: 1_700_000_000_000_000,
  position: 'pos-2',
  sourceBytes: 1234,
  transactions: [
    { id: '0-1-41', committedAtUs: 1_700_000_000_111_000, serverId: 7, entries: [inserted, schemaChange, updated] },
    { id: null, committedAtUs: 1_700_000_000_222_000, entries: [truncation, databaseChange, deleted] },
  ],
};

/** The bytes of a batch. */
function bytesOf(sketch: BatchSketch): Buffer {
  return storedBatch(sketch).bytes;
}

/** At an offset, with other bytes around, as it lies in a buffer of many. */
function read(
  batch: Buffer,
  { shapes = {}, ...options }: ReadBatchOptions & { readonly shapes?: ShapeRegistryOptions | ShapeRegistry } = {},
): DecodedBatch {
  const bytes = Buffer.concat([Buffer.alloc(11, 0xaa), batch, Buffer.alloc(30, 0xaa)]);
  const registry = shapes instanceof ShapeRegistry ? shapes : new ShapeRegistry(shapes);
  return readBatch(bytes, viewOf(bytes), 11, registry, options);
}

function rowBatches({ parts }: DecodedBatch): LogRowBatch[] {
  return parts.flatMap(({ entries }) => entries.filter((entry) => entry instanceof LogRowBatch));
}

test('what was read before the first batch is not known: its transactions do not begin at its own end', () => {
  const { parts } = read(bytesOf(SKETCH));
  expect(parts.map(({ transaction, end }) => [String(transaction.start), String(end)])).toEqual([
    ['', ''],
    ['', 'pos-2'],
  ]);
});

test.each([
  ['as it is', 0],
  ['compressed', FLAG.zstd],
])('a batch, stored %s, yields its transactions, entries and rows with their SCNs', (_, flags) => {
  const batch = read(bytesOf({ ...SKETCH, flags }), { previousPosition: 'pos-1', shapes: { json: 'text' } });
  expect(batch).toMatchObject({
    firstScn: SKETCH.firstScn,
    lastScn: SKETCH.firstScn + 7,
    count: 8,
    transactions: 2,
    maxCommitUs: 1_700_000_000_222_000,
    position: 'pos-2',
    sourceBytes: 1234,
    continues: false,
    open: false,
  });
  const [first, second] = batch.parts;
  expect(first?.transaction).toMatchObject({ id: '0-1-41', committedAtUs: 1_700_000_000_111_000, serverId: 7 });
  expect(second?.transaction).toMatchObject({ id: null, committedAtUs: 1_700_000_000_222_000, serverId: 1 });
  for (const part of batch.parts) expect(part).toMatchObject({ begins: true, restarted: false });
  // Positions are known per batch: the first transaction ends somewhere behind the batch before.
  expect(batch.parts.map(({ transaction, end }) => [String(transaction.start), String(end)])).toEqual([
    ['pos-1', 'pos-1'],
    ['pos-1', 'pos-2'],
  ]);
  const scn = SKETCH.firstScn;
  expect(first?.entries).toMatchObject([
    { kind: 'insert', scn, count: 2 },
    { ...schemaChange, scn: scn + 2 },
    { scn: scn + 3 },
  ]);
  expect(second?.entries).toMatchObject([
    { ...truncation, scn: scn + 5 },
    { ...databaseChange, scn: scn + 6 },
    { kind: 'delete', scn: scn + 7, count: 1 },
  ]);
  const originals = [inserted, updated, deleted];
  rowBatches(batch).forEach((rows, i) => {
    const original = originals[i];
    expect(rows.table).toEqual(users);
    expect(rows.shape).toEqual(original?.shape);
    expect(rows.statement).toBe(original?.statement);
    expect(rows.rows()).toEqual(original?.rows());
    expect(rows.keys()).toEqual(original?.keys());
    const changes = original?.changes().map((change, row) => ({ ...change, scn: rows.scn + row }));
    expect(rows.changes()).toEqual(changes);
  });
});

test('the views of a row batch can be taken in any order and again, and rows taken out outlive the bytes', () => {
  const bytes = bytesOf(SKETCH);
  const batch = readBatch(bytes, viewOf(bytes), 0, new ShapeRegistry({ json: 'text' }));
  const [first, second, third] = rowBatches(batch);
  const taken = [third?.rows(), first?.rows(), second?.keys(), first?.rows(), first?.keys(), second?.rows()];
  const { id } = batch.parts[0]?.transaction ?? {};
  bytes.fill(0xff);
  expect(taken).toEqual([
    deleted.rows(),
    inserted.rows(),
    updated.keys(),
    inserted.rows(),
    inserted.keys(),
    updated.rows(),
  ]);
  expect(id).toBe('0-1-41');
});

test('writing the rows of a batch into another one gives the same bytes', () => {
  for (const [i, rows] of rowBatches(read(bytesOf(SKETCH))).entries()) {
    const [copy, original] = [new GrowingRowTarget(), new GrowingRowTarget()];
    rows.writeTo(copy);
    [inserted, updated, deleted][i]?.writeTo(original);
    expect(copy.written()).toEqual(original.written());
    expect(copy.rows).toBe(original.rows);
  }
});

test('every row has the hash of its key after the change, and changes say their partition when it is asked for', () => {
  const batches = rowBatches(read(bytesOf(SKETCH), { partitions: 64 }));
  const hashes = [[1, 2], [1, 3], [1]].map((ids) => ids.map((id) => keyHash(users, [id])));
  expect(batches.map((rows) => [...rows.hashes()])).toEqual(hashes);
  expect(batches.map((rows) => rows.changes().map(({ partition }) => partition))).toEqual(
    hashes.map((list) => list.map((hash) => hash % 64)),
  );
});

test('a piece of a long transaction says where it begins and that it does not end', () => {
  const piece = (flags: number, continued: boolean): DecodedBatch =>
    read(bytesOf({ ...SKETCH, flags, transactions: [{ id: '0-1-41', continued, entries: [inserted] }] }));
  const first = piece(FLAG.open, false);
  expect(first).toMatchObject({ open: true, continues: false, parts: [{ begins: true, end: null }] });
  const middle = piece(FLAG.open | FLAG.continues, true);
  expect(middle).toMatchObject({ open: true, continues: true, parts: [{ begins: false, end: null }] });
  const last = piece(FLAG.continues, true);
  expect(last).toMatchObject({ open: false, continues: true, parts: [{ begins: false }] });
  expect(String(last.parts[0]?.end)).toBe('pos-2');
});

test('halves of an update that moved its key say which half they are', () => {
  const half = (op: number): LogRowBatch | undefined =>
    rowBatches(read(bytesOf({ ...SKETCH, flags: FLAG.filtered, transactions: [{ entries: [deleted], op }] })))[0];
  expect(half(ROW_OP.movedFrom)?.changes()).toMatchObject([{ kind: 'delete', moved: 'from' }]);
  expect(half(ROW_OP.movedTo)?.moved).toBe('to');
  expect(half(0)?.changes()[0]).not.toHaveProperty('moved');
  expect(half(ROW_OP.snapshot)?.snapshot).toBe(true);
});

test('only the columns that are wanted are there, the key’s always, and JSON is parsed by default', () => {
  const columns = (): ReadonlySet<string> => new Set(['doc']);
  const [rows] = rowBatches(read(bytesOf(SKETCH), { shapes: { columns } }));
  expect(rows?.rows().after).toEqual([
    { id: 1, doc: { a: 1 } },
    { id: 2, doc: null },
  ]);
  expect(rows?.changes()[0]?.key).toEqual({ id: 1 });
});

describe('shapes', () => {
  test('described in one batch serve the batches behind it', () => {
    const shapes = new ShapeRegistry();
    const described = read(bytesOf(SKETCH), { shapes });
    const later = read(bytesOf({ ...SKETCH, describeShapes: false }), { shapes });
    expect(rowBatches(later).map((rows) => rows.rows())).toEqual(rowBatches(described).map((rows) => rows.rows()));
    expect(rowBatches(later)[0]?.shape).toBe(rowBatches(described)[0]?.shape);
  });

  test('learned from a control frame serve as well', () => {
    const shapes = new ShapeRegistry({ json: 'text' });
    for (const { shape } of [inserted, updated, deleted]) shapes.learn(shape.text);
    const batch = read(bytesOf({ ...SKETCH, describeShapes: false }), { shapes });
    expect(rowBatches(batch)[0]?.rows()).toEqual(inserted.rows());
  });

  test('that nothing describes are an error that names them', () => {
    expect(() => read(bytesOf({ ...SKETCH, describeShapes: false }))).toThrow(
      expect.objectContaining({
        code: 'LOG_DAMAGED',
        details: expect.objectContaining({ fingerprint: inserted.shape.fingerprint }),
      }),
    );
  });

  test.each([
    '',
    '{',
    'null',
    '[]',
    '{"before":null,"after":[9],"table":{"columns":[],"key":[]}}',
    '{"before":null,"after":[],"table":{"columns":[],"key":[0]}}',
    '{"before":null,"after":7,"table":{"columns":[],"key":[]}}',
  ])('whose description is %j are refused', (text) => {
    expect(() => new ShapeRegistry().learn(text)).toThrow(expect.objectContaining({ code: 'LOG_DAMAGED' }));
  });

  test('with a column type of a later version are refused, not read wrongly', () => {
    const text = inserted.shape.text.replace('"varchar"', '"hologram"');
    expect(() => new ShapeRegistry().learn(text)).toThrow(expect.objectContaining({ code: 'LOG_VERSION_UNKNOWN' }));
  });
});

describe('damage', () => {
  const damaged = expect.objectContaining({ code: 'LOG_DAMAGED' }) as Error;

  /** Everything that a consumer could ask for. */
  function useAll(batch: DecodedBatch): void {
    for (const { entries } of batch.parts) {
      for (const entry of entries) {
        if (!(entry instanceof LogRowBatch)) continue;
        entry.keys();
        entry.hashes();
        entry.changes();
        entry.writeTo(new GrowingRowTarget());
      }
    }
  }

  test('a batch that is cut is refused, wherever', () => {
    const bytes = bytesOf(SKETCH);
    for (let end = 0; end < bytes.length; end++) {
      const cut = Buffer.from(bytes.subarray(0, end));
      expect(() => readBatch(cut, viewOf(cut), 0, new ShapeRegistry())).toThrow(damaged);
    }
  });

  test('a batch must lie before the end that it is read up to', () => {
    const bytes = bytesOf(SKETCH);
    expect(() => readBatch(bytes, viewOf(bytes), 0, new ShapeRegistry(), { end: bytes.length - 1 })).toThrow(damaged);
  });

  test('of a version that is not known nothing is read', () => {
    const bytes = bytesOf(SKETCH);
    bytes[HEADER.version] = 2;
    expect(() => read(bytes)).toThrow(expect.objectContaining({ code: 'LOG_VERSION_UNKNOWN' }));
  });

  test('a compressed body that is longer than it says is refused before it is unpacked', () => {
    const bytes = bytesOf({ ...SKETCH, flags: FLAG.zstd });
    bytes.writeUInt32LE(10, HEADER.bodyBytes);
    expect(() => read(bytes)).toThrow(damaged);
  });

  test.each([0, FLAG.zstd])(
    'any wrong byte gives an error or other values, never anything else (flags %d)',
    (flags) => {
      const bytes = bytesOf({ ...SKETCH, flags });
      for (let at = 0; at < bytes.length; at++) {
        for (const value of [0xff, (bytes[at] ?? 0) ^ 1, (bytes[at] ?? 0) ^ 0x90]) {
          const wrong = Buffer.from(bytes);
          wrong[at] = value;
          onlyTidingsErrors(() => useAll(read(wrong)));
        }
      }
    },
  );

  test('the same with random rows and random damage', () => {
    fc.assert(
      fc.property(
        randomRows,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        ({ batch }, flips) => {
          const bytes = bytesOf({ ...SKETCH, transactions: [{ entries: [batch, batch] }] });
          for (const [at, value] of flips) bytes[at % bytes.length] = value;
          onlyTidingsErrors(() => useAll(read(bytes)));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('the error of damaged rows names the table and the change, and no value', () => {
    const bytes = bytesOf({ ...SKETCH, transactions: [{ entries: [inserted] }] });
    const at = bytes.indexOf('Ada');
    bytes[at - 1] = 0xff;
    const [rows] = rowBatches(read(bytes));
    expect(() => rows?.rows()).toThrow(
      expect.objectContaining({
        code: 'LOG_DAMAGED',
        message: expect.not.stringContaining('Ada'),
        details: expect.objectContaining({ database: 'crm', table: 'users', scn: SKETCH.firstScn }),
      }),
    );
  });

  function onlyTidingsErrors(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!isTidingsError(error)) throw error;
    }
  }
});
