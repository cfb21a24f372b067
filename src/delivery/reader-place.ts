import type { Clock } from '../base/clock.ts';
import type { NamedCheckpointStore } from '../core/consumer.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import { WHOLE_STREAM } from './delivery-types.ts';
import type { Lane } from './lane.ts';

/** How often the place of a reader is written though there are no rows. */
const IDLE_SAVE_MS = 5000;

export interface ReaderPlaceOptions {
  readonly sink: string;
  readonly store: DeadLetterStore;
  readonly clock: Clock;
  /** The one that writes whole transactions. */
  readonly lane: () => Lane | undefined;
  /** How far the store has the stream; null: it has nothing of it. */
  readonly claim: () => Promise<number | null>;
  /** @throws what the session has failed with */
  readonly check: () => void;
}

/**
 * The place of a sink that reads without a group, kept in its store with the data. The name under which the rows are read that exist already is kept beside
 * the dead letters: written before the checkpoint, and taken only when the checkpoint has followed.
 */
export function readerPlace({ sink, store, clock, lane, claim, check }: ReaderPlaceOptions): NamedCheckpointStore {
  let moved = 0;
  let movedMs = Number.NEGATIVE_INFINITY;
  const move = async (scn: number): Promise<void> => {
    const writer = lane();
    moved = scn;
    movedMs = clock.nowMs();
    writer?.endTransaction(scn, WHOLE_STREAM, null);
    await writer?.idle();
    check();
  };
  return {
    load: async () => {
      moved = (await claim()) ?? 0;
      return moved === 0 ? null : moved;
    },
    loadName: () => {
      const reader = store.reader(sink);
      if (reader === null) return Promise.resolve(null);
      return Promise.resolve(moved >= reader.after ? reader.name : reader.former);
    },
    begin: async (name, scn) => {
      const former = store.reader(sink);
      store.setReader(sink, { name, after: scn, former: former?.name ?? null });
      await move(scn);
    },
    // Rows move it along. Where reading began, and what passed by without a row, is written alone: the first at once, as `latest` would be another
    // place after a restart (I4), the rest now and then.
    save: async (scn) => {
      const writer = lane();
      const isEarly = moved > 0 && clock.nowMs() - movedMs < IDLE_SAVE_MS;
      // Whatever was pushed behind it says more.
      if (writer === undefined || writer.isOpen || isEarly || scn <= Math.max(moved, writer.lastScn)) return;
      await move(scn);
    },
  };
}
