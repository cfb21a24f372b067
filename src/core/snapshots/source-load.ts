import type { Clock } from '../../base/clock.ts';
import { TidingsError } from '../errors.ts';
import type { SnapshotReader } from '../snapshot.ts';
import type { SnapshotLimits } from './snapshot-state.ts';

const LOOK_EVERY_MS = 1000;
const MINUTES = 24 * 60;

/** Why no chunk is begun now. */
export type LoadPause = 'hours' | 'threads' | 'rate';

/** Lets a snapshot begin its chunks no faster than its limits allow. */
export class SourceLoad {
  readonly #limits: SnapshotLimits;
  readonly #clock: Clock;
  readonly #hours: Hours | null;
  /** When the rows that were read so far are used up, by the clock. */
  #freeMs = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #pause: LoadPause | null = null;

  /** @throws TidingsError SNAPSHOT_INVALID for hours that are none */
  constructor(limits: SnapshotLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    this.#hours = limits.hours === undefined ? null : parseHours(limits.hours);
  }

  get pause(): LoadPause | null {
    return this.#pause;
  }

  /** The most rows that a chunk may have. */
  get rowsMax(): number {
    const { rowsPerSecond } = this.#limits;
    // So that the rate is kept within a second, too.
    return rowsPerSecond === undefined ? Number.MAX_SAFE_INTEGER : Math.max(1, Math.ceil(rowsPerSecond / 4));
  }

  /** Resolves when a chunk may be begun. @throws what the signal is aborted with, and what asking the server throws */
  async admitted(reader: SnapshotReader, signal: AbortSignal): Promise<void> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- until it may
      const wait = await this.#wait(reader);
      if (wait === null) break;
      this.#pause = wait.pause;
      // oxlint-disable-next-line no-await-in-loop -- the pause itself
      await this.#clock.sleep(wait.ms, signal);
    }
    this.#pause = null;
  }

  /** Rows that were read. */
  took(rows: number): void {
    const { rowsPerSecond } = this.#limits;
    if (rowsPerSecond === undefined) return;
    this.#freeMs = Math.max(this.#freeMs, this.#clock.nowMs()) + (rows * 1000) / rowsPerSecond;
  }

  async #wait(reader: SnapshotReader): Promise<{ readonly pause: LoadPause; readonly ms: number } | null> {
    const nowMs = this.#clock.nowMs();
    if (this.#hours !== null && !isWithin(this.#hours, nowMs)) return { pause: 'hours', ms: LOOK_EVERY_MS * 10 };
    if (this.#freeMs > nowMs) return { pause: 'rate', ms: Math.min(this.#freeMs - nowMs, LOOK_EVERY_MS) };
    const { threadsRunning } = this.#limits;
    if (threadsRunning !== undefined && nowMs - this.#lookedMs >= LOOK_EVERY_MS) {
      if ((await reader.threadsRunning()) > threadsRunning) return { pause: 'threads', ms: LOOK_EVERY_MS };
      this.#lookedMs = nowMs;
    }
    return null;
  }
}

interface Hours {
  /** Minutes of the day. */
  readonly from: number;
  readonly to: number;
}

/** @throws TidingsError SNAPSHOT_INVALID */
export function parseHours(text: string): Hours {
  const [, h1, m1, h2, m2] = /^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/.exec(text.trim()) ?? [];
  const from = Number(h1) * 60 + Number(m1);
  const to = Number(h2) * 60 + Number(m2);
  if (h1 === undefined || Number(m1) > 59 || Number(m2) > 59 || from >= MINUTES || to > MINUTES || from === to) {
    throw new TidingsError('SNAPSHOT_INVALID', `"${text}" are no hours of the day`, {
      hint: 'Write `22:00-05:30` (UTC).',
    });
  }
  return { from, to };
}

function isWithin({ from, to }: Hours, nowMs: number): boolean {
  const minute = Math.floor(nowMs / 60_000) % MINUTES;
  return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}
