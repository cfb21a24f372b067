import type { Clock } from '../../base/clock.ts';
import { orAborted } from '../../base/or-aborted.ts';
import { TidingsError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { ReplicaLag, SnapshotReader } from '../snapshot.ts';
import type { SnapshotLimits } from './snapshot-state.ts';

const LOOK_EVERY_MS = 1000;
const MINUTES = 24 * 60;

/** Why no chunk is begun now. */
export interface LoadPause {
  readonly for: 'hours' | 'threads' | 'replica' | 'rate';
  /** What more there is to say: which replica, and how far behind it is. */
  readonly because: string | null;
}

/** Lets a snapshot begin its chunks no faster than its limits allow. */
export class SourceLoad {
  readonly #limits: SnapshotLimits;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #hours: Hours | null;
  /** When the rows that were read so far are used up, by the clock. */
  #freeMs = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #pause: LoadPause | null = null;
  /** It was logged that a replica lags, and not yet that it does no more. */
  #isLagTold = false;

  /** @throws TidingsError SNAPSHOT_INVALID for hours that are none */
  constructor(limits: SnapshotLimits, { clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#limits = limits;
    this.#clock = clock;
    this.#log = log;
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

  /** @throws TidingsError SNAPSHOT_INVALID for a limit that cannot be kept with this reader */
  check(reader: SnapshotReader): void {
    if (this.#limits.replicaLagSeconds === undefined || reader.replicaLags !== undefined) return;
    throw new TidingsError('SNAPSHOT_INVALID', 'the snapshot is to wait for replicas, and the source knows of none', {
      hint: "Name them in the source's `replicas`, or leave out the limit `replicaLagSeconds`.",
    });
  }

  /** Resolves when a chunk may be begun. @throws what the signal is aborted with, and what asking the server throws */
  async admitted(reader: SnapshotReader, signal: AbortSignal): Promise<void> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- until it may
      const wait = await this.#wait(reader, signal);
      if (wait === null) break;
      this.#pause = { for: wait.for, because: wait.because ?? null };
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

  async #wait(reader: SnapshotReader, signal: AbortSignal): Promise<Wait | null> {
    const nowMs = this.#clock.nowMs();
    if (this.#hours !== null && !isWithin(this.#hours, nowMs)) return { for: 'hours', ms: LOOK_EVERY_MS * 10 };
    if (this.#freeMs > nowMs) return { for: 'rate', ms: Math.min(this.#freeMs - nowMs, LOOK_EVERY_MS) };
    const { threadsRunning, replicaLagSeconds } = this.#limits;
    if (threadsRunning === undefined && replicaLagSeconds === undefined) return null;
    if (nowMs - this.#lookedMs < LOOK_EVERY_MS) return null;
    if (threadsRunning !== undefined && (await reader.threadsRunning()) > threadsRunning) {
      return { for: 'threads', ms: LOOK_EVERY_MS };
    }
    if (replicaLagSeconds !== undefined && reader.replicaLags !== undefined) {
      const because = lagText(await orAborted(reader.replicaLags(), signal), replicaLagSeconds);
      this.#tellLag(because);
      if (because !== null) return { for: 'replica', because, ms: LOOK_EVERY_MS };
    }
    this.#lookedMs = nowMs;
    return null;
  }

  #tellLag(because: string | null): void {
    if (because !== null && !this.#isLagTold) this.#log.info({ because }, 'the snapshot waits for a replica');
    if (because === null && this.#isLagTold) this.#log.info({}, 'the snapshot goes on: no replica lags any more');
    this.#isLagTold = because !== null;
  }
}

interface Wait {
  readonly for: LoadPause['for'];
  readonly because?: string;
  readonly ms: number;
}

/** Which replicas are further behind than that, in words; null: none. */
function lagText(lags: readonly ReplicaLag[], secondsMax: number): string | null {
  const texts = lags.flatMap(({ replica, seconds, problem }) => {
    if (seconds === null) return [`${replica}: ${problem ?? 'its lag is not known'}`];
    return seconds > secondsMax ? [`${replica} is ${seconds} s behind`] : [];
  });
  return texts.length === 0 ? null : texts.join('; ');
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
