import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { completeFiles, exactJson, readLines, type ReadRow, readRows } from '../../../test/support/sinks/read-files.ts';
import { sinkBatch, sinkContext, sinkRow } from '../../../test/support/sinks/rows.ts';
import { everyType, rowOf } from '../../../test/support/sinks/typed-rows.ts';
import { COMMITTED_AT_US } from '../../../test/support/changes.ts';
import type { Row, Value } from '../../core/change.ts';
import { RowsRefused, type SinkRow, type SinkTarget } from '../../core/sink.ts';
import type { Column } from '../../core/table-schema.ts';
import { tableOf } from '../../testing/tables.ts';
import type { FileSinkOptions } from './config.ts';
import { FileSink } from './file-sink.ts';

let path = '';
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'tidings-file-sink-'));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

async function opened(options: Partial<FileSinkOptions> = {}, directory = path): Promise<FileSink> {
  const sink = new FileSink({ path: directory, ...options });
  await sink.open(sinkContext());
  await sink.claim([0, 1]);
  return sink;
}

/** All rows of the complete files. */
async function contents(directory = path): Promise<ReadRow[]> {
  return (await Promise.all(completeFiles(directory).map(readRows))).flat();
}

const orders: SinkTarget = {
  table: tableOf('shop.orders', { id: { type: 'int', nullable: false }, note: { type: 'varchar', length: 20 } }, [
    'id',
  ]),
  options: {},
};
const insert = (scn: number, target: SinkTarget = orders): SinkRow =>
  sinkRow(target, { kind: 'insert', scn, after: { id: scn, note: `n${scn}` } });
const at = (scn: number, partition = 0): { partition: number; serial: boolean; scn: number } => ({
  partition,
  serial: false,
  scn,
});

const FORMATS: readonly Omit<FileSinkOptions, 'path'>[] = [
  { format: 'ndjson' },
  { format: 'ndjson', compression: 'gzip' },
  { format: 'ndjson', compression: 'zstd' },
  { format: 'avro' },
  { format: 'avro', compression: 'deflate' },
  { format: 'avro', compression: 'zstd' },
  { format: 'parquet' },
  { format: 'parquet', compression: 'none' },
  { format: 'parquet', compression: 'gzip' },
  { format: 'parquet', compression: 'zstd' },
];

/** What a file has for a value, in a form in which it can be compared: made of the text without the sink's code. */
function expected(value: Value, column: Column, format: string): unknown {
  if (value === null) return null;
  const isTyped = format !== 'ndjson';
  switch (column.type) {
    case 'date':
      return isTyped ? Date.parse(`${String(value)}T00:00:00Z`) / 86_400_000 : value;
    case 'datetime':
    case 'timestamp': {
      if (!isTyped) return value;
      const [, clock = '', fraction = ''] = /^(.{19})(?:\.(\d+))?Z?$/.exec(String(value)) ?? [];
      return BigInt(Date.parse(`${clock.replace(' ', 'T')}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0'));
    }
    case 'decimal':
      return isTyped ? BigInt(String(value).replace('.', '')) : value;
    case 'bigint':
    case 'bit':
      return isTyped ? BigInt(value as number) : value;
    case 'int':
      return isTyped && column.unsigned ? BigInt(value as number) : value;
    case 'json':
      return isTyped ? value : exactJson(String(value));
    case 'binary':
    case 'blob':
    case 'geometry':
      return Buffer.from(value as Uint8Array).toString('base64');
    case 'vector':
      return [...(value as Float32Array)];
    case 'float':
      return Math.fround(value as number);
    default:
      return value;
  }
}

/** A value of a file in the same form. */
function found(value: unknown, column: Column): unknown {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) {
    if (column.type === 'decimal' || column.type === 'bigint' || column.type === 'bit') return twosComplement(value);
    return Buffer.from(value).toString('base64');
  }
  if (column.type === 'decimal' && typeof value === 'number') return BigInt(value);
  if (column.type === 'vector') return (value as (number | bigint)[]).map((element) => Math.fround(Number(element)));
  if (column.type === 'float') return Math.fround(Number(value));
  if (column.type === 'double') return Number(value);
  return value;
}

function twosComplement(bytes: Uint8Array): bigint {
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`));
}

describe.each(FORMATS)('files of $format, $compression', (options) => {
  const format = options.format ?? 'ndjson';
  const target: SinkTarget = { table: everyType, options: {} };

  test('have every row as it was, whatever its values are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(rowOf(everyType), { minLength: 1, maxLength: 12 }), async (rows) => {
        const directory = mkdtempSync(join(path, 'round-'));
        const sink = await opened(options, directory);
        const half = rows.length >> 1;
        for (const [index, part] of [rows.slice(0, half), rows.slice(half)].entries()) {
          await sink.prepare(target);
          const batch = part.map((after, i) => sinkRow(target, { kind: 'upsert', scn: index * 100 + i + 1, after }));
          await sink.write(sinkBatch(batch, [at(index * 100 + 99)]));
        }
        await sink.close();
        const read = await contents(directory);
        expect(read.length).toBe(rows.length);
        for (const [i, row] of rows.entries()) {
          for (const column of everyType.columns) {
            const actual = found(read[i]?.[column.name], column);
            expect({ [column.name]: actual }).toEqual({
              [column.name]: expected(row[column.name] ?? null, column, format),
            });
          }
          expect(read[i]?.['_op']).toBe('upsert');
          expect(Number(read[i]?.['_scn'])).toBe(i < half ? i + 1 : 101 + i - half);
          const time = read[i]?.['_time'];
          if (format === 'ndjson') expect(time).toBe('2026-11-20T09:15:02.123456Z');
          else expect(Number(time)).toBe(COMMITTED_AT_US);
        }
      }),
      { numRuns: 8 },
    );
  });

  test('tell deletes by their key, moved keys as a delete and an insert, and which columns are not known', async () => {
    const sink = await opened(options);
    await sink.write(
      sinkBatch(
        [
          sinkRow(orders, { kind: 'update', scn: 1, before: { id: 1, note: 'a' }, after: { id: 1, note: 'b' } }),
          sinkRow(orders, { kind: 'update', scn: 2, before: { id: 1 }, after: { id: 1 } }),
          sinkRow(orders, { kind: 'update', scn: 3, before: { id: 1, note: 'c' }, after: { id: 9 } }),
          sinkRow(orders, { kind: 'delete', scn: 4, before: { id: 9, note: 'd' } }),
        ],
        [at(4)],
      ),
    );
    await sink.truncate(orders, [at(5)]);
    await sink.close();
    const rows = (await contents()).map((row) => [
      row['_op'],
      Number(row['_scn']),
      row['id'] ?? null,
      row['note'] ?? null,
    ]);
    expect(rows).toEqual([
      ['update', 1, 1, 'b'],
      ['update', 2, 1, null],
      ['delete', 3, 1, null],
      ['insert', 3, 9, 'c'],
      ['delete', 4, 9, null],
      ['truncate', 5, null, null],
    ]);
    const absent = (await contents()).map((row) => row['_absent'] ?? null);
    if (format === 'ndjson') expect((await contents())[1]).not.toHaveProperty('note');
    else expect(absent).toEqual([null, '["note"]', null, null, null, null]);
  });

  test('leave out a row that has no exact form, and say which and why', async () => {
    if (format === 'ndjson') return;
    const days: SinkTarget = { table: tableOf('shop.days', { id: 'int', day: 'date' }, ['id']), options: {} };
    const sink = await opened(options);
    const rows = ['2026-11-20', '0000-00-00', '2026-02-31'].map((day, i) =>
      sinkRow(days, { kind: 'insert', scn: i + 1, after: { id: i, day } }),
    );
    const error = await sink.write(sinkBatch(rows, [at(3)])).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RowsRefused);
    expect((error as RowsRefused).rows.map(({ index, error: { code, message } }) => [index, code, message])).toEqual([
      [1, 'SINK_ROW_REFUSED', 'a value of shop.days.day (date) is not a date of the calendar'],
      [2, 'SINK_ROW_REFUSED', 'a value of shop.days.day (date) is not a date of the calendar'],
    ]);
    expect((error as RowsRefused).areOthersDurable).toBe(false);
    await sink.write(sinkBatch(rows.slice(0, 1), [at(3)]));
    await sink.close();
    expect((await contents()).map((row) => row['id'])).toEqual([0]);
  });

  test('have dates that no calendar has as text, where that is asked for', async () => {
    if (format === 'ndjson') return;
    const days: SinkTarget = {
      table: tableOf('shop.days', { id: 'int', day: 'date', moment: { type: 'timestamp', length: 0 } }, ['id']),
      options: {},
    };
    const sink = await opened({ ...options, zeroDates: 'text' });
    const after: Row = { id: 1, day: '2026-02-31', moment: '0000-00-00T00:00:00Z' };
    await sink.write(sinkBatch([sinkRow(days, { kind: 'insert', scn: 1, after })], [at(1)]));
    await sink.close();
    expect(await contents()).toMatchObject([{ day: '2026-02-31', moment: '0000-00-00T00:00:00Z' }]);
  });
});

describe('folders and names', () => {
  test('are those of the template, with the commit date in UTC, and a name is safe whatever a table is called', async () => {
    const odd: SinkTarget = { table: tableOf('shop../../_x', { id: 'int' }, ['id']), options: {} };
    const sink = await opened({ partition: '{database}/{table}/date={date}/hour={hour}' });
    const before = sinkRow(orders, {
      kind: 'insert',
      scn: 1,
      after: { id: 1 },
      committedAtUs: COMMITTED_AT_US - 10 * 3_600_000_000,
    });
    await sink.write(
      sinkBatch([before, insert(2), sinkRow(odd, { kind: 'insert', scn: 3, after: { id: 3 } })], [at(3)]),
    );
    await sink.close();
    const folders = completeFiles(path).map((file) => file.slice(path.length + 1).replace(/[^/]*$/, ''));
    expect(folders).toEqual([
      'shop/%2E%2F..%2F_x/date=2026-11-20/hour=09/',
      'shop/orders/date=2026-11-19/hour=23/',
      'shop/orders/date=2026-11-20/hour=09/',
    ]);
    expect(completeFiles(path)[1]).toMatch(/\/0000000000000001-[0-9a-f]{12}-\d+\.ndjson$/);
  });

  test('are short enough for a file system, and still each its own', async () => {
    const sink = await opened();
    const long = (end: string): SinkTarget => ({
      table: tableOf(`shop.${'€'.repeat(120)}${end}`, { id: 'int' }, ['id']),
      options: {},
    });
    const rows = [long('a'), long('b')].map((target, i) =>
      sinkRow(target, { kind: 'insert', scn: i + 1, after: { id: i } }),
    );
    await sink.write(sinkBatch(rows, [at(2)]));
    await sink.close();
    expect(new Set(completeFiles(path).map((file) => dirname(file))).size).toBe(2);
  });

  test('with database and table in one name do not say which is which: the lines do', async () => {
    const sink = await opened({ partition: '{database}_{table}' });
    const rows = ['a_b.c', 'a.b_c'].map((name, i) =>
      sinkRow(
        { table: tableOf(name, { id: 'int' }, ['id']), options: {} },
        { kind: 'insert', scn: i + 1, after: { id: 1 } },
      ),
    );
    await sink.write(sinkBatch(rows, [at(2)]));
    await sink.close();
    const lines = completeFiles(path).flatMap((file) => readLines(file));
    expect(lines).toEqual([expect.stringContaining('"_table":"c"'), expect.stringContaining('"_table":"b_c"')]);
  });

  test('that were taken away are made again', async () => {
    const sink = await opened({ rotate: { bytes: 1 << 20, afterMs: 100 } });
    await sink.write(sinkBatch([insert(1)], [at(1)]));
    await expect.poll(() => completeFiles(path).length, { timeout: 5000 }).toBe(1);
    rmSync(join(path, 'shop'), { recursive: true });
    await sink.write(sinkBatch([insert(2)], [at(2)]));
    await expect.poll(() => completeFiles(path).length, { timeout: 5000 }).toBe(1);
    await sink.close();
  });

  test('may be one for all tables, whose lines then tell the table', async () => {
    const sink = await opened({ partition: '' });
    const other: SinkTarget = { table: tableOf('shop.tags', { id: 'int' }, ['id']), options: {} };
    await sink.write(sinkBatch([insert(1), sinkRow(other, { kind: 'insert', scn: 2, after: { id: 5 } })], [at(2)]));
    await sink.close();
    const [file, ...others] = completeFiles(path);
    expect(others).toEqual([]);
    expect(readLines(file ?? '')).toEqual([
      '{"_op":"insert","_scn":1,"_time":"2026-11-20T09:15:02.123456Z","_database":"shop","_table":"orders","id":1,"note":"n1"}',
      '{"_op":"insert","_scn":2,"_time":"2026-11-20T09:15:02.123456Z","_database":"shop","_table":"tags","id":5}',
    ]);
  });

  test('a changed definition begins a new file of Avro, and each file has one', async () => {
    const sink = await opened({ format: 'avro' });
    const wider: SinkTarget = { table: tableOf('shop.orders', { id: 'int', more: 'double' }, ['id']), options: {} };
    await sink.write(
      sinkBatch(
        [insert(1), sinkRow(wider, { kind: 'insert', scn: 2, after: { id: 2, more: 0.5 } }), insert(3)],
        [at(3)],
      ),
    );
    await sink.close();
    const files = await Promise.all(completeFiles(path).map(readRows));
    expect(files.map((rows) => rows.map((row) => row['id']))).toEqual([[1, 3], [2]]);
  });

  test('a column that has the name of an added one is a conflict that names the remedy', async () => {
    const sink = await opened();
    const target: SinkTarget = { table: tableOf('a.b', { _scn: 'int' }), options: {} };
    await expect(sink.prepare(target)).rejects.toMatchObject({
      code: 'SINK_SCHEMA_CONFLICT',
      hint: expect.stringContaining('metaPrefix'),
    });
    await sink.close();
  });
});

describe('lines of changes', () => {
  const update = sinkRow(orders, { kind: 'update', scn: 7, before: { id: 1, note: 'a' }, after: { id: 1, note: 'b' } });
  const lines = async (kind: 'json' | 'debezium' | 'maxwell' | 'canal'): Promise<unknown[]> => {
    const sink = await opened({ lines: kind });
    await sink.write(sinkBatch([update], [at(7)]));
    await sink.truncate(orders, [at(8)]);
    await sink.close();
    return completeFiles(path)
      .flatMap(readLines)
      .map((line) => JSON.parse(line) as unknown);
  };

  test('json', async () => {
    expect(await lines('json')).toEqual([
      {
        op: 'update',
        db: 'shop',
        table: 'orders',
        key: { id: 1 },
        before: { id: 1, note: 'a' },
        after: { id: 1, note: 'b' },
        ts: '2026-11-20T09:15:02.123456Z',
        tx: null,
        pos: null,
        scn: 7,
      },
      expect.objectContaining({ op: 'truncate', table: 'orders', sql: 'TRUNCATE TABLE `shop`.`orders`', scn: 8 }),
    ]);
  });

  test('debezium', async () => {
    expect(await lines('debezium')).toMatchObject([
      {
        op: 'u',
        before: { id: 1, note: 'a' },
        after: { id: 1, note: 'b' },
        source: { table: 'orders', gtid: null, file: null },
      },
      { op: 't', source: { table: 'orders' } },
    ]);
  });

  test('maxwell, without what only a transaction tells', async () => {
    const made = await lines('maxwell');
    expect(made).toEqual([
      {
        database: 'shop',
        table: 'orders',
        type: 'update',
        ts: 1795166102,
        xid: null,
        position: null,
        gtid: null,
        server_id: 0,
        data: { id: 1, note: 'b' },
        old: { note: 'a' },
      },
    ]);
  });

  test('canal', async () => {
    expect(await lines('canal')).toMatchObject([
      { type: 'UPDATE', data: [{ id: '1', note: 'b' }], old: [{ note: 'a' }], isDdl: false },
      { type: 'TRUNCATE', isDdl: true },
    ]);
  });
});

describe('exactly once', () => {
  test('a batch that was written is not written again, and one of partitions that were taken over is not written at all', async () => {
    const first = await opened();
    await first.write(sinkBatch([insert(1)], [at(1)]));
    await first.write(sinkBatch([insert(1)], [at(1)]));
    const second = new FileSink({ path });
    await second.open(sinkContext());
    expect(await second.claim([])).toContainEqual(at(1));
    await first.write(sinkBatch([insert(4)], [at(4, 1)]));
    expect(await second.claim([0])).toEqual([
      at(1),
      { ...at(0), serial: true },
      at(4, 1),
      { ...at(0, 1), serial: true },
    ]);
    await expect(first.write(sinkBatch([insert(2)], [at(2)]))).rejects.toMatchObject({ code: 'SINK_FENCED' });
    // What it still has goes on.
    await first.write(sinkBatch([insert(5)], [at(5, 1)]));
    await second.write(sinkBatch([insert(2)], [at(2)]));
    await Promise.all([first.close(), second.close()]);
    expect((await contents()).map((row) => Number(row['id'])).toSorted((a, b) => a - b)).toEqual([1, 2, 4, 5]);
  });

  test('batches of several lanes at the same time are all there, and the checkpoints of both kinds', async () => {
    const sink = await opened();
    const writes = Array.from({ length: 30 }, async (_, i) => {
      const serial = i % 3 === 0;
      await sink.write(
        sinkBatch([insert(i + 1)], [{ partition: i % 2, serial, scn: i + 1 }], { lane: serial ? 'serial' : i % 2 }),
      );
    });
    await Promise.all(writes);
    await sink.close();
    expect((await contents()).length).toBe(30);
    const next = new FileSink({ path });
    await next.open(sinkContext());
    expect(await next.claim([0, 1])).toEqual(
      expect.arrayContaining([
        { partition: 0, serial: true, scn: 25 },
        { partition: 1, serial: true, scn: 28 },
        { partition: 0, serial: false, scn: 29 },
        { partition: 1, serial: false, scn: 30 },
      ]),
    );
    await next.close();
  });

  test('of a transaction in several batches nothing is there before its last one', async () => {
    const part = (scn: number, ends: boolean): Parameters<FileSink['write']>[0] =>
      sinkBatch([insert(scn)], ends ? [at(scn)] : [], { endsTransaction: ends });
    const whole = await opened();
    await whole.write(part(1, false));
    await whole.write(part(2, true));
    await whole.write(part(3, false));
    await whole.close();
    expect((await contents()).map((row) => row['id'])).toEqual([1, 2]);
  });

  test('a part of a transaction that did not end is there once when reading begins again', async () => {
    const sink = await opened();
    const first = sinkBatch([insert(1)], [], { endsTransaction: false });
    await sink.write(first);
    expect((await sink.claim([0, 1])).map(({ scn }) => scn)).toEqual([0, 0, 0, 0]);
    await sink.write(first);
    await sink.write(sinkBatch([insert(2)], [at(2)]));
    await sink.close();
    expect((await contents()).map((row) => row['id'])).toEqual([1, 2]);
  });

  test('another stream in the same directory is refused', async () => {
    await (await opened()).close();
    const sink = new FileSink({ path });
    await expect(sink.open(sinkContext({ stream: 'other' }))).rejects.toMatchObject({ code: 'SINK_STATE_DAMAGED' });
    await sink.close();
  });

  test('sinks of different names do not see each other', async () => {
    const one = await opened();
    await one.write(sinkBatch([insert(1)], [at(1)]));
    const other = new FileSink({ path });
    await other.open(sinkContext({ name: 'other', stream: 'elsewhere' }));
    expect(await other.claim([])).toEqual([]);
    await Promise.all([one.close(), other.close()]);
    expect(await contents()).toHaveLength(1);
  });
});

describe('rotation', () => {
  test('completes a file that has the bytes, and nothing stays open behind the most files', async () => {
    const sink = await opened({ rotate: { bytes: 1024, afterMs: 600_000 }, openFilesMax: 1 });
    for (let scn = 1; scn <= 60; scn++) {
      const target =
        scn % 2 === 0 ? orders : { table: tableOf('shop.other', { id: 'int', note: 'varchar' }, ['id']), options: {} };
      await sink.write(sinkBatch([insert(scn, target)], [at(scn)]));
    }
    await expect.poll(() => readdirSync(join(path, '_tidings/files/open')).length).toBeLessThanOrEqual(1);
    await sink.close();
    expect(completeFiles(path).length).toBeGreaterThan(50);
    expect((await contents()).length).toBe(60);
  });

  test('completes a file by time without further rows', async () => {
    const sink = await opened({ rotate: { bytes: 1 << 20, afterMs: 100 } });
    await sink.write(sinkBatch([insert(1)], [at(1)]));
    await expect.poll(() => completeFiles(path).length, { timeout: 5000 }).toBe(1);
    await sink.close();
  });

  test('the manifest names the complete files with rows and SCNs, and stays short', async () => {
    const sink = await opened();
    for (let scn = 1; scn <= 1500; scn++) await sink.write(sinkBatch([insert(scn)], [at(scn)]));
    await sink.close();
    const manifest = readFileSync(join(path, '_tidings/files/manifest.log'), 'utf8');
    expect(manifest.length).toBeLessThan(300_000);
    const [file] = completeFiles(path);
    const records = manifest
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line.slice(9)) as { files?: unknown[] });
    expect(records.flatMap((record) => record.files ?? [])).toContainEqual(
      expect.objectContaining({
        path: file?.slice(path.length + 1),
        table: 'shop.orders',
        rows: 1500,
        firstScn: 1,
        lastScn: 1500,
        complete: true,
      }),
    );
  }, 60_000);
});

test('wrong options are named, all at once', () => {
  expect(() => new FileSink({ path: '', format: 'avro', compression: 'gzip', lines: 'json', partition: 'x' })).toThrow(
    /path/,
  );
  expect(() => new FileSink({ path: 'x', format: 'avro', compression: 'gzip', lines: 'json', partition: 'x' })).toThrow(
    /lines: json.*partition: .*\{table\}.*compression: gzip/,
  );
  for (const partition of ['{day}', '../x', 'a//b', '/a', '{table}/_b', 'a{']) {
    expect(() => new FileSink({ path: 'x', partition })).toThrow(/partition/);
  }
});

test('a directory that cannot be made is told with its path', async () => {
  writeFileSync(join(path, 'file'), '');
  const sink = new FileSink({ path: join(path, 'file/below') });
  await expect(sink.open(sinkContext())).rejects.toMatchObject({
    code: 'DIRECTORY_UNUSABLE',
    message: expect.stringContaining('file/below'),
  });
  await sink.close();
});
