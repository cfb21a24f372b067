import assert from 'node:assert/strict';
import { inspect, isDeepStrictEqual } from 'node:util';
import type { Value } from '../../core/change.ts';
import type { ColumnType } from '../../core/table-schema.ts';
import type { ConformanceCheck } from '../source-conformance.ts';
import { type ColumnSketch, tableOf } from '../tables.ts';
import type { SinkRig } from './sink-rig.ts';

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

interface TypeSample {
  /** Where a type has several: what tells this one apart. */
  readonly title?: string;
  readonly sketch: ColumnSketch;
  /** At the edges of what there is. */
  readonly values: readonly Value[];
}

const TYPES: Readonly<Record<ColumnType, readonly TypeSample[]>> = {
  tinyint: [{ sketch: 'tinyint', values: [-128, 127, 0] }],
  smallint: [{ sketch: 'smallint', values: [-32_768, 32_767] }],
  mediumint: [{ sketch: 'mediumint', values: [-8_388_608, 8_388_607] }],
  int: [
    { sketch: 'int', values: [-2_147_483_648, 2_147_483_647] },
    { title: 'int unsigned', sketch: { type: 'int', unsigned: true }, values: [0, 4_294_967_295] },
  ],
  bigint: [
    { sketch: 'bigint', values: [-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n, 42] },
    {
      title: 'bigint unsigned',
      sketch: { type: 'bigint', unsigned: true },
      values: [0, 18_446_744_073_709_551_615n, 9_007_199_254_740_993n],
    },
  ],
  year: [{ sketch: 'year', values: [1901, 2155] }],
  bit: [
    { sketch: { type: 'bit', length: 1 }, values: [0, 1] },
    { title: 'bit(64)', sketch: { type: 'bit', length: 64 }, values: [5, 18_446_744_073_709_551_615n] },
  ],
  decimal: [
    {
      sketch: { type: 'decimal', length: 30, scale: 10 },
      values: ['-12345678901234567890.0123456789', '0.0000000000'],
    },
    {
      title: 'decimal(65,30)',
      sketch: { type: 'decimal', length: 65, scale: 30 },
      values: [`${'9'.repeat(35)}.${'9'.repeat(30)}`],
    },
  ],
  float: [{ sketch: 'float', values: [0.1, -1.5e-20, 16_777_216, 3.4028235e38] }],
  double: [{ sketch: 'double', values: [0.1, -1.5e-300, 1.7976931348623157e308, 2 ** 53 + 2] }],
  date: [{ sketch: 'date', values: ['1000-01-01', '9999-12-31'] }],
  datetime: [
    { sketch: { type: 'datetime', length: 6 }, values: ['2026-11-20 09:15:02.123456', '1000-01-01 00:00:00.000000'] },
    { title: 'datetime(0)', sketch: { type: 'datetime', length: 0 }, values: ['9999-12-31 23:59:59'] },
  ],
  timestamp: [
    { sketch: { type: 'timestamp', length: 3 }, values: ['2026-11-20T09:15:02.123Z', '2038-01-19T03:14:07.000Z'] },
  ],
  time: [
    { sketch: { type: 'time', length: 0 }, values: ['-838:59:59', '23:59:59'] },
    { title: 'time(6)', sketch: { type: 'time', length: 6 }, values: ['-00:00:00.000001', '100:00:00.500000'] },
  ],
  char: [{ sketch: { type: 'char', length: 10 }, values: ['', "it's", 'é漢🚲'] }],
  varchar: [
    {
      sketch: { type: 'varchar', length: 100 },
      values: ['', 'it\'s \\ "quoted" \n\t\0 %_', 'aé漢🚲\u{10FFFF}', 'trailing  '],
    },
  ],
  text: [{ sketch: { type: 'text', length: 65_535 }, values: ['x'.repeat(50_000), ' '] }],
  binary: [{ sketch: { type: 'binary', length: 4 }, values: [bytes(0, 39, 92, 255), bytes(0, 0, 0, 0)] }],
  varbinary: [{ sketch: { type: 'varbinary', length: 10 }, values: [bytes(), bytes(0, 0), bytes(255, 32)] }],
  blob: [
    {
      sketch: { type: 'blob', length: 16_777_215 },
      values: [bytes(), bytes(0, 39, 92, 255), new Uint8Array(200_000).fill(7)],
    },
  ],
  enum: [{ sketch: { type: 'enum', members: ['a', "it's", 'é'], charset: 'utf8mb4' }, values: ['a', "it's", 'é'] }],
  set: [{ sketch: { type: 'set', members: ['a', 'b', 'c'], charset: 'utf8mb4' }, values: ['', 'a,c', 'a,b,c'] }],
  json: [
    {
      sketch: 'json',
      values: ['{"a": [1, 2.5, "x\\"y"], "bc": null}', '[18446744073709551615, -9223372036854775808]', 'null', '"é🚲"'],
    },
  ],
  // SRID 0, then a POINT(1 2) in little-endian WKB.
  geometry: [
    {
      sketch: 'geometry',
      values: [bytes(0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 240, 63, 0, 0, 0, 0, 0, 0, 0, 64)],
    },
  ],
  vector: [{ sketch: { type: 'vector', length: 3 }, values: [Float32Array.of(0.1, -2.5, 1e-20)] }],
  uuid: [{ sketch: 'uuid', values: ['123e4567-e89b-12d3-a456-426655440000'] }],
  inet4: [{ sketch: 'inet4', values: ['0.0.0.0', '255.255.255.255'] }],
  inet6: [{ sketch: 'inet6', values: ['::', '2001:db8::ff00:42:8329'] }],
};

/** Every type. A sink that cannot read its target is only seen to take them: what it has made of them is for tests that know its store. */
export function sinkValueChecks(rig: SinkRig): readonly ConformanceCheck[] {
  const wanted = rig.harness.types ?? (Object.keys(TYPES) as ColumnType[]);
  return wanted.flatMap((type) =>
    TYPES[type].map(({ title = type, sketch, values }): ConformanceCheck => ({
      name: `values of the type ${title}, and NULL, are in the target as they came`,
      run: () =>
        rig.session(
          async (it) => {
            const rows = [...values, null].map((value, id) => ({ id, value }));
            await it.write(...rows.map((row) => it.insert(row)));
            if (it.sink.read === undefined) return;
            const read = await it.sink.read(it.target, [...rows.map(({ id }) => ({ id })), { id: 999 }]);
            for (const [i, row] of [...rows, null].entries()) {
              // A message that shows every element of a long value would take all memory.
              assert.ok(isDeepStrictEqual(read[i], row), `it is ${shown(read[i])}, and came as ${shown(row)}`);
            }
          },
          { table: (name) => tableOf(name, { id: { type: 'int', nullable: false }, value: sketch }, ['id']) },
        ),
    })),
  );
}

function shown(row: unknown): string {
  return inspect(row, { maxArrayLength: 50, maxStringLength: 200 });
}
