import type { Clock } from '../../base/clock.ts';
import { failpoint } from '../../core/failpoint.ts';
import type { Logger } from '../../core/logger.ts';
import { DeadlineTimer } from './deadline-timer.ts';
import type { Group } from './group.ts';

export interface RebalancerOptions {
  readonly groups: () => Iterable<Group>;
  readonly clock: Clock;
  /** Ms from some moment on; never goes back. */
  readonly elapsedMs: () => number;
  readonly log: Logger;
}

const EPOCHS_LOW = 500;
/** A timer that comes so late tells that the relay stood still, and heard nobody. */
const STANDSTILL_MS = 500;
const RETRY_MS = 1000;

/** What happens to groups by themselves: what is free is given out, and what is overdue taken away, each member told of it. */
export class Rebalancer {
  readonly #options: RebalancerOptions;
  readonly #timer: DeadlineTimer;
  #forgave = false;
  #closed = false;

  constructor(options: RebalancerOptions) {
    this.#options = options;
    const { clock, elapsedMs } = options;
    this.#timer = new DeadlineTimer({ clock, elapsedMs, onDue: (lateMs) => this.#expire(lateMs) });
  }

  /** Gives out what is free and tells everybody concerned. To be called after every transition of the group. */
  settle(group: Group): void {
    if (group.state.members.size > 0) group.usedAtMs = this.#options.elapsedMs();
    try {
      if (group.state.unsettled) {
        failpoint('group-rebalance');
        group.state.settle(this.#options.elapsedMs());
      }
    } finally {
      // Also when the failpoint threw: who is out must hear of it, and the timer tries again.
      group.notify();
      this.#schedule(group);
    }
    if (group.state.members.size > 0 && group.state.epochsLeft < EPOCHS_LOW) this.#reserveEpochs(group);
  }

  /** Ends the timer. */
  close(): void {
    this.#closed = true;
    this.#timer.close();
  }

  #reserveEpochs(group: Group): void {
    const { log } = this.#options;
    group
      .reserveEpochs()
      .then(() => this.settle(group))
      .catch((error: unknown) => log.warn({ error, group: group.name }, 'no further epochs could be reserved'));
  }

  #schedule({ state }: Group): void {
    const due = state.unsettled ? this.#options.elapsedMs() + RETRY_MS : state.nextDeadline();
    if (due !== null && !this.#closed) this.#timer.atLatest(due);
  }

  #expire(lateMs: number): void {
    const { groups, elapsedMs, log } = this.#options;
    // Not twice in a row: a relay that is always late would keep the dead for ever.
    this.#forgave = lateMs >= STANDSTILL_MS && !this.#forgave;
    const now = elapsedMs();
    for (const group of groups()) {
      if (this.#forgave) group.state.forgive(lateMs + RETRY_MS);
      const before = group.state.members.size;
      group.state.expire(now);
      const out = before - group.state.members.size;
      if (out > 0) log.warn({ group: group.name, members: out }, 'members were not heard of for too long and are out');
      try {
        this.settle(group);
      } catch (error) {
        log.error({ error, group: group.name }, 'partitions could not be given out');
      }
    }
  }
}
