import type {
  BootstrapRequest,
  FilterRequest,
  FrameReader,
  JoinOptions,
  MemberName,
  ReaderStart,
  ReadRequest,
  StreamName,
  Transport,
} from '../client/transport.ts';
import { readerAudience } from '../core/change.ts';
import type { StartAt } from '../core/consumer.ts';
import type { Assignment, CommitRequest, CommitResult, Heartbeat } from '../core/group.ts';
import { BatchFilter } from '../formats/log/batch-filter.ts';
import { Feed } from './feed.ts';
import type { StreamGroupsService } from './groups/stream-groups.ts';
import type { ChangeLog } from './log/change-log.ts';
import { MemberFeed } from './member-feed.ts';
import type { GroupBootstrap } from './snapshots/group-bootstrap.ts';
import type { ReaderSnapshots } from './snapshots/reader-snapshots.ts';
import { SharedFilters } from './shared-outputs.ts';

export interface LocalTransportOptions {
  readonly log: ChangeLog;
  readonly groups: StreamGroupsService;
  readonly seek: (start: StartAt) => Promise<number>;
  readonly bootstrap: GroupBootstrap;
  readonly readers: ReaderSnapshots;
}

/** A stream as consumers in the relay's own process reach it, and as the server reaches it for all others. */
export class LocalTransport implements Transport {
  readonly #options: LocalTransportOptions;
  readonly #shared: SharedFilters = new SharedFilters();

  constructor(options: LocalTransportOptions) {
    this.#options = options;
  }

  async read(request: ReadRequest, signal: AbortSignal): Promise<FrameReader> {
    const { log, seek } = this.#options;
    const filter = this.#filter(request);
    const after = await seek(request.from);
    const { partitions = null, reader, follow } = request;
    const audience = reader === undefined ? null : readerAudience(reader);
    const shared = filter.passesAll || partitions !== null ? null : this.#shared.join(wishOf(request));
    try {
      return new Feed({ log, after, filter, partitions, audience, follow, signal, shared });
    } catch (error) {
      shared?.leave();
      throw error;
    }
  }

  identity(): Promise<StreamName> {
    const { name, createdMs } = this.#options.log;
    return Promise.resolve({ stream: name, createdMs });
  }

  bootstrap(reader: string, request: BootstrapRequest): Promise<ReaderStart> {
    return this.#options.readers.begin(reader, request);
  }

  dismiss(reader: string): Promise<void> {
    return this.#options.readers.dismiss(reader);
  }

  readAsMember(member: MemberName, request: FilterRequest, signal: AbortSignal): Promise<FrameReader> {
    const { log, groups } = this.#options;
    return Promise.resolve(new MemberFeed({ log, groups, member, filter: this.#filter(request), signal }));
  }

  async join(member: MemberName, options: JoinOptions): Promise<Assignment> {
    const { groups, bootstrap } = this.#options;
    await bootstrap.before(member.group, options.bootstrap ?? 'never');
    return groups.join(member, options);
  }

  heartbeat(member: MemberName, beat: Heartbeat): Promise<Assignment> {
    return this.#options.groups.heartbeat(member, beat);
  }

  commit(member: MemberName, request: CommitRequest): Promise<CommitResult> {
    return this.#options.groups.commit(member, request);
  }

  leave(member: MemberName, epoch: number): Promise<void> {
    return this.#options.groups.leave(member, epoch);
  }

  /** What it reads belongs to the relay and stays open. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  /** @throws TidingsError CONFIG_INVALID */
  #filter({ tables, ops, columns, where }: FilterRequest): BatchFilter {
    const { log } = this.#options;
    return new BatchFilter({
      ...(tables === undefined ? {} : { tables }),
      ...(ops === undefined ? {} : { ops }),
      ...(columns === undefined ? {} : { columns }),
      ...(where === undefined ? {} : { where }),
      partitionCount: log.partitions,
      shapes: log,
    });
  }
}

/** The same text for filters with the same outcome, mostly: what is listed in another order is another wish. */
function wishOf({ tables, ops, columns, where }: FilterRequest): string {
  return JSON.stringify([tables, ops, columns, where]);
}
