// Keeps each row as a JSON document in a file of its own: <folder>/<table>/<key>.json

import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sink, SinkRow, SinkTarget } from 'tidings';

const json = (value: unknown): string =>
  JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? String(member) : member));

// oxlint-disable-next-line import/no-default-export -- what the relay calls
export default ({ folder }: { readonly folder: string }): Sink => {
  const directoryOf = ({ table }: SinkTarget): string => join(folder, table.name);
  const fileOf = (target: SinkTarget, key: SinkRow['key']): string =>
    join(
      directoryOf(target),
      `${encodeURIComponent(
        Object.values(key ?? {})
          .map(json)
          .join(),
      )}.json`,
    );
  async function put({ target, key, after }: SinkRow): Promise<void> {
    const file = fileOf(target, key);
    const next = await open(`${file}.new`, 'w');
    await next.writeFile(json(after));
    // Durable before `write` resolves: only then may the relay forget the change.
    await next.sync();
    await next.close();
    await rename(`${file}.new`, file);
  }
  return {
    // After a crash rows come again. Written again, they leave the files as they were.
    promise: 'at-least-once',
    open: async () => {},
    prepare: async (target) => {
      await mkdir(directoryOf(target), { recursive: true });
      return { serial: false };
    },
    write: async ({ rows }) => {
      for (const row of rows) {
        const { target, kind, key, before } = row;
        if (kind !== 'delete') await put(row);
        // An update may have moved the key.
        const old = Object.fromEntries(Object.keys(key ?? {}).map((name) => [name, before?.[name] ?? null]));
        const isGone = kind === 'delete' || (before !== null && fileOf(target, old) !== fileOf(target, key));
        if (isGone) await rm(fileOf(target, old), { force: true });
      }
    },
    truncate: async (target) => {
      await rm(directoryOf(target), { recursive: true, force: true });
      await mkdir(directoryOf(target), { recursive: true });
    },
    close: async () => {},
  };
};
