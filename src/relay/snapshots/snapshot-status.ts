import { isOver, type Snapshot } from '../../core/snapshots/snapshot-state.ts';
import type { LoadPause } from '../../core/snapshots/source-load.ts';
import type { SnapshotStatus } from '../relay-api.ts';
import type { SnapshotRate } from './snapshot-rate.ts';

/** What is told of a snapshot. @param running how it comes forward; null while it is not carried out */
export function statusOf(
  snapshot: Snapshot,
  running: { readonly rate: SnapshotRate; readonly pause: LoadPause | null } | null,
): SnapshotStatus {
  const { id, state, spec, createdMs, endedMs, error: failure, parts } = snapshot;
  const rows = (parts ?? []).reduce((sum, part) => sum + part.rows, 0);
  const left = (parts ?? []).reduce(
    (sum, part) =>
      sum + (part.state === 'waiting' || part.state === 'reading' ? Math.max(part.estimate - part.rows, 0) : 0),
    0,
  );
  const perSecond = running?.rate.perSecond(rows) ?? null;
  return {
    id,
    state,
    spec,
    createdMs,
    endedMs,
    error: failure,
    rows,
    estimate: parts === null ? null : rows + left,
    percent: isOver(snapshot) ? (state === 'done' ? 100 : null) : percentOf(parts === null ? null : { rows, left }),
    rowsPerSecond: perSecond,
    secondsLeft: perSecond === null || perSecond === 0 || parts === null ? null : left / perSecond,
    waitsFor: state === 'running' ? (running === null ? 'source' : (running.pause?.for ?? null)) : null,
    waitsBecause: state === 'running' ? (running?.pause?.because ?? null) : null,
    tables: (parts ?? []).map(({ database, table, state: of, rows: read, estimate, error }) => ({
      database,
      table,
      state: of,
      rows: read,
      estimate,
      error,
    })),
  };
}

/** Estimates may be wrong: while there is a chunk to come, it is not 100. */
function percentOf(sum: { readonly rows: number; readonly left: number } | null): number | null {
  if (sum === null) return null;
  const { rows, left } = sum;
  return rows + left === 0 ? 0 : Math.min(99.9, Math.round((rows / (rows + left)) * 1000) / 10);
}
