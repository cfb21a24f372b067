import { describe, expect, test } from 'vitest';
import { type BatchSketch, storedBatch } from '../../../test/support/stored-batches.ts';
import { viewOf } from '../../../test/support/row-target.ts';
import { plainRowBatch } from '../../core/plain-rows.ts';
import { keyHash } from '../../core/rows/key-hash.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import type { Entry, RowBatch } from '../../core/source.ts';
import { tableOf } from '../../testing/tables.ts';
import { BatchFilter, type FilterOptions } from './batch-filter.ts';
import { batchFirstScn, batchFlags, batchLength } from './batch-header.ts';
import { FLAG } from './batch-layout.ts';
import { type DecodedBatch, readBatch } from './batch-reader.ts';
import { type ControlFrame, controlLength, decodeControl, isControl } from './control-frame.ts';
import type { FilterLane } from './filter-lane.ts';
import { FilterOutput } from './filter-output.ts';
import { ShapeRegistry } from './shape-registry.ts';

const SCN = 1_700_000_000_000_000;
const PARTITIONS = 16;

const orders = tableOf('shop.orders', { id: 'int', status: 'varchar', note: 'text' }, ['id']);
const users = tableOf('crm.users', { id: 'int', name: 'varchar' }, ['id']);

function order(id: number, status = 'new'): RowBatch {
  return plainRowBatch({ kind: 'insert', table: orders, rows: [{ id, status, note: null }], statement: 'INSERT …' });
}

const user = plainRowBatch({ kind: 'insert', table: users, rows: [{ id: 1, name: 'Ada' }] });

/** A filter with one receiver, and what the receiver got. */
class Rig {
  readonly output = new FilterOutput(16);
  readonly #shapes = new Map<string, RowShape>();
  readonly #registry = new ShapeRegistry();
  readonly filter: BatchFilter;

  constructor(options: FilterOptions = {}) {
    this.filter = new BatchFilter({
      ...options,
      partitionCount: PARTITIONS,
      shapes: { shape: (fingerprint) => this.#shapes.get(fingerprint) as RowShape, tables: () => [orders, users] },
    });
  }

  lane(partitions: readonly number[] | null = null, after = 0): FilterLane {
    return this.filter.lane({ after, partitions });
  }

  pass(sketch: BatchSketch, lane: FilterLane): boolean {
    for (const entry of sketch.transactions.flatMap(({ entries }) => entries)) {
      if (entry.type === 'rows') this.#shapes.set(entry.shape.fingerprint, entry.shape);
    }
    const { bytes } = storedBatch(sketch);
    return this.filter.filter(bytes, viewOf(bytes), { start: 0, lane, output: this.output });
  }

  take(): { frames: ControlFrame[]; batches: (DecodedBatch & { flags: number; scn: number })[] } {
    const bytes = Buffer.from(this.output.bytes.subarray(0, this.output.at));
    this.output.clear();
    const view = viewOf(bytes);
    const frames: ControlFrame[] = [];
    const batches: (DecodedBatch & { flags: number; scn: number })[] = [];
    for (let at = 0; at < bytes.length;) {
      if (isControl(view, at)) {
        const frame = decodeControl(bytes, view, at);
        if (frame !== null) frames.push(frame);
        if (frame?.kind === 'shapes') for (const text of frame.shapes) this.#registry.learn(text);
        at += controlLength(view, at);
      } else {
        batches.push({
          ...readBatch(bytes, view, at, this.#registry),
          flags: batchFlags(view, at),
          scn: batchFirstScn(view, at),
        });
        at += batchLength(view, at);
      }
    }
    return { frames, batches };
  }
}

function entriesOf(batch: DecodedBatch | undefined): unknown[] {
  return (batch?.parts ?? []).flatMap(({ entries }) =>
    entries.flatMap((entry): unknown[] =>
      entry.type === 'rows' ? entry.changes().map(({ scn }) => scn) : [`${entry.type} ${entry.scn}`],
    ),
  );
}

describe('a filtered batch', () => {
  test('covers the same SCNs as the stored one, with its position and times, and names only transactions that have something left', () => {
    const rig = new Rig({ tables: ['shop.*'] });
    const sketch = {
      firstScn: SCN,
      position: '0-1-77',
      sourceBytes: 99,
      transactions: [
        { id: 'a', entries: [user] },
        { id: 'b', entries: [user, order(2)] },
        { id: 'c', entries: [order(3), user] },
      ],
    };
    expect(rig.pass(sketch, rig.lane())).toBe(true);
    const { batches } = rig.take();
    expect(batches).toHaveLength(1);
    expect(batches[0]).toMatchObject({
      firstScn: SCN,
      lastScn: SCN + 4,
      position: '0-1-77',
      transactions: 2,
      sourceBytes: 99,
      flags: FLAG.filtered,
    });
    expect(batches[0]?.parts.map(({ transaction }) => transaction.id)).toEqual(['b', 'c']);
    expect(entriesOf(batches[0])).toEqual([SCN + 2, SCN + 3]);
  });

  test('is not written when nothing is left, and the receiver is told of no shape', () => {
    const rig = new Rig({ tables: ['shop.*'] });
    expect(rig.pass({ firstScn: SCN, transactions: [{ id: 'a', entries: [user] }] }, rig.lane())).toBe(false);
    expect(rig.output.at).toBe(0);
    expect(rig.pass({ firstScn: SCN, transactions: [] }, rig.lane())).toBe(false);
  });

  test('comes uncompressed from a compressed one, also from one that is larger than the output', () => {
    const rig = new Rig({ ops: ['insert'] });
    const many = Array.from({ length: 5000 }, (_, id) => ({ id, status: 'x'.repeat(50), note: 'n' }));
    const entries = [plainRowBatch({ kind: 'insert', table: orders, rows: many })];
    expect(rig.pass({ firstScn: SCN, flags: FLAG.zstd, transactions: [{ id: 'a', entries }] }, rig.lane())).toBe(true);
    const { batches } = rig.take();
    expect(batches[0]?.flags).toBe(FLAG.filtered);
    expect(entriesOf(batches[0])).toHaveLength(5000);
    // The buffer that it took is not kept.
    expect(rig.output.bytes.length).toBe(16);
  });

  test('is preceded by the shapes that the receiver does not know yet, each told once', () => {
    const rig = new Rig({ columns: { 'shop.orders': ['status'] } });
    const lane = rig.lane();
    rig.pass({ firstScn: SCN, transactions: [{ id: 'a', entries: [order(1)] }] }, lane);
    rig.pass({ firstScn: SCN + 1, transactions: [{ id: 'b', entries: [order(2), user] }] }, lane);
    rig.pass({ firstScn: SCN + 3, transactions: [{ id: 'c', entries: [order(3), user] }] }, lane);
    const { frames, batches } = rig.take();
    const told = frames.map((frame) =>
      frame.kind === 'shapes' ? frame.shapes.map((text) => (JSON.parse(text) as { after: number[] }).after) : [],
    );
    expect(told).toEqual([[[0, 1]], [[0, 1]]]);
    expect(batches.map(entriesOf)).toEqual([[SCN], [SCN + 1, SCN + 2], [SCN + 3, SCN + 4]]);
  });

  test('repeats a statement for every piece of its run without repeating its bytes', () => {
    const sql = `INSERT INTO orders VALUES ${'(…), '.repeat(20_000)}`;
    const many = Array.from({ length: 400 }, (_, id) => ({ id, status: 'x', note: null }));
    const entries = [plainRowBatch({ kind: 'insert', table: orders, rows: many, statement: sql }), order(1)];
    const sketch = { firstScn: SCN, transactions: [{ id: 'a', entries }] };
    const rig = new Rig();
    expect(rig.pass(sketch, rig.lane([0, 2, 4, 6, 8, 10, 12, 14]))).toBe(true);
    expect(rig.output.at).toBeLessThan(storedBatch(sketch).bytes.length + 400 * 20);
    const { batches } = rig.take();
    const pieces = batches[0]?.parts[0]?.entries ?? [];
    expect(pieces.length).toBeGreaterThan(20);
    const own = pieces.map((entry) => (entry.type === 'rows' ? entry.statement : null));
    expect(new Set(own.slice(0, -1))).toEqual(new Set([sql]));
  });
});

describe('schema changes and truncations', () => {
  const entries: Entry[] = [
    { type: 'schema', database: 'shop', table: 'orders', sql: 'ALTER …' },
    { type: 'truncate', database: 'crm', table: 'users', sql: 'TRUNCATE …' },
    { type: 'schema', database: 'shop', table: null, sql: 'DROP DATABASE …' },
    { type: 'schema', database: 'crm', table: null, sql: 'DROP DATABASE …' },
  ];
  const sketch = { firstScn: SCN, transactions: [{ id: 'a', entries }] };

  test.each<{ options: FilterOptions; left: string[] }>([
    { options: { tables: ['shop.orders'] }, left: [`schema ${SCN}`, `schema ${SCN + 2}`] },
    { options: { tables: ['crm.*', 'nothing.here'] }, left: [`truncate ${SCN + 1}`, `schema ${SCN + 3}`] },
    { options: { tables: ['shop.lines'] }, left: [`schema ${SCN + 2}`] },
    { options: { tables: ['/users$/'] }, left: [`truncate ${SCN + 1}`, `schema ${SCN + 2}`, `schema ${SCN + 3}`] },
    {
      options: { ops: ['insert'] },
      left: [`schema ${SCN}`, `truncate ${SCN + 1}`, `schema ${SCN + 2}`, `schema ${SCN + 3}`],
    },
  ])('pass $options when a table that they concern is watched', ({ options, left }) => {
    const rig = new Rig(options);
    rig.pass(sketch, rig.lane([3]));
    expect(entriesOf(rig.take().batches[0])).toEqual(left);
  });

  test('at or before the place where reading begins are left out', () => {
    const rig = new Rig();
    rig.pass(sketch, rig.lane(null, SCN + 2));
    expect(entriesOf(rig.take().batches[0])).toEqual([`schema ${SCN + 3}`]);
  });
});

describe('a transaction that lies in several batches', () => {
  const piece = (n: number, flags: number, entry: Entry): BatchSketch => ({
    firstScn: SCN + n,
    flags,
    transactions: [{ id: 'long', continued: (flags & FLAG.continues) !== 0, entries: [entry] }],
  });

  test('begins for the receiver with the first piece of which something passes', () => {
    const rig = new Rig({ tables: ['shop.*'] });
    const lane = rig.lane();
    expect(rig.pass(piece(0, FLAG.open, user), lane)).toBe(false);
    expect(lane.open).toBe('unsent');
    expect(rig.pass(piece(1, FLAG.open | FLAG.continues, user), lane)).toBe(false);
    expect(lane.open).toBe('unsent');
    expect(rig.pass(piece(2, FLAG.open | FLAG.continues, order(1)), lane)).toBe(true);
    expect(lane.open).toBe('sent');
    expect(rig.pass(piece(3, FLAG.continues, order(2)), lane)).toBe(true);
    expect(lane.open).toBe('none');
    const { batches } = rig.take();
    expect(batches.map(({ continues, open, transactions }) => ({ continues, open, transactions }))).toEqual([
      { continues: false, open: true, transactions: 0 },
      { continues: true, open: false, transactions: 1 },
    ]);
    expect(batches.flatMap(({ parts }) => parts.map(({ begins, end }) => ({ begins, ends: end !== null })))).toEqual([
      { begins: true, ends: false },
      { begins: false, ends: true },
    ]);
  });

  test('ends for the receiver even when nothing of its last piece passes', () => {
    const rig = new Rig({ tables: ['shop.*'] });
    const lane = rig.lane();
    rig.pass(piece(0, FLAG.open, order(1)), lane);
    expect(rig.pass(piece(1, FLAG.open | FLAG.continues, user), lane)).toBe(false);
    expect(lane.open).toBe('sent');
    expect(rig.pass(piece(2, FLAG.continues, user), lane)).toBe(true);
    const { batches } = rig.take();
    expect(batches.map(entriesOf)).toEqual([[SCN], []]);
    expect(batches[1]?.parts.map(({ begins, end }) => ({ begins, ends: end !== null }))).toEqual([
      { begins: false, ends: true },
    ]);
  });

  test('of which nothing passes leaves nothing behind', () => {
    const rig = new Rig({ tables: ['shop.*'] });
    const lane = rig.lane();
    rig.pass(piece(0, FLAG.open, user), lane);
    expect(rig.pass(piece(1, FLAG.continues, user), lane)).toBe(false);
    expect(lane.open).toBe('none');
    expect(rig.pass(piece(2, 0, order(1)), lane)).toBe(true);
    expect(rig.take().batches[0]?.parts[0]?.begins).toBe(true);
  });

  test('goes on for a reader that joined inside it', () => {
    const rig = new Rig({ tables: ['shop.*'] });
    const lane = rig.lane();
    expect(rig.pass(piece(1, FLAG.open | FLAG.continues, user), lane)).toBe(false);
    expect(rig.pass(piece(2, FLAG.continues, order(1)), lane)).toBe(true);
    expect(rig.take().batches[0]).toMatchObject({ continues: true, open: false });
  });

  test('is a matter of each lane by itself', () => {
    const rig = new Rig({ tables: ['shop.*'] });
    const [ahead, behind] = [rig.lane(), rig.lane()];
    rig.pass(piece(0, FLAG.open, order(1)), ahead);
    rig.pass(piece(0, FLAG.open, user), behind);
    expect([ahead.open, behind.open]).toEqual(['sent', 'unsent']);
  });
});

describe('an update that moved its key', () => {
  const moving = plainRowBatch({
    kind: 'update',
    table: orders,
    rows: [{ before: { id: 1, status: 'a', note: null }, after: { id: 2, status: 'b', note: 'x' } }],
  });
  const sketch = { firstScn: SCN, transactions: [{ id: 'a', entries: [order(7), moving, order(8)] }] };
  const partitionOf = (id: number): number => keyHash(orders, [id]) % PARTITIONS;

  test('is one change for a reader of all partitions', () => {
    const rig = new Rig({ columns: { 'shop.orders': ['note'] } });
    rig.pass(sketch, rig.lane());
    const entry = rig.take().batches[0]?.parts[0]?.entries[1];
    expect(entry?.type === 'rows' ? entry.changes() : null).toMatchObject([
      { kind: 'update', key: { id: 2 }, before: { id: 1, note: null }, after: { id: 2, note: 'x' } },
    ]);
  });

  test('says where its image after begins, also when columns were left out', () => {
    const rig = new Rig({ columns: { 'shop.orders': ['note'] } });
    rig.pass({ firstScn: SCN, transactions: [{ id: 'a', entries: [moving] }] }, rig.lane());
    const bytes = rig.output.bytes.subarray(0, rig.output.at);
    // The only row, at the end: its length with KEY_MOVED, two hashes, the length of the image before (an id and a NULL), both images.
    expect([...bytes.subarray(-24, -20), ...bytes.subarray(-12)]).toEqual([
      8, 0, 0, 0x80, 3, 0, 0, 0, 2, 2, 0, 2, 4, 2, 2, 0x78,
    ]);
  });

  test('is the delete of the old key, then the insert of the new one, with the same SCN, for whoever has the partitions of both', () => {
    expect(partitionOf(1)).not.toBe(partitionOf(2));
    const rig = new Rig();
    const both = [partitionOf(1), partitionOf(2)];
    rig.pass(sketch, rig.lane(both));
    const changes = rig
      .take()
      .batches[0]?.parts.flatMap(({ entries }) =>
        entries.flatMap((entry) => (entry.type === 'rows' ? entry.changes() : [])),
      );
    expect(changes?.filter(({ scn }) => scn === SCN + 1)).toMatchObject([
      { kind: 'delete', moved: 'from', scn: SCN + 1, key: { id: 1 }, before: { id: 1, status: 'a' }, after: null },
      { kind: 'insert', moved: 'to', scn: SCN + 1, key: { id: 2 }, before: null, after: { id: 2, status: 'b' } },
    ]);
  });

  test.each([
    { id: 1, kind: 'delete' },
    { id: 2, kind: 'insert' },
  ])('is the $kind only, for whoever has the partition of key $id', ({ id, kind }) => {
    const rig = new Rig();
    rig.pass(sketch, rig.lane([partitionOf(id)]));
    const changes = rig
      .take()
      .batches[0]?.parts.flatMap(({ entries }) =>
        entries.flatMap((entry) => (entry.type === 'rows' ? entry.changes() : [])),
      );
    expect(changes?.filter(({ scn }) => scn === SCN + 1).map((change) => change.kind)).toEqual([kind]);
  });

  test('counts as an update for the ops, in halves too', () => {
    const partitions = [partitionOf(1), partitionOf(2)];
    const changesFor = (ops: FilterOptions['ops']): number => {
      const rig = new Rig({ ops });
      rig.pass({ firstScn: SCN, transactions: [{ id: 'a', entries: [moving] }] }, rig.lane(partitions));
      return rig.take().batches.flatMap(entriesOf).length;
    };
    expect([changesFor(['update']), changesFor(['insert', 'delete'])]).toEqual([2, 0]);
  });

  test('keeps the whole key in both halves when the image after holds only what changed', () => {
    const seats = tableOf('shop.seats', { hall: 'varchar', row: 'int', taken: 'tinyint' }, ['hall', 'row']);
    const entry = plainRowBatch({
      kind: 'update',
      table: seats,
      rows: [{ before: { hall: 'A', row: 1 }, after: { row: 2, taken: 1 } }],
    });
    const rig = new Rig();
    rig.pass({ firstScn: SCN, transactions: [{ id: 'a', entries: [entry] }] }, rig.lane([...Array(PARTITIONS).keys()]));
    const changes = rig
      .take()
      .batches[0]?.parts.flatMap(({ entries }) => entries.flatMap((one) => (one.type === 'rows' ? one.changes() : [])));
    expect(changes).toMatchObject([
      { kind: 'delete', key: { hall: 'A', row: 1 }, before: { hall: 'A', row: 1 } },
      { kind: 'insert', key: { hall: 'A', row: 2 }, after: { hall: 'A', row: 2, taken: 1 } },
    ]);
  });
});

describe('a damaged batch', () => {
  const run = plainRowBatch({
    kind: 'insert',
    table: orders,
    rows: [1, 2, 3].map((id) => ({ id, status: 'new', note: null })),
  });
  const { bytes: intact } = storedBatch({ firstScn: SCN, transactions: [{ id: 'a', entries: [run] }] });
  /** Of the run: behind the transaction's entry and that of the shape. */
  const runAt = intact.lastIndexOf(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]));

  test.each([
    ['with fewer rows than it says', 8, 4],
    ['with more rows than it says', 8, 2],
    ['with more bytes of rows than there are', 12, 5000],
    ['with a longer statement than there is', 16, 5000],
    ['with a row that is longer than the run', 20, 0x00ff_ffff],
  ])('%s is refused as damaged, and nothing of it is written', (_, field, value) => {
    const rig = new Rig();
    rig.pass({ firstScn: SCN, transactions: [{ id: 'a', entries: [run] }] }, rig.lane());
    rig.output.clear();
    const bytes = Buffer.from(intact);
    bytes.writeUInt32LE(value, runAt + field);
    const lane = rig.lane([...Array(PARTITIONS).keys()]);
    expect(() => rig.filter.filter(bytes, viewOf(bytes), { start: 0, lane, output: rig.output })).toThrow(
      expect.objectContaining({ code: 'LOG_DAMAGED', retry: 'never' }),
    );
    expect(rig.output.at).toBe(0);
  });

  test('whose last entry reaches into what lies behind it is refused, also where rows are passed on unseen', () => {
    const truncate: Entry = { type: 'truncate', database: 'shop', table: 'orders', sql: 'TRUNCATE …' };
    const runAndMore = Buffer.concat([intact, Buffer.alloc(10_000)]);
    const other = storedBatch({ firstScn: SCN, transactions: [{ id: 'a', entries: [truncate] }] }).bytes;
    const truncateAt = other.indexOf(Buffer.from([4, 1, 4, 0]));
    const truncateAndMore = Buffer.concat([other, Buffer.alloc(10_000)]);
    const damages = [
      { whole: runAndMore, at: runAt + 12, value: 5000 },
      { whole: runAndMore, at: runAt + 16, value: 5000 },
      { whole: truncateAndMore, at: truncateAt + 12, value: 100 },
      { whole: truncateAndMore, at: truncateAt + 8, value: 100 },
    ];
    for (const { whole, at, value } of damages) {
      const rig = new Rig({ tables: ['shop.*'] });
      rig.pass({ firstScn: SCN, transactions: [{ id: 'a', entries: [run] }] }, rig.lane());
      rig.output.clear();
      const bytes = Buffer.from(whole);
      bytes.writeUInt16LE(value, at);
      expect(() => rig.filter.filter(bytes, viewOf(bytes), { start: 0, lane: rig.lane(), output: rig.output })).toThrow(
        expect.objectContaining({ code: 'LOG_DAMAGED' }),
      );
    }
  });

  test('with a row that contradicts its shape is refused when its columns are taken apart', () => {
    for (const options of [{ columns: { 'shop.orders': ['note'] } }, { where: { 'shop.orders': "note = 'x'" } }]) {
      const rig = new Rig(options);
      rig.pass({ firstScn: SCN, transactions: [{ id: 'a', entries: [run] }] }, rig.lane());
      rig.output.clear();
      const bytes = Buffer.from(intact);
      // The branch of the status: neither NULL nor a value.
      const status = bytes.lastIndexOf('new') - 2;
      expect(bytes[status]).toBe(2);
      bytes[status] = 9;
      expect(() => rig.filter.filter(bytes, viewOf(bytes), { start: 0, lane: rig.lane(), output: rig.output })).toThrow(
        expect.objectContaining({ code: 'LOG_DAMAGED', details: expect.objectContaining({ offset: 0 }) }),
      );
    }
  });
});

describe('a filter', () => {
  test('says when stored bytes can go out as they are', () => {
    const passesAll = (options: FilterOptions): boolean => new Rig(options).filter.passesAll;
    expect(
      [
        {},
        { tables: [] },
        { ops: [] },
        { ops: ['insert', 'update', 'delete', 'upsert'] as const },
        { columns: {} },
      ].map(passesAll),
    ).toEqual([true, true, true, true, true]);
    expect(
      [
        { tables: ['*.*'] },
        { ops: ['insert'] as const },
        { columns: { 'a.b': [] } },
        { where: { 'a.b': 'c = 1' } },
      ].map(passesAll),
    ).toEqual([false, false, false, false]);
  });

  test.each<{ options: FilterOptions; message: RegExp; hint: RegExp }>([
    {
      options: { columns: { 'shop.orders': ['id', 'statsu'] } },
      message: /shop\.orders has no column "statsu"/,
      hint: /"status"\?.*id, status, note/,
    },
    {
      options: { where: { 'shop.*': 'amount > 1' } },
      message: /shop\.orders has no column "amount"/,
      hint: /id, status, note/,
    },
    {
      options: { where: { 'shop.orders': "id > 'a'" } },
      message: /"id" is an INT column .* at character 6/,
      hint: /a number/,
    },
    { options: { tables: ['a.b.c'] }, message: /no table pattern/, hint: /database\.table/ },
    {
      options: { ops: ['insrt' as never] },
      message: /"insrt" is no kind of change/,
      hint: /insert, update, delete, upsert/,
    },
  ])('that cannot be is refused when it is made: $message', ({ options, message, hint }) => {
    expect(() => new Rig(options)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(message),
        hint: expect.stringMatching(hint),
      }),
    );
  });

  test('refuses partitions that the stream does not have', () => {
    for (const partition of [-1, 16, 1.5, Number.NaN]) {
      expect(() => new Rig().lane([partition])).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', hint: 'The stream has partitions 0 to 15.' }),
      );
    }
  });

  test('passes over columns that a version of the table does not have', () => {
    const older = tableOf('shop.orders', { id: 'int', state: 'varchar' }, ['id']);
    const rig = new Rig({ columns: { 'shop.orders': ['status'] }, where: { 'shop.orders': "status = 'paid'" } });
    const entries = [
      plainRowBatch({ kind: 'insert', table: older, rows: [{ id: 1, state: 'x' }] }),
      order(2),
      order(3, 'paid'),
    ];
    rig.pass({ firstScn: SCN, transactions: [{ id: 'a', entries }] }, rig.lane());
    const changes = rig
      .take()
      .batches[0]?.parts.flatMap((part) =>
        part.entries.flatMap((entry) => (entry.type === 'rows' ? entry.changes() : [])),
      );
    expect(changes?.map(({ after }) => after)).toEqual([{ id: 1 }, { id: 3, status: 'paid' }]);
  });
});
