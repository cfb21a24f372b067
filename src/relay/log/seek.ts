import {
  batchCount,
  batchFirstScn,
  batchFlags,
  batchLength,
  batchMaxCommitUs,
  batchPosition,
} from '../../formats/log/batch-header.ts';
import { FLAG } from '../../formats/log/batch-layout.ts';
import { isTidingsError } from '../../core/errors.ts';
import { readBatch, readHead } from './batch-read.ts';
import { walkBody } from './body-walk.ts';
import { scnPurged, segmentUnreadable } from './damage.ts';
import type { FileRange } from './disk.ts';
import type { IndexKeeper } from './index-keeper.ts';
import type { Segment, SegmentList } from './segment.ts';
import type { SegmentFiles } from './segment-files.ts';
import { batchBody } from './segment-scan.ts';
import type { SegmentIndex } from './segment-index.ts';

/** What of a log is looked through: what was visible when the search began. */
export interface SearchableLog {
  readonly name: string;
  readonly segments: SegmentList;
  readonly files: SegmentFiles;
  readonly indexes: IndexKeeper;
  /** Place in the log. */
  readonly visibleEnd: number;
  readonly lastScn: number;
}

/** What a search needs of a batch's header. */
interface Head {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
  readonly isOpen: boolean;
  readonly firstScn: number;
  readonly nextScn: number;
  readonly maxCommitUs: number;
  readonly position: string;
}

/** Looks for places in a log that are not given by SCN. Sparse indexes first, then the headers of some batches. */
export class LogSearch {
  readonly #log: SearchableLog;
  /** Those with something visible, oldest first. */
  readonly #segments: readonly Segment[];

  constructor(log: SearchableLog) {
    this.#log = log;
    this.#segments = log.segments.all.filter(({ base, size }) => base < log.visibleEnd && size > 0);
  }

  /** See `ChangeLog.seekTime`. */
  async time(committedUs: number): Promise<number> {
    // All before the first segment that reaches the time was committed before it, whatever the clocks did.
    const segment = this.#segments.find(({ maxCommitUs }) => maxCommitUs >= committedUs);
    if (segment === undefined) return this.#log.lastScn;
    const index = await this.#log.indexes.indexOf(segment);
    let offset = index?.offsetOfTime(committedUs) ?? 0;
    while (this.#isVisible(segment, offset)) {
      // oxlint-disable-next-line no-await-in-loop -- up to 64 KiB of batches, in order
      const head = await this.#head(segment, offset);
      // oxlint-disable-next-line no-await-in-loop -- the first one that fits ends the search
      if (head.maxCommitUs >= committedUs) return head.firstScn - 1 + (await this.#firstFrom(head, committedUs));
      offset += head.length;
    }
    return this.#log.lastScn;
  }

  /**
   * See `ChangeLog.seekPosition`. Null when even the first batch ends behind the position.
   *
   * A log may begin with positions of another kind, as those of a server's files before its first GTID: what cannot be compared is taken for
   * true as long as something behind it is, and for false otherwise, which only repeats (I4).
   */
  async position(covers: (position: string) => boolean): Promise<number | null> {
    const isUpTo = (head: Head): boolean => isCovered(covers, head.position) !== false;
    const last = await this.#lastThat(isUpTo);
    if (last === null) return null;
    if (isCovered(covers, last.position) === null) {
      if (this.#isEnd(last)) covers(last.position);
      return null;
    }
    if (!last.isOpen) return last.nextScn - 1;
    // Batches of an open transaction carry the position before it. What they hold comes behind it: back to its first batch.
    const { position } = last;
    const before = await this.#lastThat((head) => isUpTo(head) && head.position !== position);
    const first = await this.#behind(before);
    return first.isOpen ? first.firstScn - 1 : first.nextScn - 1;
  }

  /** The last batch of which it is true. It is true of all up to some place and of none behind it. Null when it is true of none. */
  async #lastThat(isTrue: (head: Head) => boolean): Promise<Head | null> {
    const segments = this.#segments;
    const at = await lastIndex(segments.length, async (i) => isTrue(await this.#head(segments[i] as Segment, 0)));
    const segment = segments[at];
    if (segment === undefined) return null;
    const index = await this.#log.indexes.indexOf(segment);
    const entry = index === null ? -1 : await this.#lastEntry(segment, index, isTrue);
    let offset = entry < 0 || index === null ? 0 : index.offsetAt(entry);
    let found: Head | null = null;
    while (this.#isVisible(segment, offset)) {
      // oxlint-disable-next-line no-await-in-loop -- up to 64 KiB of batches, in order
      const head = await this.#head(segment, offset);
      if (!isTrue(head)) break;
      found = head;
      offset += head.length;
    }
    return found;
  }

  #lastEntry(segment: Segment, index: SegmentIndex, isTrue: (head: Head) => boolean): Promise<number> {
    return lastIndex(index.length, async (i) => {
      const offset = index.offsetAt(i);
      return this.#isVisible(segment, offset) && isTrue(await this.#head(segment, offset));
    });
  }

  /** Whether nothing comes behind it. */
  #isEnd({ segment, offset, length }: Head): boolean {
    return segment.base + offset + length >= this.#log.visibleEnd;
  }

  /** The batch behind it; null: the first one. */
  async #behind(head: Head | null): Promise<Head> {
    if (head === null) return this.#head(this.#segments[0] as Segment, 0);
    const offset = head.offset + head.length;
    if (offset < head.segment.size) return this.#head(head.segment, offset);
    return this.#head(this.#segments[this.#segments.indexOf(head.segment) + 1] as Segment, 0);
  }

  /** How many SCNs of the batch come before the first transaction that was committed at or after the time. */
  async #firstFrom({ segment, offset }: Head, committedUs: number): Promise<number> {
    const { bytes, view } = await readBatch(this.#read, segment, offset);
    let found: number | null = null;
    walkBody(batchBody(bytes, view, 0), {
      transaction(transactionUs, scnOffset) {
        if (found === null && transactionUs >= committedUs) found = scnOffset;
      },
    });
    return found ?? 0;
  }

  #isVisible(segment: Segment, offset: number): boolean {
    return offset < segment.size && segment.base + offset < this.#log.visibleEnd;
  }

  readonly #read = async (segment: Segment, range: FileRange, offset: number): Promise<number> => {
    const { files, segments, name } = this.#log;
    try {
      return await files.read(segment, range, offset);
    } catch (error) {
      if (segments.includes(segment)) throw segmentUnreadable(segment, offset, error);
      // Retention has removed it meanwhile.
      const after = segments.first.firstScn - 1;
      throw scnPurged({ name, scn: segment.nextScn - 1, after });
    }
  };

  async #head(segment: Segment, offset: number): Promise<Head> {
    const { bytes, view } = await readHead(this.#read, segment, offset);
    const firstScn = batchFirstScn(view, 0);
    return {
      segment,
      offset,
      length: batchLength(view, 0),
      isOpen: (batchFlags(view, 0) & FLAG.open) !== 0,
      firstScn,
      nextScn: firstScn + batchCount(view, 0),
      maxCommitUs: batchMaxCommitUs(view, 0),
      position: batchPosition(bytes, view, 0),
    };
  }
}

/** Null when the two positions cannot be compared. */
function isCovered(covers: (position: string) => boolean, position: string): boolean | null {
  try {
    return covers(position);
  } catch (error) {
    if (isTidingsError(error) && error.code === 'POSITION_INVALID') return null;
    throw error;
  }
}

/** The last of the indexes 0 to `count - 1` of which it is true, when it is true of all up to some and of none behind; -1: of none. */
async function lastIndex(count: number, isTrue: (i: number) => Promise<boolean>): Promise<number> {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    // oxlint-disable-next-line no-await-in-loop -- each step needs the one before
    if (await isTrue(middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
