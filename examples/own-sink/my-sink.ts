// Keeps each row as a JSON document in a file of its own: <folder>/<database>.<table>/<key>.json
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Row, Sink, SinkTarget } from 'tidings';

const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

/** Resolves when a file's text, or the names in a directory, are durable: only then may the relay forget the change. */
async function durable(path: string, text?: string): Promise<void> {
  await using file = await open(path, text === undefined ? 'r' : 'w');
  if (text !== undefined) await file.writeFile(text);
  await file.sync();
}

export default ({ folder }: { readonly folder: string }): Sink => {
  const directoryOf = ({ table }: SinkTarget): string => join(folder, `${table.database}.${table.name}`);
  const fileOf = (target: SinkTarget, row: Row): string => {
    const key = target.table.key.map((at) => JSON.stringify(row[target.table.columns[at]?.name ?? ''], plain));
    return join(directoryOf(target), `${key.map(encodeURIComponent).join()}.json`);
  };
  return {
    promise: 'at-least-once', // After a crash rows come again, and leave the files as they were.
    open: async () => {},
    prepare: async (target) => {
      const { key, name } = target.table;
      if (key.length === 0 || target.patched) throw new Error(`${name}: takes tables with a key, and whole documents`);
      await mkdir(directoryOf(target), { recursive: true });
      return { serial: false };
    },
    write: async ({ rows }) => {
      for (const { target, before, after } of rows) {
        const isWhole = after === null || target.table.columns.every(({ name }) => Object.hasOwn(after, name));
        if (!isWhole) throw new Error(`${target.table.name}: only some columns were logged (binlog_row_image)`);
        const [old, file] = [before, after].map((row) => row && fileOf(target, row));
        if (file) {
          await durable(`${file}.new`, JSON.stringify(after, plain));
          await rename(`${file}.new`, file);
        }
        // Of a row that was deleted, or that an update has moved to another key.
        if (old && old !== file) await rm(old, { force: true });
      }
      for (const directory of new Set(rows.map(({ target }) => directoryOf(target)))) await durable(directory);
    },
    truncate: async (target) => {
      await rm(directoryOf(target), { recursive: true, force: true });
      await mkdir(directoryOf(target), { recursive: true });
    },
    close: async () => {},
  };
};
