import type { ConsumerBatch, StartAt, StreamChange, StreamEntry } from '../../core/consumer.ts';

/** A change, or a truncation: what a mapping makes something of. */
export type PreviewedEntry = StreamChange | Truncation;

type Truncation = Extract<StreamEntry, { readonly type: 'truncate' }>;

export interface StreamRange {
  /** SCNs of the first and the last change that are kept. */
  readonly first: number;
  readonly last: number;
  /** How many changes are looked at in the end, counted back from the last one. */
  readonly reach: number;
}

export interface RecentChangesOptions {
  /** Reads from a place to what is the end now. */
  readonly open: (from: StartAt) => AsyncIterable<ConsumerBatch>;
  readonly selects: (database: string, table: string) => boolean;
  readonly limit: number;
}

export interface RecentChanges {
  readonly entries: readonly PreviewedEntry[];
  /** How many of the stream's changes were looked through; null: all that are kept. */
  readonly among: number | null;
}

const FIRST_WINDOW = 1000;
const GROWTH = 8;

/**
 * The last changes that are selected. A stream is read forwards only: so the last thousand are read, and as long as too few of them are selected, eight times as
 * many. What is read more than once is an eighth of the last window.
 */
export async function lastChanges(
  { first, last, reach }: StreamRange,
  options: RecentChangesOptions,
): Promise<RecentChanges> {
  const { open, limit } = options;
  for (let window = Math.max(FIRST_WINDOW, limit); ; window *= GROWTH) {
    const size = Math.min(window, Math.max(reach, limit));
    const isAll = last - size < first;
    let entries: PreviewedEntry[] = [];
    // oxlint-disable-next-line no-await-in-loop -- one window after the other
    for await (const batch of open(isAll ? 'earliest' : last - size)) {
      entries = lastOf([...entries, ...selected(batch, options)], limit);
    }
    if (entries.length >= limit || isAll || size < window) return { entries, among: isAll ? null : size };
  }
}

/** The first changes behind a place that are selected. */
export async function changesFrom(from: StartAt, options: RecentChangesOptions): Promise<readonly PreviewedEntry[]> {
  const { open, limit } = options;
  const entries: PreviewedEntry[] = [];
  for await (const batch of open(from)) {
    entries.push(...selected(batch, options));
    // One more shows that the last change is whole.
    if (entries.length > limit) break;
  }
  const end = entries[limit - 1]?.scn === entries[limit]?.scn ? limit + 1 : limit;
  return entries.slice(0, end);
}

function selected({ entries }: ConsumerBatch, { selects }: RecentChangesOptions): PreviewedEntry[] {
  return entries.filter((entry): entry is PreviewedEntry => {
    if ('kind' in entry) return selects(entry.table.database, entry.table.name);
    return entry.type === 'truncate' && selects(entry.database, entry.table);
  });
}

/** One more where it would cut the halves of an update that moved its key. */
function lastOf(entries: readonly PreviewedEntry[], limit: number): PreviewedEntry[] {
  const from = Math.max(0, entries.length - limit);
  const isHalf = from > 0 && entries[from]?.scn === entries[from - 1]?.scn;
  return entries.slice(isHalf ? from - 1 : from);
}
