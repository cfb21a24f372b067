import { Backoff, type BackoffLimits } from '../base/backoff.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { isTidingsError } from '../core/errors.ts';
import type { Assignment } from '../core/group.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { isTransient, retry } from '../core/retry.ts';
import type { ConsumerTiming } from './consumer-engine.ts';
import { HeldPartitions } from './held-partitions.ts';
import { RECONNECT } from './reading.ts';
import { Strangers } from './strangers.ts';
import type { JoinOptions, MemberName, Transport } from './transport.ts';

export interface MemberSessionOptions extends ConsumerTiming {
  readonly transport: Transport;
  readonly member: MemberName;
  readonly join: JoinOptions;
  readonly log?: Logger | undefined;
  /** What the member has may have changed, or `failure` is there. */
  readonly onChange: () => void;
}

/** A member that was thrown out again within this time pauses before it joins once more: two processes may share its name. */
const SHORT_LIFE_MS = 10_000;

/** Being a member: joining, heartbeats at their own pace whatever the consumer does, and joining again when the relay has forgotten it. */
export class MemberSession {
  readonly partitions: HeldPartitions = new HeldPartitions();
  /** Counts the times it joined; what was received in an earlier life cannot be committed. */
  incarnation = 0;
  /** What ended the session; null while it goes on. */
  failure: { readonly error: unknown } | null = null;
  readonly #options: MemberSessionOptions;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #backoff: BackoffLimits;
  readonly #shortLives: Backoff;
  readonly #abort: AbortController = new AbortController();
  #assignment: Assignment | null = null;
  /** When the last answered heartbeat was sent, by the monotonic clock: the relay has heard of it not before. */
  #heardMs = Number.NEGATIVE_INFINITY;
  #joinedMs = Number.NEGATIVE_INFINITY;
  #joining: Promise<void> | null = null;
  #beating: Promise<void> = Promise.resolve();
  /** Ends the pause before the next heartbeat. */
  #nudge: AbortController | null = null;
  #nudged = false;

  constructor(options: MemberSessionOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = options.backoff ?? RECONNECT;
    this.#shortLives = new Backoff(this.#backoff, options.random);
  }

  /** @throws TidingsError what trying again cannot cure */
  async start(): Promise<void> {
    this.#joining = this.#join();
    try {
      await this.#joining;
    } finally {
      this.#joining = null;
    }
    this.#beating = this.#beat();
  }

  /** False when the relay may have given the partitions to others by now, as it has not heard of this member for so long. */
  get isHeard(): boolean {
    return this.#assignment !== null && performance.now() - this.#heardMs < this.#assignment.sessionTimeoutMs;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Sends a heartbeat now: something was released, or something is to be learned. */
  nudge(): void {
    this.#nudged = true;
    this.#nudge?.abort();
  }

  /** The relay does not know the member of that incarnation. Resolves when it is in again. @throws what trying again cannot cure */
  rejoin(incarnation: number): Promise<void> {
    if (incarnation !== this.incarnation) return Promise.resolve();
    this.#joining ??= this.#joinAgain().finally(() => {
      this.#joining = null;
    });
    return this.#joining;
  }

  /** Stops the heartbeats. */
  stop(): void {
    this.#abort.abort();
    this.#nudge?.abort();
  }

  /** Gives everything back. Does not fail: a relay that does not hear of it will miss it soon enough. */
  async leave(): Promise<void> {
    this.stop();
    // A join that is on its way would bring the member in again behind its leaving.
    await Promise.allSettled([this.#joining, this.#beating]);
    // Without an answer to its join it cannot say which process of its name it is.
    if (this.#assignment === null || this.failure !== null) return;
    try {
      await this.#options.transport.leave(this.#options.member, this.#assignment.epoch);
    } catch (error) {
      this.#log.info({ error }, 'the group was left without the relay hearing of it');
    }
  }

  async #joinAgain(): Promise<void> {
    this.#log.warn({ ...this.#options.member }, 'no longer a member of the group, joining again');
    this.partitions.loseAll();
    this.#options.onChange();
    if (performance.now() - this.#joinedMs < SHORT_LIFE_MS) {
      // Not the first time: the first pause is almost none, so that a relay's restart costs nothing.
      await this.#clock.sleep(this.#shortLives.nextDelayMs(), this.#abort.signal);
    } else this.#shortLives.reset();
    await this.#join();
  }

  async #join(): Promise<void> {
    const { transport, member, join } = this.#options;
    let sentMs = 0;
    const strangers = new Strangers();
    const assignment = await retry(
      () => {
        sentMs = performance.now();
        return strangers.attempt(() => transport.join(member, this.incarnation === 0 ? join : rejoining(join)));
      },
      {
        backoff: this.#backoff,
        signal: this.#abort.signal,
        log: this.#log,
        clock: this.#clock,
        ...(this.#options.random === undefined ? {} : { random: this.#options.random }),
      },
    );
    this.incarnation++;
    this.#joinedMs = sentMs;
    this.#take(assignment, sentMs);
    this.#log.info(
      { ...member, epoch: assignment.epoch, partitions: assignment.partitions.length },
      'joined the group',
    );
  }

  #take(assignment: Assignment, sentMs: number): void {
    this.#assignment = assignment;
    this.#heardMs = sentMs;
    this.partitions.apply(assignment);
    this.#options.onChange();
  }

  async #beat(): Promise<void> {
    const failures = new Backoff(this.#backoff, this.#options.random);
    const strangers = new Strangers();
    let delayMs = this.#assignment?.heartbeatMs ?? 0;
    while (!this.#abort.signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- heartbeats follow one another
      await this.#pause(delayMs);
      if (this.#abort.signal.aborted) return;
      const { incarnation } = this;
      try {
        // oxlint-disable-next-line no-await-in-loop -- heartbeats follow one another
        await strangers.attempt(() => this.#heartbeat());
        failures.reset();
        delayMs = this.#assignment?.heartbeatMs ?? 0;
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (isTidingsError(error) && error.code === 'GROUP_MEMBER_UNKNOWN') {
          // oxlint-disable-next-line no-await-in-loop -- it is a member again before it sends more
          await this.rejoin(incarnation).catch((cause: unknown) => this.#fail(cause));
        } else if (isTransient(error)) {
          delayMs = Math.min(failures.nextDelayMs(), this.#assignment?.heartbeatMs ?? 0);
          this.#log.info({ error, failures: failures.failures, delayMs }, 'a heartbeat failed, trying again');
        } else this.#fail(error);
        if (this.failure !== null) return;
      }
    }
  }

  async #heartbeat(): Promise<void> {
    const { transport, member } = this.#options;
    const { partitions, incarnation } = this;
    const released = [...partitions.released];
    for (const held of partitions.held.values()) held.committedAtBeat = held.committed;
    const sentMs = performance.now();
    const assignment = await transport.heartbeat(member, { epoch: partitions.epoch, released });
    // The answer to a former life.
    if (incarnation !== this.incarnation || this.#joining !== null) return;
    for (const partition of released) partitions.released.delete(partition);
    this.#take(assignment, sentMs);
  }

  async #pause(delayMs: number): Promise<void> {
    if (!this.#nudged) {
      this.#nudge = new AbortController();
      // Only `nudge` ends it early.
      await this.#clock.sleep(delayMs, this.#nudge.signal).catch(() => {});
      this.#nudge = null;
    }
    this.#nudged = false;
  }

  #fail(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.failure = { error };
    this.#options.onChange();
  }
}

/** Joining again after the relay has forgotten the member is no beginning: nothing is to come anew without need. */
function rejoining(join: JoinOptions): JoinOptions {
  return join.bootstrap === 'always' ? { ...join, bootstrap: 'auto' } : join;
}
