import { TidingsError } from '../../src/core/errors.ts';
import { keyListOf } from '../../src/core/snapshots/key-list.ts';
import type { SnapshotSpec, SnapshotState } from '../../src/core/snapshots/snapshot-state.ts';
import type { SnapshotRequest, SnapshotStatus, StreamSnapshots } from '../../src/relay/relay-api.ts';
import type { Call } from './memory-stream.ts';

/** Snapshots that nobody reads: they are what a test puts there, and change their state when they are told to. */
export class MemorySnapshots implements StreamSnapshots {
  snapshotList: SnapshotStatus[] = [];
  readonly calls: Call[];
  /** What the next call that changes something fails with. */
  failure: TidingsError | null = null;

  constructor(calls: Call[]) {
    this.calls = calls;
  }

  list(): readonly SnapshotStatus[] {
    return this.snapshotList;
  }

  get(id: number): SnapshotStatus | null {
    return this.snapshotList.find((each) => each.id === id) ?? null;
  }

  async start(request: SnapshotRequest): Promise<SnapshotStatus> {
    this.#called('startSnapshot', request);
    const { tables = null, where = null, keys = null, truncate = false, limits = {} } = request;
    const id = Math.max(0, ...this.snapshotList.map((each) => each.id)) + 1;
    const spec: SnapshotSpec = { tables, where, group: null, truncate, reason: 'request', limits };
    const status = snapshotStatus({ id, spec: keys === null ? spec : { ...spec, keys: keyListOf(keys) } });
    this.snapshotList.push(status);
    return status;
  }

  async pause(id: number): Promise<void> {
    this.#turn('pauseSnapshot', id, 'paused');
  }

  async resume(id: number): Promise<void> {
    this.#turn('resumeSnapshot', id, 'running');
  }

  async cancel(id: number): Promise<void> {
    this.#turn('cancelSnapshot', id, 'cancelled');
  }

  #turn(name: string, id: number, state: SnapshotState): void {
    this.#called(name, id);
    const index = this.snapshotList.findIndex((each) => each.id === id);
    const found = this.snapshotList[index];
    if (found === undefined) throw new TidingsError('SNAPSHOT_UNKNOWN', `stream shop has no snapshot ${id}`);
    if (found.state !== 'running' && found.state !== 'paused') {
      throw new TidingsError('SNAPSHOT_INVALID', `snapshot ${id} is over: ${found.state}`);
    }
    this.snapshotList[index] = { ...found, state };
  }

  #called(name: string, ...args: readonly unknown[]): void {
    this.calls.push({ name, args });
    const { failure } = this;
    this.failure = null;
    if (failure !== null) throw failure;
  }
}

/** One that was just asked for, but for what is given. */
export function snapshotStatus(given: Partial<SnapshotStatus> & { readonly id: number }): SnapshotStatus {
  return {
    state: 'running',
    spec: { tables: null, where: null, group: null, truncate: false, reason: 'request', limits: {} },
    createdMs: Date.UTC(2026, 10, 20, 9),
    endedMs: null,
    error: null,
    rows: 0,
    estimate: null,
    percent: null,
    rowsPerSecond: null,
    secondsLeft: null,
    waitsFor: null,
    waitsBecause: null,
    tables: [],
    ...given,
  };
}
