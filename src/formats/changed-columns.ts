import type { Row } from '../core/change.ts';
import { isSameValue } from '../core/same-value.ts';

/** Former values of the columns that both images have and that differ; null when there are none. */
export function changedColumns(old: Row, now: Row): Row | null {
  const changed = Object.entries(old).filter(
    ([name, value]) => Object.hasOwn(now, name) && !isSameValue(value, now[name]),
  );
  return changed.length === 0 ? null : Object.fromEntries(changed);
}
