import { expect, test } from 'vitest';
import { storedParts } from '../../test/support/stored-batches.ts';
import { column, part, rowBatch, table } from '../../test/support/changes.ts';
import { readBatch } from '../formats/log/batch-reader.ts';
import { ShapeRegistry } from '../formats/log/shape-registry.ts';
import { RelayJsonLines } from './relay-json-lines.ts';

test('each change is one line with its SCN, however many or long they are, and lines come in order', () => {
  const orders = table('shop.orders', [column('id', 'int'), column('note', 'varchar')]);
  const rows = Array.from({ length: 3000 }, (_, id) => ({
    id,
    note: `ä\n${'x'.repeat(id === 7 ? 600_000 : id % 300)}`,
  }));
  const { bytes } = storedParts([part([rowBatch(orders, 'insert', { after: rows })])], { firstScn: 1000 });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { parts } = readBatch(bytes, view, 0, new ShapeRegistry({ json: 'text' }), { previousPosition: 'p' });
  const encoder = new RelayJsonLines(8);
  for (let round = 0; round < 2; round++) {
    const lines: { scn: number; partition: number; after: unknown }[] = [];
    for (const each of parts) encoder.encode(each, (line) => lines.push(JSON.parse(line) as (typeof lines)[number]));
    expect(lines.map(({ scn }) => scn)).toEqual(rows.map((_, index) => 1000 + index));
    expect(lines.map(({ after }) => after)).toEqual(rows);
    expect(lines.every(({ partition }) => partition >= 0 && partition < 8)).toBe(true);
  }
});
