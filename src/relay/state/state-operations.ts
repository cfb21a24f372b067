import type { Snapshot, SnapshotPart } from '../../core/snapshots/snapshot-state.ts';
import type { TableName } from '../snapshots/seen-tables.ts';
import type { NewGroup, StoredCheckpoint, StoredGroup } from '../groups/group-store.ts';

/** What the state can be asked, each with what it answers. The message that goes to the worker thread is `{ kind, …request }`. */
export interface StateOperations {
  'load-stream': { readonly request: { readonly stream: string }; readonly answer: StoredStream };
  'pause-stream': { readonly request: { readonly stream: string; readonly paused: boolean }; readonly answer: null };
  'load-groups': { readonly request: { readonly stream: string }; readonly answer: readonly StoredGroup[] };
  'create-group': { readonly request: { readonly stream: string } & NewGroup; readonly answer: null };
  'save-checkpoints': { readonly request: CheckpointsOf; readonly answer: null };
  'replace-checkpoints': { readonly request: CheckpointsOf; readonly answer: null };
  'raise-epoch-limit': { readonly request: GroupOf & { readonly epochLimit: number }; readonly answer: null };
  'pause-group': { readonly request: GroupOf & { readonly paused: boolean }; readonly answer: null };
  'remove-group': { readonly request: GroupOf; readonly answer: null };
  'load-snapshots': { readonly request: { readonly stream: string }; readonly answer: readonly Snapshot[] };
  'save-snapshot': { readonly request: SnapshotOf; readonly answer: null };
  'save-snapshot-part': {
    readonly request: { readonly stream: string; readonly id: number; readonly part: SnapshotPart };
    readonly answer: null;
  };
  'load-tables': { readonly request: { readonly stream: string }; readonly answer: readonly TableName[] };
  'add-tables': {
    readonly request: { readonly stream: string; readonly tables: readonly TableName[] };
    readonly answer: null;
  };
}

export type StateOperationKind = keyof StateOperations;

/** One operation as a message. */
export type StateOperation = {
  [K in StateOperationKind]: { readonly kind: K } & StateOperations[K]['request'];
}[StateOperationKind];

export interface StoredStream {
  /** Its source is not to be read. */
  readonly paused: boolean;
}

export interface SnapshotOf {
  readonly stream: string;
  readonly snapshot: Snapshot;
  /** Its parts as well. */
  readonly parts: boolean;
}

export interface GroupOf {
  readonly stream: string;
  readonly group: string;
}

export interface CheckpointsOf extends GroupOf {
  readonly checkpoints: readonly StoredCheckpoint[];
}
