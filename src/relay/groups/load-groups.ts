import { TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { GroupStore, StoredGroup } from './group-store.ts';

export interface LoadGroupsOptions {
  readonly partitions: number;
  readonly log: Logger;
}

/** The groups as they were stored, each with a checkpoint for every partition of the log. @throws TidingsError STATE_DAMAGED */
export async function loadGroups(
  store: GroupStore,
  { partitions, log }: LoadGroupsOptions,
): Promise<readonly StoredGroup[]> {
  const stored = await store.load();
  return Promise.all(stored.map((group) => fitPartitions(group, partitions, { store, log })));
}

/**
 * A log that was made anew with another number of partitions cuts the keys differently: no checkpoint fits any more, and only
 * behind the lowest of them is nothing missed.
 */
async function fitPartitions(
  group: StoredGroup,
  partitions: number,
  { store, log }: { readonly store: GroupStore; readonly log: Logger },
): Promise<StoredGroup> {
  const { checkpoints } = group;
  if (checkpoints.length === partitions && checkpoints.every(({ partition }, at) => partition === at)) return group;
  const scn = checkpoints.reduce((lowest, checkpoint) => Math.min(lowest, checkpoint.scn), Number.MAX_SAFE_INTEGER);
  if (checkpoints.length === 0) {
    throw new TidingsError('STATE_DAMAGED', `group ${group.group} has no checkpoints`, {
      details: { group: group.group },
    });
  }
  log.warn(
    { group: group.group, scn, from: checkpoints.length, to: partitions },
    'the number of partitions has changed: the group begins again at its lowest checkpoint',
  );
  const fitted = Array.from({ length: partitions }, (_, partition) => ({
    partition,
    scn,
    committedMs: null,
    epoch: 0,
  }));
  await store.replaceCheckpoints(group.group, fitted);
  return { ...group, checkpoints: fitted };
}
