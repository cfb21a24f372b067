import type { Key } from '../plain-rows.ts';
import type { IncompleteRow } from './merge-window.ts';
import { readInWindow, type TableReadOptions } from './window-read.ts';

/** Keys of one read. */
export const KEYS_AT_ONCE: number = 1000;

/**
 * Brings rows in full of which the stream has brought some columns only. Each is read until nobody changes it meanwhile, and no others are: on a
 * table that is changed all the time there would be no end to them.
 *
 * @param among only rows that have one of these keys, too
 */
export async function readAgain(
  options: TableReadOptions,
  rows: readonly IncompleteRow[],
  { among }: { readonly among?: readonly Key[] } = {},
): Promise<void> {
  const { merger, reader, audience } = options;
  const left = [...rows];
  while (left.length > 0) {
    const some = left.splice(0, KEYS_AT_ONCE);
    const wanted = new Set(some.map(({ text }) => text));
    // Their rows may be too large for one chunk.
    for (let after: string | null = null; ;) {
      const place: string | null = after;
      // oxlint-disable-next-line no-await-in-loop -- chunks follow one another
      const { window, chunk } = await readInWindow(options, {
        after: () => place,
        // One more than there can be, so that it need not be asked whether there are others behind them.
        rows: () => some.length + 1,
        keys: some.map(({ key }) => key),
        ...(among === undefined ? {} : { among }),
      });
      const { next } = chunk;
      // oxlint-disable-next-line no-await-in-loop -- what is left is known only then
      const { merged, incomplete } = await merger.merge(window, chunk, { reader, audience });
      if (!merged) continue;
      left.push(
        ...incomplete.filter(({ text, origin }) => wanted.has(text) || (origin !== null && wanted.has(origin))),
      );
      if (next === null) break;
      after = next;
    }
  }
}
