import type { CheckpointStore, NamedCheckpointStore } from '../core/consumer.ts';
import type { StreamName } from './transport.ts';

/** A store that keeps with the SCN which stream it is one of, so that it can refuse another. */
export interface BoundCheckpointStore extends CheckpointStore {
  /** Called when the stream is known: after `load`, before `save`. @throws TidingsError CHECKPOINT_INVALID, SCN_UNKNOWN */
  bind(name: StreamName): void;
}

export function isBound(store: CheckpointStore): store is BoundCheckpointStore {
  return 'bind' in store && typeof store.bind === 'function';
}

export function isNamed(store: CheckpointStore & Partial<NamedCheckpointStore>): store is NamedCheckpointStore {
  return store.loadName !== undefined && store.begin !== undefined;
}

/** A checkpoint that ends with the process: after a restart reading begins at `from`. */
export function memoryCheckpoints(): NamedCheckpointStore {
  let checkpoint: number | null = null;
  let reader: string | null = null;
  return {
    load: () => Promise.resolve(checkpoint),
    loadName: () => Promise.resolve(reader),
    save(scn) {
      checkpoint = scn;
      return Promise.resolve();
    },
    begin(name, scn) {
      reader = name;
      checkpoint = scn;
      return Promise.resolve();
    },
  };
}
