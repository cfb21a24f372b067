import type { Segment } from './segment.ts';

export interface RetainOptions {
  /** Segments whose latest commit is older go. */
  readonly maxAgeMs: number;
  /** The oldest segments go while the log has more bytes. */
  readonly maxBytes: number;
  /** Up to how many bytes that would go are kept for groups that have not read them. */
  readonly groupBytes: number;
  /** The SCN up to which all groups are done; null when there are none. */
  readonly lowestCheckpoint: number | null;
}

export interface RetentionState {
  readonly nowMs: number;
  /** Place in the log up to which readers see it: the segment with it, and those behind it, stay. */
  readonly visibleEnd: number;
}

/** How many segments, from the oldest on, are to be removed. */
export function segmentsToDrop(
  segments: readonly Segment[],
  { maxAgeMs, maxBytes, groupBytes, lowestCheckpoint }: RetainOptions,
  { nowMs, visibleEnd }: RetentionState,
): number {
  const newest = segments.at(-1);
  if (newest === undefined) return 0;
  const oldestUs = (nowMs - maxAgeMs) * 1000;
  let count = 0;
  for (const segment of segments) {
    // The position of the source and the next SCN are found at the end of what is visible.
    if (segment === newest || segment.end >= visibleEnd) break;
    const isOld = segment.maxCommitUs < oldestUs;
    if (!isOld && newest.end - segment.base <= maxBytes) break;
    count++;
  }
  if (lowestCheckpoint === null) return count;
  // Groups hold the newest of those that would go.
  let held = 0;
  for (let i = count - 1; i >= 0; i--) {
    const segment = segments[i] as Segment;
    if (segment.nextScn - 1 <= lowestCheckpoint) break;
    held += segment.size;
    if (held > groupBytes) break;
    count = i;
  }
  return count;
}
