import type { StreamChange } from '../../core/consumer.ts';
import { isTidingsError, type TidingsError } from '../../core/errors.ts';
import type { MappedRow } from '../../core/mapper.ts';
import type { SinkTarget } from '../../core/sink.ts';
import { sinkRowJson } from '../../formats/sink-row-json.ts';
import type { LeftOut, TracingMapper } from '../../mapping/trace.ts';
import type { PreviewedEntry } from './recent-changes.ts';

type Truncation = Exclude<PreviewedEntry, StreamChange>;

/** What a mapping makes of a change or a truncation. */
export type Previewed =
  | {
      readonly kind: 'mapped';
      readonly change: StreamChange;
      readonly rows: readonly MappedRow[];
      readonly leftOut: readonly LeftOut[];
    }
  | { readonly kind: 'failed'; readonly change: StreamChange; readonly error: TidingsError }
  | { readonly kind: 'emptied'; readonly truncation: Truncation; readonly targets: readonly SinkTarget[] }
  | { readonly kind: 'unemptied'; readonly truncation: Truncation; readonly error: TidingsError };

/** What cannot be mapped says so itself, and the next one is looked at all the same. */
export async function previewEntry(entry: PreviewedEntry, mapper: TracingMapper): Promise<Previewed> {
  try {
    if ('kind' in entry) {
      const traced = await mapper.trace(entry);
      // A hook may have made what is not of its column's type: no sink takes that.
      for (const row of traced.rows) sinkRowJson(row);
      return { kind: 'mapped', change: entry, ...traced };
    }
    return { kind: 'emptied', truncation: entry, targets: mapper.targetsOf(entry.database, entry.table) };
  } catch (error) {
    if (!isTidingsError(error)) throw error;
    return 'kind' in entry ? { kind: 'failed', change: entry, error } : { kind: 'unemptied', truncation: entry, error };
  }
}

/** Why a rule or a hook made nothing of a change. */
export function leftOutText({ rule, hook, reason }: LeftOut): string {
  switch (reason) {
    case 'where':
      return `left out by rule ${rule}: it does not fulfil \`where\``;
    case 'delete':
      return `left out by rule ${rule}: \`delete: ignore\``;
    case 'hook':
      return `left out by the hook "${hook}"`;
  }
}
