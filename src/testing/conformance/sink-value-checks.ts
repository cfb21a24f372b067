import assert from 'node:assert/strict';
import type { Value } from '../../core/change.ts';
import type { ColumnType } from '../../core/table-schema.ts';
import type { ConformanceCheck } from '../source-conformance.ts';
import { type ColumnSketch, tableOf } from '../tables.ts';
import type { SinkRig } from './sink-rig.ts';

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

/** A column of each type that every database has in some form, with values at its edges. */
const TYPES: Readonly<
  Partial<Record<ColumnType, { readonly sketch: ColumnSketch; readonly values: readonly Value[] }>>
> = {
  tinyint: { sketch: 'tinyint', values: [-128, 127, 0] },
  smallint: { sketch: 'smallint', values: [-32_768, 32_767] },
  mediumint: { sketch: 'mediumint', values: [-8_388_608, 8_388_607] },
  int: { sketch: { type: 'int', unsigned: true }, values: [0, 4_294_967_295] },
  bigint: { sketch: 'bigint', values: [-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n, 42] },
  decimal: {
    sketch: { type: 'decimal', length: 30, scale: 10 },
    values: ['-12345678901234567890.0123456789', '0.0000000000'],
  },
  float: { sketch: 'float', values: [0.1, -1.5e-20, 16_777_216] },
  double: { sketch: 'double', values: [0.1, -1.5e-300, 1.7976931348623157e308] },
  date: { sketch: 'date', values: ['1000-01-01', '9999-12-31'] },
  datetime: { sketch: { type: 'datetime', length: 6 }, values: ['2026-11-20 09:15:02.123456'] },
  timestamp: { sketch: { type: 'timestamp', length: 3 }, values: ['2026-11-20T09:15:02.123Z'] },
  time: { sketch: { type: 'time', length: 0 }, values: ['-838:59:59', '23:59:59'] },
  varchar: {
    sketch: { type: 'varchar', length: 100 },
    values: ['', 'it\'s \\ "quoted" \n\t\0 %_', 'aé漢🚲\u{10FFFF}', 'trailing  '],
  },
  text: { sketch: { type: 'text', length: 65_535 }, values: ['x'.repeat(50_000)] },
  blob: {
    sketch: { type: 'blob', length: 16_777_215 },
    values: [bytes(), bytes(0, 39, 92, 255), new Uint8Array(200_000).fill(7)],
  },
  json: { sketch: 'json', values: ['{"a": [1, 2.5, "x\\"y"], "bc": null}'] },
};

/** Every type, if the sink can read its target. */
export function sinkValueChecks(rig: SinkRig): readonly ConformanceCheck[] {
  const wanted = rig.harness.types ?? (Object.keys(TYPES) as ColumnType[]);
  return wanted.flatMap((type): ConformanceCheck[] => {
    const known = TYPES[type];
    if (known === undefined) return [];
    return [
      {
        name: `values of the type ${type}, and NULL, are in the target as they came`,
        run: () =>
          rig.session(
            async (it) => {
              const rows = [...known.values, null].map((value, id) => ({ id, value }));
              await it.write(...rows.map((row) => it.insert(row)));
              if (it.sink.read === undefined) return;
              const read = await it.sink.read(it.target, [...rows.map(({ id }) => ({ id })), { id: 999 }]);
              assert.deepEqual(read, [...rows, null]);
            },
            { table: (name) => tableOf(name, { id: { type: 'int', nullable: false }, value: known.sketch }, ['id']) },
          ),
      },
    ];
  });
}
