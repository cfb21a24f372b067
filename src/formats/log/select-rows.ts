import { MOVED_ROW_HEADER_BYTES, ROW_HEADER_BYTES } from '../../core/rows/row-target.ts';
import { damagedBatch } from './batch-header.ts';
import type { FilterLane, PartitionSet } from './filter-lane.ts';
import type { FilteredBatch, StoredRun } from './filtered-batch.ts';
import type { ShapePlan } from './shape-plan.ts';
import type { StoredBatch } from './stored-batch.ts';

/** Row by row: writes the stretches of a run that the lane's reader gets. */
export function selectRows(
  stored: StoredBatch,
  written: FilteredBatch,
  { run, plan, lane }: { readonly run: StoredRun; readonly plan: ShapePlan; readonly lane: FilterLane },
): void {
  const { body, bodyView, firstScn } = stored;
  const { partitions, afterOf } = lane;
  const { count, rowsTo } = run;
  const { matches, output } = plan;
  const runScn = firstScn + run.scnOffset;
  /** Rows before this one are behind the reader. */
  const wantedFrom = lane.after - runScn + 1;
  const members = partitions === null ? null : partitions.members;
  // Unsigned, and known to be: otherwise the remainder would be that of doubles.
  const partitionCount = partitions === null ? 1 : partitions.count >>> 0;
  let p = run.rowsFrom;
  let stretchFrom = -1;
  let first = 0;
  for (let i = 0; i < count; i++) {
    if (rowsTo - p < ROW_HEADER_BYTES) throw brokenRow(stored, p);
    const length = bodyView.getInt32(p, true);
    let keep = i >= wantedFrom;
    let next: number;
    if (length >= 0) {
      next = p + ROW_HEADER_BYTES + length;
      if (next > rowsTo) throw brokenRow(stored, p);
      if (members !== null) {
        const partition = bodyView.getUint32(p + 4, true) % partitionCount;
        keep &&= members[partition] === 1 && (afterOf === null || runScn + i > (afterOf[partition] as number));
      }
      if (keep && matches !== null) keep = matches(body, bodyView, p + ROW_HEADER_BYTES, next);
    } else {
      next = p + MOVED_ROW_HEADER_BYTES + (length & 0x7fff_ffff);
      if (next > rowsTo) throw brokenRow(stored, p);
      if (keep && matches !== null) keep = matches(body, bodyView, p + MOVED_ROW_HEADER_BYTES, next);
      if (partitions !== null) {
        if (stretchFrom >= 0) written.rows(run, output, { from: stretchFrom, to: p, first, count: i - first });
        stretchFrom = -1;
        if (keep) writeHalves(stored, written, { run, plan, partitions, afterOf, from: p, to: next, first: i });
        keep = false;
      }
    }
    if (keep) {
      if (stretchFrom < 0) {
        stretchFrom = p;
        first = i;
      }
    } else if (stretchFrom >= 0) {
      written.rows(run, output, { from: stretchFrom, to: p, first, count: i - first });
      stretchFrom = -1;
    }
    p = next;
  }
  if (p !== rowsTo) throw brokenRow(stored, p);
  if (stretchFrom >= 0) written.rows(run, output, { from: stretchFrom, to: p, first, count: count - first });
}

interface MovedRow {
  readonly run: StoredRun;
  readonly plan: ShapePlan;
  readonly partitions: PartitionSet;
  readonly afterOf: Float64Array | null;
  readonly from: number;
  readonly to: number;
  /** Counted within the run. */
  readonly first: number;
}

/** An update that moved its key, as the delete of the old one and the insert of the new one, in this order. */
function writeHalves(
  stored: StoredBatch,
  written: FilteredBatch,
  { run, plan, partitions, afterOf, from, to, first }: MovedRow,
): void {
  const { bodyView, firstScn } = stored;
  const { movedFrom, movedTo } = plan;
  const images = from + MOVED_ROW_HEADER_BYTES;
  if (movedFrom === null || movedTo === null) throw brokenRow(stored, from);
  const scn = firstScn + run.scnOffset + first;
  const isFor = (hash: number): boolean => {
    const partition = hash % partitions.count;
    return partitions.members[partition] === 1 && (afterOf === null || scn > (afterOf[partition] as number));
  };
  const oldHash = bodyView.getUint32(from + 8, true);
  const newHash = bodyView.getUint32(from + 4, true);
  if (isFor(oldHash)) written.half(run, movedFrom, { from: images, to, hash: oldHash, first, kind: 'from' });
  if (isFor(newHash)) written.half(run, movedTo, { from: images, to, hash: newHash, first, kind: 'to' });
}

function brokenRow({ start, firstScn, bodyFrom }: StoredBatch, at: number): Error {
  return damagedBatch('a row does not fit into its run', { start, firstScn, bodyOffset: at - bodyFrom });
}
