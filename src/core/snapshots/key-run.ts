import { TidingsError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import type { Key } from '../plain-rows.ts';
import { keyText } from '../snapshot.ts';
import { KEYS_AT_ONCE, readAgain } from './read-again.ts';
import { keyChanged, readInWindow, type TableReadOptions } from './window-read.ts';

export interface KeyRunOptions extends Omit<TableReadOptions, 'where'> {
  /** Of the rows to read. */
  readonly keys: readonly Key[];
  /** So many rows up to this place of the list are in the stream, and so many keys are left: resolves when that is durable and noted. */
  readonly merged: (place: string, rows: number, keysLeft: number) => Promise<void>;
}

/** Where in the list reading is. */
interface KeyPlace {
  /** Names of the columns that the keys are taken for: others would make other rows of them. */
  readonly key: readonly string[];
  /** The keys that are being read: from this one up to, not including, that one. */
  readonly from: number;
  readonly to: number;
  /** Where among their rows the next chunk begins: what `SnapshotChunk.next` was. */
  readonly after: string | null;
}

/** Of the keys of one read: a statement has its limits. */
const KEY_CHARS_AT_ONCE = 256 * 1024;

/**
 * Reads rows of one table into the stream by a list of their keys. What the stream changes meanwhile wins, as for any chunk; a key that has no row
 * brings nothing.
 *
 * A few keys' rows count when they are durable in the stream: after a crash they may come again, and none is missing (I4).
 */
export class KeyRun {
  readonly #options: TableReadOptions & KeyRunOptions;

  constructor(options: KeyRunOptions) {
    this.#options = { ...options, where: null };
  }

  /**
   * @param after the place that was noted last; null: none was
   * @throws TidingsError SNAPSHOT_KEYS_INVALID, SNAPSHOT_CURSOR_INVALID when the table has another key than the list is of; what reading throws
   */
  async run(after: string | null): Promise<void> {
    const { database, table, key, keys, reader, merged, signal } = this.#options;
    const noted = after === null ? null : parsePlace(after, this.#options);
    if (noted !== null && noted.key.join('\0') !== key.join('\0')) throw keyChanged(this.#options);
    // Before the first row: a list that is wrong in one of its keys brings nothing.
    await reader.checkKeys({ database, table, keys, signal });
    let place = noted ?? this.#following(0);
    if (noted === null) await merged(JSON.stringify(place), 0, keys.length);
    while (place.from < keys.length) {
      // oxlint-disable-next-line no-await-in-loop -- chunks follow one another
      const read = await this.#read(place);
      // Read once more under the table's present definition.
      if (read === null) continue;
      place = read.next === null ? this.#following(place.to) : { ...place, after: read.next };
      failpoint('snapshot-merged');
      // oxlint-disable-next-line no-await-in-loop -- never noted before it is durable
      await merged(JSON.stringify(place), read.rows, keys.length - place.from);
    }
  }

  /** @returns null: nothing went into the stream */
  async #read({ from, to, after }: KeyPlace): Promise<{ readonly rows: number; readonly next: string | null } | null> {
    const { merger, reader, audience } = this.#options;
    const keys = this.#options.keys.slice(from, to);
    const { window, chunk } = await readInWindow(this.#options, {
      after: () => after,
      // One more than there can be, so that it need not be asked whether there are others behind them.
      rows: () => keys.length + 1,
      keys,
    });
    failpoint('snapshot-merge');
    const { next } = chunk;
    const present = new Set(chunk.keys().map((each) => keyText(each)));
    const { merged, rows, incomplete } = await merger.merge(window, chunk, { reader, audience });
    if (!merged) return null;
    // Rows of the chunk that were changed, and rows that may have come to one of the keys.
    const again = incomplete.filter(({ text, origin }) => present.has(text) || origin !== text);
    await readAgain(this.#options, again, { among: keys });
    return { rows, next };
  }

  #following(from: number): KeyPlace {
    const { key, keys, load } = this.#options;
    const countMax = Math.min(KEYS_AT_ONCE, load.rowsMax);
    let to = from;
    for (let chars = 0; to < keys.length && to - from < countMax; to++) {
      chars += keyText(keys[to] ?? null).length;
      if (chars > KEY_CHARS_AT_ONCE && to > from) break;
    }
    return { key, from, to, after: null };
  }
}

/** It comes from somebody's storage. @throws TidingsError SNAPSHOT_CURSOR_INVALID */
function parsePlace(text: string, { database, table, keys }: KeyRunOptions): KeyPlace {
  try {
    const place = JSON.parse(text) as KeyPlace;
    const { key, from, to, after } = place;
    const isRange =
      Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 0 && from <= to && to <= keys.length;
    if (Array.isArray(key) && isRange && (after === null || typeof after === 'string')) return place;
  } catch {
    // What is no JSON is no place either.
  }
  const name = `${database}.${table}`;
  throw new TidingsError('SNAPSHOT_CURSOR_INVALID', `the snapshot of ${name} cannot go on: its place is damaged`, {
    details: { table: name },
  });
}
