import { hostname } from 'node:os';
import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../base/clock.ts';
import type { StreamOptions } from '../core/consumer.ts';
import { isTidingsError } from '../core/errors.ts';
import { atMost } from './at-most.ts';
import type { ConsumerEngine, ConsumerTiming } from './consumer-engine.ts';
import { filterOf } from './filter-options.ts';
import type { HeldPartition } from './held-partitions.ts';
import { MemberCommits } from './member-commits.ts';
import { MemberFrames } from './member-frames.ts';
import { MemberSession } from './member-session.ts';
import { Reading } from './reading.ts';
import { StreamBatch } from './stream-batch.ts';
import type { FrameReader, MemberName, Transport } from './transport.ts';

/**
 * A group's member: the changes of the partitions that it has, while they come and go.
 *
 * Order of a rebalance (I3): a partition to be given back yields nothing from the moment this is known; when the consumer has left its
 * last batch behind, and the commits that were asked for are done, `onRevoked` is called; then the relay hears that it is free. A
 * partition that comes in begins behind its checkpoint, after `onAssigned`.
 */
export class GroupConsumer<R> implements ConsumerEngine<R> {
  readonly #transport: Transport;
  readonly #options: StreamOptions;
  readonly #member: MemberName;
  readonly #clock: Clock;
  readonly #session: MemberSession;
  readonly #commits: MemberCommits;
  readonly #reading: Reading;
  readonly #frames: MemberFrames;
  /** What the consumer may be working on. */
  #batch: StreamBatch<R> | null = null;
  /** Resolves when the consumer is done with it. */
  #idle: PromiseWithResolvers<void> = Promise.withResolvers();
  /** The batch at hand was committed: the consumer does not work on it any more. */
  #isCommitted = false;
  #rebalancing: Promise<void> | null = null;
  /** Resolves when `close` waits no longer for a callback. */
  readonly #over: PromiseWithResolvers<void> = Promise.withResolvers();
  /** The incarnation that the reading was opened for; null: none is open. */
  #opened: number | null = null;
  #started = false;
  #closed = false;
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();
  /** What was found behind the last batch that could be read, or what a callback has thrown; null: nothing wrong. */
  #failure: { readonly error: unknown; readonly ofReading: boolean } | null = null;

  constructor(transport: Transport, options: StreamOptions & { readonly group: string }, timing: ConsumerTiming) {
    const { group, member = randomMember(), from, sessionTimeoutMs, bootstrap, log, untilEnd = false } = options;
    this.#idle.resolve();
    this.#transport = transport;
    this.#options = options;
    this.#member = { group, member };
    this.#clock = timing.clock ?? systemClock;
    const common = { transport, member: this.#member, log, ...timing };
    this.#session = new MemberSession({
      ...common,
      join: {
        ...(from === undefined ? {} : { from }),
        ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
        ...(bootstrap === undefined ? {} : { bootstrap }),
      },
      onChange: () => {
        this.#ring();
        // The consumer may take its time until it asks for more: nobody has to wait for that.
        if (this.#isCommitted) this.#letGo();
      },
    });
    this.#commits = new MemberCommits({ ...common, session: this.#session });
    this.#reading = new Reading({ open: (signal) => this.#open(signal), follow: true, log, ...timing });
    this.#frames = new MemberFrames({
      reading: this.#reading,
      partitions: this.#session.partitions,
      json: options.json ?? 'parsed',
      untilEnd,
    });
  }

  async next(): Promise<StreamBatch<R> | null> {
    this.finished();
    if (!this.#started && !this.#closed) {
      this.#started = true;
      await this.#session.start();
    }
    while (!this.#closed) {
      // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
      const step = await this.#step();
      if (step === 'end') break;
      if (step instanceof StreamBatch) return step;
    }
    return null;
  }

  finished(): void {
    this.#batch?.expire();
    this.#batch = null;
    this.#idle.resolve();
    if (this.#closed) this.#reading.release();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#reading.close();
    this.#ring();
    // Who is left may begin at once with what this member still works on: it stays in until that is done (I3).
    await atMost(this.#idle.promise, this.#clock);
    if (this.#rebalancing !== null) await atMost(this.#rebalancing, this.#clock);
    this.#over.resolve();
    this.#session.stop();
    const leaving = this.#leave();
    if (this.#batch === null) await leaving;
  }

  /** When the last batch is done. A consumer that never comes back is missed by the relay when its session ends. */
  async #leave(): Promise<void> {
    await this.#idle.promise;
    await atMost(this.#commits.settled(), this.#clock);
    this.#commits.close();
    await atMost(this.#session.leave(), this.#clock);
    // A commit that comes later is told that it is too late.
    this.#session.partitions.loseAll();
  }

  async #step(): Promise<StreamBatch<R> | 'again' | 'end'> {
    const session = this.#session;
    if (session.failure !== null) throw session.failure.error;
    if (this.#rebalanceIsDue) {
      await Promise.race([this.#rebalance(), this.#over.promise]);
      return 'again';
    }
    if (this.#failure !== null) {
      const { error, ofReading } = this.#failure;
      this.#failure = null;
      if (!ofReading) throw error;
      this.#opened = null;
      await this.#reading.failed(error);
      return 'again';
    }
    if (this.#opened !== null && this.#opened !== session.incarnation) {
      // What is on its way was sent to a former life.
      this.#opened = null;
      this.#reading.restart();
    }
    if (!session.isHeard || this.#frames.epoch > session.partitions.epoch) {
      // The partitions may have gone to others; or frames are there for an assignment that is not known yet.
      session.nudge();
      await this.#rung();
      return 'again';
    }
    const batch = this.#gather();
    if (batch !== null) return batch;
    if (this.#frames.epoch > session.partitions.epoch) return 'again';
    if (this.#frames.atTarget) return 'end';
    await Promise.race([this.#reading.fill(), this.#rung()]);
    return 'again';
  }

  #gather(): StreamBatch<R> | null {
    const { gathering, partitions, safe, scn, failure } = this.#frames.gather();
    if (failure !== null) this.#failure = { error: failure, ofReading: true };
    if (!gathering.isSomething) {
      if (this.#frames.passed) this.#commits.moveOn();
      return null;
    }
    const record = { partitions, safe, epoch: this.#session.partitions.epoch };
    this.#commits.ledger.handedOver(record);
    // Only now: what is being handed over is no longer taken for something that passed by.
    if (this.#frames.passed) this.#commits.moveOn();
    const batch: StreamBatch<R> = new StreamBatch<R>({
      parts: gathering.parts,
      count: gathering.count,
      scn,
      partitions: this.#frames.partitionCount,
      commit: async () => {
        const outcome = await this.#commits.commit(record);
        if (batch === this.#batch) this.#committed();
        return outcome;
      },
    });
    this.#batch = batch;
    this.#isCommitted = false;
    this.#idle = Promise.withResolvers();
    return batch;
  }

  /** The batch at hand was committed: nobody has to wait for the next one to be asked for. */
  #committed(): void {
    this.#isCommitted = true;
    this.#idle.resolve();
    this.#letGo();
  }

  #letGo(): void {
    if (!this.#rebalanceIsDue || this.#closed) return;
    this.#rebalance().catch((error: unknown) => {
      this.#failure ??= { error, ofReading: false };
      this.#ring();
    });
  }

  get #rebalanceIsDue(): boolean {
    const { lost, revoking, unannounced } = this.#session.partitions;
    return this.#rebalancing !== null || lost.length > 0 || revoking.length > 0 || unannounced.length > 0;
  }

  #rebalance(): Promise<void> {
    this.#rebalancing ??= this.#tellConsumer().finally(() => {
      this.#rebalancing = null;
      this.#ring();
    });
    return this.#rebalancing;
  }

  /** Not called while the consumer works on a batch. */
  async #tellConsumer(): Promise<void> {
    const { partitions } = this.#session;
    const { onAssigned, onRevoked } = this.#options;
    await this.#commits.settled();
    const lost = partitions.lost.splice(0);
    const revoking = partitions.revoking;
    const known = [...lost, ...revoking].filter(({ announced }) => announced);
    // Told once, also of one that is lost while the consumer lets go of it.
    for (const held of known) held.announced = false;
    if (known.length > 0) {
      await onRevoked?.(numbers(known));
      // It may have committed what it held back.
      await this.#commits.settled();
    }
    if (revoking.length > 0) {
      partitions.release(revoking);
      this.#session.nudge();
    }
    const fresh = partitions.unannounced;
    for (const held of fresh) held.announced = true;
    if (fresh.length > 0) await onAssigned?.(numbers(fresh));
  }

  async #open(signal: AbortSignal): Promise<FrameReader> {
    for (;;) {
      const { incarnation } = this.#session;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
        const reader = await this.#transport.readAsMember(this.#member, filterOf(this.#options), signal);
        this.#opened = incarnation;
        return reader;
      } catch (error) {
        if (!isTidingsError(error) || !this.#isCuredByJoining(error.code)) throw error;
        // oxlint-disable-next-line no-await-in-loop -- it reads as a member only once it is one
        await this.#session.rejoin(incarnation);
        signal.throwIfAborted();
      }
    }
  }

  /** A group whose place is no longer kept gets a new one when a member that wants all rows joins. */
  #isCuredByJoining(code: string): boolean {
    const { bootstrap = 'never' } = this.#options;
    return code === 'GROUP_MEMBER_UNKNOWN' || (code === 'SCN_PURGED' && bootstrap !== 'never');
  }

  /** Whoever waits looks again. */
  #ring(): void {
    const wake = this.#wake;
    this.#wake = Promise.withResolvers();
    wake.resolve();
  }

  #rung(): Promise<void> {
    return this.#closed ? Promise.resolve() : this.#wake.promise;
  }
}

function numbers(partitions: readonly HeldPartition[]): number[] {
  return partitions.map(({ partition }) => partition).sort((a, b) => a - b);
}

function randomMember(): string {
  const host = hostname()
    .replace(/[^A-Za-z0-9._-]/g, '')
    .slice(0, 64);
  return `${host === '' ? 'member' : host}-${randomBytes(4).toString('hex')}`;
}
