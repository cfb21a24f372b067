import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import make from '../../examples/own-sink/my-sink.ts';
import type { Row } from '../../src/core/change.ts';
import { batchOf, RowsOf } from '../support/sinks/sink-rows.ts';
import { sinkConformance } from '../../src/testing/sink-conformance.ts';
import { tableOf } from '../../src/testing/tables.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidings-example-sink-'));
afterAll(() => rmSync(folder, { recursive: true }));
let number = 0;

describe('the sink of examples/own-sink keeps the contract of sinks', () => {
  const checks = sinkConformance({
    create: () => make({ folder }),
    freshName: () => `shop.t${++number}`,
    rows: async ({ table }) => {
      const directory = join(folder, `${table.database}.${table.name}`);
      const names = await readdir(directory);
      const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
      const nothing = Object.fromEntries(table.columns.map(({ name }) => [name, null]));
      return texts.map((text): Row => ({ ...nothing, ...(JSON.parse(text) as Row) }));
    },
    takesPartialRows: false,
    takesTransactions: false,
  });
  test.each(checks)('$name', async ({ run }) => {
    await run();
  });

  test.each([
    { what: 'a table without a key, of which no file could tell two rows apart', key: [], after: { id: 1, note: 'a' } },
    { what: 'a row of which only some columns came', key: ['id'], after: { id: 1 } },
  ])('it stops at $what', async ({ key, after }) => {
    const sink = make({ folder });
    const rows = new RowsOf(tableOf(`shop.t${++number}`, { id: 'int', note: 'text' }, key));
    const written = Promise.resolve(sink.prepare(rows.target)).then(() => sink.write(batchOf([rows.insert(after)])));
    await expect(written).rejects.toThrow(`t${number}`);
  });
});
