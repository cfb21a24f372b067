import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type ReadRow, readRows } from '../../../test/support/sinks/read-files.ts';
import type { Row } from '../../core/change.ts';
import { keyNames } from '../../core/plain-rows.ts';
import type { SinkTarget } from '../../core/sink.ts';
import { sinkConformance, type SinkHarness } from '../../testing/sink-conformance.ts';
import { FileSink } from './file-sink.ts';
import type { ManifestFile } from './manifest.ts';

const root = mkdtempSync(join(tmpdir(), 'tidings-files-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe.each(['ndjson', 'avro', 'parquet'] as const)(
  'the file sink with %s keeps the contract of a sink',
  (format) => {
    const path = join(root, format);
    let tables = 0;
    const harness: SinkHarness = {
      create: () => new FileSink({ path, format, rotate: { afterMs: 100 } }),
      freshName: () => `shop.t${++tables}`,
      // Files hold what happened, in order: what the rows are then, a reader finds as the page of the sink says.
      rows: async (target) => foldedRows(target, await rowsOfFiles(path, target)),
      packs: format !== 'parquet',
      // A line of JSON has room for every text.
      ...(format === 'ndjson' ? {} : { unfitNote: `${'much too long a note '.repeat(5)}\uD800` }),
      // No answer can go astray between a process and its disk: kills are what test/fault/sink-file-kill.test.ts is about. What files have for the values of
      // each type is in file-sink.test.ts: the sink itself does not read.
    };
    for (const check of sinkConformance(harness)) {
      test(`${format}: ${check.name}`, { timeout: 20_000 }, () => check.run());
    }
  },
);

/** What the target's files hold, when all that counts is in files that are complete. */
async function rowsOfFiles(path: string, { table }: SinkTarget): Promise<readonly ReadRow[]> {
  const own = (): readonly ManifestFile[] =>
    filesIn(path).filter((file) => file.table === `${table.database}.${table.name}` && file.rows > 0);
  await expect.poll(() => own().filter(({ complete }) => !complete), { interval: 10, timeout: 10_000 }).toEqual([]);
  // The manifest says that a file has its name, or gets it now.
  const files = own();
  await expect.poll(() => files.map((file) => lies(join(path, file.path))), { interval: 5 }).not.toContain(false);
  return (await Promise.all(files.map((file) => readRows(join(path, file.path))))).flat();
}

function lies(path: string): boolean {
  return readdirSync(join(path, '..'), { withFileTypes: true }).some(({ name }) => path.endsWith(`/${name}`));
}

/** What the manifests of all sinks say of their files: the last line about each counts. */
function filesIn(path: string): readonly ManifestFile[] {
  const files = new Map<string, ManifestFile>();
  for (const sink of readdirSync(join(path, '_tidings'))) {
    const lines = readFileSync(join(path, '_tidings', sink, 'manifest.log'), 'utf8').split('\n');
    for (const line of lines.slice(0, -1)) {
      const record = JSON.parse(line.slice(9)) as { readonly files?: readonly ManifestFile[] };
      for (const file of record.files ?? []) files.set(file.id, file);
    }
  }
  return [...files.values()];
}

/** The rows that there are after everything that the files say has happened, in the order of its SCNs. */
function foldedRows({ table }: SinkTarget, rows: readonly ReadRow[]): readonly Row[] {
  const there = new Map<string, Row>();
  const names = keyNames(table);
  for (const row of rows.toSorted((a, b) => Number(a['_scn']) - Number(b['_scn']))) {
    const key = JSON.stringify(names.map((name) => String(row[name])));
    const absent = new Set(JSON.parse(String(row['_absent'] ?? '[]')) as string[]);
    switch (row['_op']) {
      case 'truncate':
        there.clear();
        break;
      case 'delete':
        there.delete(key);
        break;
      default: {
        const known = Object.entries(row).filter(([name]) => !name.startsWith('_') && !absent.has(name));
        there.set(key, { ...there.get(key), ...(Object.fromEntries(known) as Row) });
      }
    }
  }
  return [...there.values()];
}
