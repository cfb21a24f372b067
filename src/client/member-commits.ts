import type { BackoffLimits } from '../base/backoff.ts';
import type { CommitOutcome } from '../core/consumer.ts';
import { isTidingsError, TidingsError } from '../core/errors.ts';
import type { CommitRequest, CommitResult } from '../core/group.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { retry } from '../core/retry.ts';
import { CommitLedger, commitRequests, type CommitTarget, type HandedOver } from './commit-ledger.ts';
import type { ConsumerTiming } from './consumer-engine.ts';
import type { MemberSession } from './member-session.ts';
import { RECONNECT } from './reading.ts';
import { Strangers } from './strangers.ts';
import type { MemberName, Transport } from './transport.ts';

export interface MemberCommitsOptions extends ConsumerTiming {
  readonly transport: Transport;
  readonly member: MemberName;
  readonly session: MemberSession;
  readonly log?: Logger | undefined;
}

/**
 * Commits of a group's member: one request at a time, retried until a relay has answered. What the relay fences is no longer this
 * member's, and is taken out of what it has.
 */
export class MemberCommits {
  readonly ledger: CommitLedger = new CommitLedger();
  readonly #options: MemberCommitsOptions;
  readonly #log: Logger;
  readonly #backoff: BackoffLimits;
  readonly #abort: AbortController = new AbortController();
  #tail: Promise<void> = Promise.resolve();

  constructor(options: MemberCommitsOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#backoff = options.backoff ?? RECONNECT;
  }

  /** Commits a batch and all before it. @throws what a request fails with */
  async commit(batch: HandedOver): Promise<CommitOutcome> {
    const { partitions } = this.#options.session;
    await this.#send(this.ledger.commit(batch, partitions.held.values()));
    const fenced = batch.partitions.filter(({ state }) => state === 'gone').map(({ partition }) => partition);
    if (fenced.length > 0) {
      const fields = { ...this.#options.member, partitions: fenced.join(',') };
      this.#log.info(fields, 'partitions of a batch could not be committed, as they are not held any more');
    }
    return { fenced };
  }

  /** Moves the checkpoints past what had nothing for the consumer, if all that was handed over has been committed. */
  moveOn(): void {
    const targets = this.ledger.passed(this.#options.session.partitions.held.values());
    if (targets.length === 0) return;
    this.#send(targets).catch((error: unknown) => {
      if (!this.#abort.signal.aborted) this.#log.warn({ error }, 'checkpoints could not be moved; it is tried again');
    });
  }

  /** Resolves when no request is on its way. */
  settled(): Promise<void> {
    return this.#tail;
  }

  /** Ends the attempts that go on. What is committed from here on is refused. */
  close(): void {
    this.#abort.abort();
  }

  #send(targets: readonly CommitTarget[]): Promise<void> {
    if (targets.length === 0) return Promise.resolve();
    const turn = this.#requests(targets, this.#tail);
    this.#tail = turn.catch(() => {});
    return turn;
  }

  async #requests(targets: readonly CommitTarget[], before: Promise<void>): Promise<void> {
    await before;
    for (const request of commitRequests(targets)) {
      // oxlint-disable-next-line no-await-in-loop -- one request at a time
      await this.#request(request, targets);
    }
  }

  async #request(request: CommitRequest, targets: readonly CommitTarget[]): Promise<void> {
    const { session } = this.#options;
    const { incarnation } = session;
    let result: CommitResult | 'unknown';
    try {
      result = await this.#attempt(request);
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
      throw new TidingsError('CONNECTION_LOST', 'the stream was closed before the relay had confirmed the commit', {
        hint: 'The changes may come again, to whoever has the partitions now.',
        cause: error,
      });
    }
    if (result === 'unknown') {
      await this.#rejoin(incarnation);
      return;
    }
    const fenced = new Set(result.fenced);
    const asked = new Set(request.checkpoints.flatMap(({ partitions }) => partitions));
    for (const { held, scn } of targets) {
      if (!asked.has(held.partition)) continue;
      if (!fenced.has(held.partition)) held.committed = Math.max(held.committed, scn);
      else if (held.state !== 'gone') session.partitions.fence(held);
    }
    if (fenced.size === 0) return;
    const { member } = this.#options;
    this.#log.info({ ...member, partitions: result.fenced.join(',') }, 'partitions went to others before the commit');
    // What the relay thinks this member has is not what it thinks itself.
    session.nudge();
  }

  /** What the member had is lost with it, whether it comes in again or is closed before that: the outcome says so. */
  async #rejoin(incarnation: number): Promise<void> {
    const { session } = this.#options;
    try {
      await session.rejoin(incarnation);
    } catch (error) {
      if (!session.signal.aborted) throw error;
    }
  }

  #attempt(request: CommitRequest): Promise<CommitResult | 'unknown'> {
    const { transport, member, clock, random } = this.#options;
    const strangers = new Strangers();
    return retry(
      async () => {
        try {
          return await strangers.attempt(() => transport.commit(member, request));
        } catch (error) {
          if (isTidingsError(error) && error.code === 'GROUP_MEMBER_UNKNOWN') return 'unknown';
          throw error;
        }
      },
      {
        backoff: this.#backoff,
        signal: this.#abort.signal,
        log: this.#log,
        ...(clock === undefined ? {} : { clock }),
        ...(random === undefined ? {} : { random }),
      },
    );
  }
}
