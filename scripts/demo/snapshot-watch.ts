import { DemoError } from './demo-error.ts';
import type { RelayProcess } from './relay-process.ts';
import { number, type Screen, seconds } from './screen.ts';
import { untilTrue, type Watch } from './waiting.ts';

const LOOK_MS = 50;

export interface SnapshotWatchOptions {
  readonly relay: RelayProcess;
  readonly group: string;
  readonly screen: Screen;
  readonly watch: Watch;
}

/** What is known of a snapshot that is over. */
export interface SnapshotEnd {
  /** An SCN at or behind its last row. */
  readonly scn: number;
  readonly tookMs: number;
}

/**
 * Resolves when the group's snapshot is over, and says so on the screen; the relay may be killed meanwhile.
 *
 * @throws DemoError when it has failed; the reason of the signal
 */
export async function snapshotEnd({ relay, group, screen, watch }: SnapshotWatchOptions): Promise<SnapshotEnd> {
  let end: SnapshotEnd | null = null;
  await untilTrue(
    async () => {
      const snapshot = await relay.snapshotOf(group);
      if (snapshot === null || snapshot.tookMs === null) return false;
      const { state, rows, tookMs } = snapshot;
      if (state !== 'done') {
        const failures = await relay.snapshotFailures(group);
        throw new DemoError([`The snapshot for the group is over, but not done: ${state}.`, ...failures].join('\n'));
      }
      // Asked for afterwards: its rows are in the stream by then.
      const scn = await relay.end();
      if (scn === null) return false;
      end = { scn, tookMs };
      screen.line(
        `  ${screen.paint('green', 'read')}     the snapshot is over: ${number(rows)} rows read in ${seconds(tookMs)}, while they were changing`,
      );
      return true;
    },
    watch.signal,
    LOOK_MS,
  );
  watch.signal.throwIfAborted();
  if (end === null) throw new DemoError('Nothing is known of the snapshot.');
  return end;
}
