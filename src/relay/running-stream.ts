import type { Clock } from '../base/clock.ts';
import type { Transport } from '../client/transport.ts';
import type { StartAt } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { checkPlace } from './feed.ts';
import { openStreamGroups, type StreamGroupsService } from './groups/stream-groups.ts';
import { LocalTransport } from './local-transport.ts';
import type { ChangeLog } from './log/change-log.ts';
import { FileLog } from './log/file-log.ts';
import type { RelayStream, RetentionOptions, StreamDefinition, StreamStatus } from './relay-api.ts';
import type { RelayState } from './state/relay-state.ts';
import { GroupBootstrap } from './snapshots/group-bootstrap.ts';
import { ReaderSnapshots } from './snapshots/reader-snapshots.ts';
import { SnapshotService } from './snapshots/stream-snapshots.ts';
import { failureOf } from './stream-failure.ts';
import { StreamRunner } from './stream-runner.ts';

export interface RunningStreamOptions {
  readonly name: string;
  readonly partitions: number;
  readonly directory: string;
  readonly definition: StreamDefinition;
  readonly state: RelayState;
  readonly clock: Clock;
  readonly log: Logger;
}

const RETENTION_EVERY_MS = 10_000;
const DAY_MS = 86_400_000;
const GIB = 1024 ** 3;
const RETENTION: Required<RetentionOptions> = { maxAgeMs: 7 * DAY_MS, maxBytes: 64 * GIB, groupBytes: 64 * GIB };

/** One stream with everything that belongs to it: log, source, groups, and how consumers reach it. */
export class RunningStream implements RelayStream {
  readonly name: string;
  readonly log: ChangeLog;
  readonly groups: StreamGroupsService;
  readonly transport: Transport;
  readonly snapshots: SnapshotService;
  readonly #file: FileLog;
  readonly #runner: StreamRunner;
  readonly #state: RelayState;
  readonly #seek: Seek;
  readonly #ending: AbortController = new AbortController();
  #closed: Promise<void> | null = null;

  constructor(
    { name, definition, state, clock, log: logger }: RunningStreamOptions,
    {
      log,
      groups,
      seek,
      paused,
      snapshots,
    }: { log: FileLog; groups: StreamGroupsService; seek: Seek; paused: boolean; snapshots: SnapshotService },
  ) {
    this.name = name;
    this.log = log;
    this.#file = log;
    this.groups = groups;
    this.snapshots = snapshots;
    this.#state = state;
    this.#seek = seek;
    this.transport = new LocalTransport({
      log,
      groups,
      seek,
      bootstrap: new GroupBootstrap({ log, groups, snapshots }),
      readers: new ReaderSnapshots(log, snapshots),
    });
    this.#runner = new StreamRunner({
      log,
      openSource: (resume) => definition.openSource(resume),
      snapshots,
      onGap: definition.snapshots?.onGap ?? 'stop',
      logger,
      clock,
      paused,
    });
    const limits = { ...RETENTION, ...definition.retention };
    const retain = (): void => {
      log.retain({ ...limits, lowestCheckpoint: groups.lowestCheckpoint() }).catch((error: unknown) => {
        logger.error({ error }, 'old segments could not be removed');
      });
    };
    void repeat(retain, { everyMs: RETENTION_EVERY_MS, clock, signal: this.#ending.signal });
  }

  /** The log takes nothing more: only opening it anew helps. */
  get isBroken(): boolean {
    return this.#file.failed !== null;
  }

  status(): StreamStatus {
    const status = this.#runner.status();
    const { failed } = this.#file;
    // The source hears of it with its next batch, and there may be none for long: nothing goes on by itself any more.
    if (failed === null || status.stall === null || status.state !== 'stalled') return status;
    return { ...status, state: 'failed', error: failureOf(failed, status.stall.sinceMs) };
  }

  async pause(): Promise<void> {
    await this.#state.setStreamPaused(this.name, true);
    await this.#runner.pause();
  }

  async resume(): Promise<void> {
    await this.#state.setStreamPaused(this.name, false);
    this.#runner.resume();
  }

  seek(start: StartAt | { readonly position: string }): Promise<number> {
    return this.#seek(start);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#ending.abort();
    await this.#runner.close();
    await this.groups.close();
    await this.log.close();
  }
}

/** Until the signal aborts. */
async function repeat(
  work: () => void,
  { everyMs, clock, signal }: { readonly everyMs: number; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    // oxlint-disable-next-line no-await-in-loop -- the pause between two times
    await clock.sleep(everyMs, signal).catch(() => undefined);
    if (!signal.aborted) work();
  }
}

type Seek = (start: StartAt | { readonly position: string }) => Promise<number>;

function seekIn(log: ChangeLog, covers: StreamDefinition['covers'] | null): Seek {
  return async (start) => {
    if (start === 'earliest') return log.visible.after;
    if (start === 'latest') return log.visible.last;
    if (start instanceof Date) return log.seekTime(start.getTime() * 1000);
    if (typeof start === 'number') {
      checkPlace(log, start);
      return start;
    }
    if (covers === null || covers === undefined) {
      throw new TidingsError('POSITION_INVALID', `the source of ${log.name} cannot compare positions`, {
        hint: 'Give an SCN or a time.',
        details: { stream: log.name },
      });
    }
    return log.seekPosition((position) => covers(position, start.position));
  };
}

/** @throws TidingsError what `FileLog.open` throws: it is wrong with this stream's log, and with nothing else */
export function openStreamLog(options: RunningStreamOptions): Promise<FileLog> {
  const { name, partitions, directory, definition, clock, log } = options;
  return FileLog.open({
    directory,
    name,
    partitions,
    options: definition.log ?? {},
    clock,
    log,
  });
}

/**
 * Takes over the log: it is closed when this fails.
 *
 * @throws TidingsError STATE_DAMAGED, DISK_ERROR: it is wrong with the relay's state
 */
export async function openRunningStream(options: RunningStreamOptions, log: FileLog): Promise<RunningStream> {
  const { name, definition, state, clock, log: logger } = options;
  try {
    const seek = seekIn(log, definition.covers ?? null);
    const groups = await openStreamGroups({ stream: name, log, state, clock, logger });
    const snapshots = await SnapshotService.open({
      stream: name,
      log,
      groups,
      store: state.snapshots(name),
      tables: state.tables(name),
      options: definition.snapshots ?? {},
      clock,
      logger,
    });
    return new RunningStream(options, { log, groups, seek, snapshots, paused: await state.isStreamPaused(name) });
  } catch (error) {
    await log.close();
    throw error;
  }
}
