import type { BootstrapRequest, ReaderStart } from '../../client/transport.ts';
import type { ChangeLog } from '../log/change-log.ts';
import type { SnapshotService } from './stream-snapshots.ts';

/**
 * The rows as they stand, for readers without a group. Each has a name that nobody else has; the snapshot that is made for it stands in the log behind
 * the place that it is told, where only a reading under its name gets it. What it has read of that, its own checkpoint says.
 */
export class ReaderSnapshots {
  readonly #log: ChangeLog;
  readonly #snapshots: SnapshotService;
  /** By name: one that asks again before it was answered waits for the same. */
  readonly #beginning = new Map<string, Promise<ReaderStart>>();

  constructor(log: ChangeLog, snapshots: SnapshotService) {
    this.#log = log;
    this.#snapshots = snapshots;
  }

  /** @throws TidingsError SNAPSHOT_UNSUPPORTED, SNAPSHOT_INVALID, CONFIG_INVALID for a pattern, DISK_FULL, DISK_ERROR */
  begin(reader: string, request: BootstrapRequest): Promise<ReaderStart> {
    const beginning = this.#beginning.get(reader);
    if (beginning !== undefined) return beginning;
    const begun = this.#begin(reader, request).finally(() => this.#beginning.delete(reader));
    this.#beginning.set(reader, begun);
    return begun;
  }

  async #begin(reader: string, request: BootstrapRequest): Promise<ReaderStart> {
    const { name: stream, createdMs } = this.#log;
    const { id, after } = await this.#snapshots.bootstrapReader(reader, request);
    return { stream, createdMs, after, snapshot: id };
  }

  /** What is still to be read for it is left. */
  async dismiss(reader: string): Promise<void> {
    await this.#snapshots.cancelOfReader(reader);
  }
}
