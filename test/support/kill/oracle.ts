import type { Journal, JournalChange } from './journal.ts';

/** A change of the stream as a reader without a group sees it afterwards: the truth. */
export interface TrueChange {
  readonly scn: number;
  readonly partition: number;
  readonly id: number;
  readonly state: number;
}

/** What the relay said at some moment: the checkpoint of each partition. */
export interface CheckpointSample {
  readonly atNs: bigint;
  readonly checkpoints: ReadonlyMap<number, number>;
}

export interface Verdict {
  readonly problems: readonly string[];
  readonly changes: number;
  readonly duplicates: number;
}

/**
 * Judges what the members of a group did with a stream while processes died.
 *
 * - No state of an id was skipped, and none came before the one before it.
 * - A change came twice only if the batch that it came in before was not acknowledged by then.
 * - No checkpoint was ahead of what had been dealt with when it was looked at.
 * - In the end everything was dealt with.
 */
export function judge(
  journals: readonly Journal[],
  truth: readonly TrueChange[],
  samples: readonly CheckpointSample[],
): Verdict {
  const problems: string[] = [];
  const committedNs = new Map(journals.flatMap((journal) => [...journal.committedNs]));
  const seen = journals.flatMap(({ changes }) => changes).toSorted((a, b) => Number(a.atNs - b.atNs));
  const firstNs = new Map<string, bigint>();
  const last = new Map<string, JournalChange>();
  const states = new Map<number, number>();
  let duplicates = 0;
  for (const change of seen) {
    const name = nameOf(change);
    const before = last.get(name);
    last.set(name, change);
    if (before === undefined) {
      firstNs.set(name, change.atNs);
      const state = states.get(change.id) ?? 0;
      if (change.state !== state + 1) {
        problems.push(`id ${change.id} went from state ${state} to ${change.state} at SCN ${change.scn}`);
      }
      states.set(change.id, Math.max(state, change.state));
      continue;
    }
    duplicates++;
    const doneNs = committedNs.get(before.batch);
    if (doneNs !== undefined && doneNs < change.atNs) {
      problems.push(`SCN ${change.scn} came in batch ${change.batch}, but batch ${before.batch} had been acknowledged`);
    }
  }
  for (const { atNs, checkpoints } of samples) {
    for (const change of truth) {
      if (change.scn > (checkpoints.get(change.partition) ?? 0)) continue;
      const dealtWithNs = firstNs.get(nameOf(change));
      if (dealtWithNs === undefined || dealtWithNs > atNs) {
        problems.push(`the checkpoint of partition ${change.partition} was ahead of SCN ${change.scn}`);
      }
    }
  }
  const missing = truth.filter((change) => !firstNs.has(nameOf(change)));
  for (const { scn, id, state } of missing) problems.push(`SCN ${scn} (id ${id}, state ${state}) never came`);
  return { problems: problems.slice(0, 20), changes: firstNs.size, duplicates };
}

/** Both halves of an update that moved its key have one SCN. */
function nameOf({ scn, id }: { readonly scn: number; readonly id: number }): string {
  return `${scn}/${id}`;
}
