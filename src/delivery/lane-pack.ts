import type { RowPack, SinkCheckpoint } from '../core/sink.ts';

/** Rows for one lane, packed, and what the lane has to know of them. */
export interface LanePack {
  readonly pack: RowPack;
  readonly rows: number;
  /** What they take up, roughly. */
  readonly bytes: number;
  /** The highest SCN of each partition among them. */
  readonly checkpoints: readonly SinkCheckpoint[];
  readonly lastScn: number;
  /** Commit times of the first and the last of them, µs. */
  readonly firstUs: number;
  readonly lastUs: number;
}

/** The highest SCN of each partition in packs that follow one another. */
export function checkpointsOf(packs: readonly LanePack[]): readonly SinkCheckpoint[] {
  if (packs.length === 1) return (packs[0] as LanePack).checkpoints;
  const all = packs.flatMap(({ checkpoints }) => checkpoints);
  return [...new Map(all.map((checkpoint) => [checkpoint.partition, checkpoint])).values()];
}
