import type { Clock } from '../../base/clock.ts';
import { isTidingsError } from '../../core/errors.ts';
import { BATCH_MAGIC, HEADER, HEADER_BYTES } from '../../formats/log/batch-layout.ts';
import type { ChangeLog } from '../log/change-log.ts';
import type { GroupStatus, RelayStream } from '../relay-api.ts';

/** What a group still has before it, from its lowest checkpoint to the end of the log. */
export interface Lag {
  /** At most: the distance of the SCNs, of all tables. */
  readonly changes: number;
  /** Bytes of the log. */
  readonly bytes: number;
  /** How long ago the oldest of these changes was committed. */
  readonly seconds: number;
}

const NONE: Lag = { changes: 0, bytes: 0, seconds: 0 };

interface Known {
  readonly checkpoint: number;
  readonly offset: number;
  /** Commit time of the first change behind the checkpoint, µs. */
  readonly commitUs: number;
}

export function lowestCheckpoint({ partitions }: GroupStatus): number | null {
  return partitions.reduce<number | null>((low, { checkpoint }) => Math.min(low ?? checkpoint, checkpoint), null);
}

/**
 * Computes lags. What lies behind a checkpoint costs one look into the log, and is remembered until the checkpoint moves.
 */
export class LagMeter {
  readonly #clock: Clock;
  readonly #known: WeakMap<RelayStream, Map<string, Known>> = new WeakMap();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async of(stream: RelayStream, group: GroupStatus): Promise<Lag> {
    const checkpoint = lowestCheckpoint(group);
    const { log } = stream;
    if (checkpoint === null || checkpoint >= log.visible.last) return NONE;
    const groups = this.#groupsOf(stream);
    let known = groups.get(group.group);
    if (known?.checkpoint !== checkpoint) {
      known = await lookBehind(log, checkpoint);
      groups.set(group.group, known);
    }
    const { last, endOffset } = log.visible;
    return {
      changes: last - checkpoint,
      bytes: Math.max(0, endOffset - known.offset),
      seconds: known.commitUs === 0 ? 0 : Math.round(Math.max(0, this.#clock.nowMs() - known.commitUs / 1000)) / 1000,
    };
  }

  #groupsOf(stream: RelayStream): Map<string, Known> {
    let groups = this.#known.get(stream);
    if (groups === undefined) {
      groups = new Map();
      this.#known.set(stream, groups);
    }
    // A group that was removed leaves its entry; there are never many more than groups.
    if (groups.size > 2 * stream.groups.list().length + 100) groups.clear();
    return groups;
  }
}

async function lookBehind(log: ChangeLog, checkpoint: number): Promise<Known> {
  try {
    const reader = log.openReader(checkpoint);
    try {
      const { offset } = reader;
      const chunk = await reader.read();
      if (chunk === null) return { checkpoint, offset, commitUs: 0 };
      const { bytes, start, end } = chunk;
      const isBatch = end - start >= HEADER_BYTES && bytes.readUInt32LE(start + HEADER.magic) === BATCH_MAGIC;
      const commitUs = isBatch ? Number(bytes.readBigInt64LE(start + HEADER.firstCommitUs)) : 0;
      chunk.release();
      return { checkpoint, offset, commitUs };
    } finally {
      reader.close();
    }
  } catch (error) {
    if (!isTidingsError(error)) throw error;
    // Behind a checkpoint that was overtaken by retention lies all that is left. Damage shows where it is read, not here.
    const { endOffset, bytes, firstCommitUs } = log.visible;
    return { checkpoint, offset: endOffset - bytes, commitUs: firstCommitUs };
  }
}
