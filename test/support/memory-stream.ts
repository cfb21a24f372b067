import type {
  BootstrapRequest,
  FilterRequest,
  FrameChunk,
  FrameReader,
  JoinOptions,
  MemberName,
  ReaderStart,
  ReadRequest,
  StreamName,
  Transport,
} from '../../src/client/transport.ts';
import type { StartAt } from '../../src/core/consumer.ts';
import { TidingsError } from '../../src/core/errors.ts';
import type { Assignment, CommitRequest, CommitResult, Heartbeat } from '../../src/core/group.ts';
import type { RowShape } from '../../src/core/rows/row-shape.ts';
import type { ChangeBatch, TransactionPart } from '../../src/core/source.ts';
import type { TableSchema } from '../../src/core/table-schema.ts';
import { sealBatch } from '../../src/formats/log/batch-builder.ts';
import { writeLong } from '../../src/formats/log/batch-header.ts';
import { HEADER } from '../../src/formats/log/batch-layout.ts';
import { type ControlFrame, encodeControl } from '../../src/formats/log/control-frame.ts';
import type { ChangeLog, LogChunk, LogRange, LogReader } from '../../src/relay/log/change-log.ts';
import type {
  GroupStatus,
  Opening,
  RelayStream,
  ServedStream,
  StreamGroups,
  StreamStatus,
} from '../../src/relay/relay-api.ts';
import { MemorySnapshots } from './memory-snapshots.ts';
import { type StoredBatch, storedParts, type StoredPartsOptions } from './stored-batches.ts';

interface Stored extends StoredBatch {
  readonly last: number;
  readonly offset: number;
}

/** A log of real batches in memory: what is appended is visible at once. */
export class MemoryLog implements ChangeLog {
  readonly name: string;
  readonly createdMs: number = Date.UTC(2026, 10, 20);
  readonly partitions = 16;
  readonly stored: Stored[] = [];
  readonly stalled: null = null;
  position: string | null = null;
  after: number;
  readonly #shapes = new Map<string, RowShape>();
  readonly #listeners = new Set<() => void>();
  readonly #commits: number[] = [];
  #bytes = 0;

  constructor(name: string, after = 1000) {
    this.name = name;
    this.after = after;
  }

  get visible(): LogRange {
    const bytes = this.#bytes;
    return {
      after: this.after,
      last: this.stored.at(-1)?.last ?? this.after,
      lastCommitUs: this.#commits.at(-1) ?? 0,
      firstCommitUs: this.#commits[0] ?? 0,
      bytes,
      endOffset: bytes,
    };
  }

  put(parts: readonly TransactionPart[], options: Partial<StoredPartsOptions> = {}): void {
    this.#store(storedParts(parts, { firstScn: this.visible.last + 1, ...options }), parts);
  }

  /** The same changes again and again. */
  putTimes(times: number, parts: readonly TransactionPart[]): void {
    const first = storedParts(parts, { firstScn: this.visible.last + 1 });
    for (let at = 0; at < times; at++) {
      const bytes = Buffer.from(first.bytes);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      writeLong(view, HEADER.firstScn, this.visible.last + 1);
      sealBatch(bytes, view, { start: 0, end: bytes.length });
      this.#store({ ...first, bytes }, parts);
    }
  }

  #store(batch: StoredBatch, parts: readonly TransactionPart[]): void {
    const { last } = this.visible;
    this.stored.push({ ...batch, last: last + batch.count, offset: this.#bytes });
    this.#bytes += batch.bytes.length;
    this.#commits.push(...parts.map(({ transaction }) => transaction.committedAtUs));
    for (const shape of batch.shapes) this.#shapes.set(shape.fingerprint, shape);
    this.position = 'mysql-bin.000003:484';
    for (const listener of this.#listeners) listener();
  }

  tables(): readonly TableSchema[] {
    return [...new Set([...this.#shapes.values()].map(({ table }) => table))];
  }

  openReader(after: number): LogReader {
    if (after < this.after) throw purged(after, this.after);
    let index = this.stored.findIndex(({ last }) => last > after);
    const log = this;
    return {
      after,
      offset: this.stored[index]?.offset ?? this.visible.endOffset,
      read: (): LogChunk | null => {
        const batch = index < 0 ? undefined : log.stored[index++];
        if (batch === undefined) return null;
        return { bytes: batch.bytes, start: 0, end: batch.bytes.length, release: () => {} };
      },
      wait: () => Promise.resolve(),
      close: () => {},
    };
  }

  shape(fingerprint: string): RowShape {
    const shape = this.#shapes.get(fingerprint);
    if (shape === undefined) throw new TidingsError('LOG_DAMAGED', 'there is no such shape');
    return shape;
  }

  seekTime(): Promise<number> {
    return Promise.resolve(this.after);
  }

  seekPosition(): Promise<number> {
    return Promise.resolve(this.after);
  }

  append(_batch: ChangeBatch): null {
    return null;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function purged(after: number, first: number): TidingsError {
  return new TidingsError('SCN_PURGED', `changes behind ${after} are no longer kept, the first is ${first + 1}`);
}

/** Every call that the server made, for tests to look at. */
export interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** Hands over batches as they are, or nothing of them when none of the wanted tables begins with `shop.`. */
class MemoryReader implements FrameReader {
  readonly #stream: MemoryStream;
  readonly #request: ReadRequest;
  readonly #signal: AbortSignal;
  readonly #queue: Buffer[] = [];
  readonly #last: number;
  #index = 0;
  #after: number;
  #ended = false;
  #closed = false;
  /** Chunks that were handed over and not yet released. */
  held = 0;
  heldMax = 0;
  handedOut = 0;

  constructor(stream: MemoryStream, request: ReadRequest, { after, signal }: { after: number; signal: AbortSignal }) {
    this.#stream = stream;
    this.#request = request;
    this.#signal = signal;
    this.#after = after;
    const { log } = stream;
    this.#last = log.visible.last;
    this.#control({
      kind: 'hello',
      stream: log.name,
      created: log.createdMs,
      partitions: log.partitions,
      first: null,
      last: null,
    });
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  async next(): Promise<FrameChunk | null> {
    const { log } = this.#stream;
    for (;;) {
      const queued = this.#queue.shift();
      if (queued !== undefined) return this.#handOut(queued);
      if (this.#stream.failure !== null && this.#after >= this.#stream.failAfter) throw this.#stream.failure;
      if (this.#ended || this.#closed || this.#signal.aborted) return null;
      while ((log.stored[this.#index]?.last ?? Infinity) <= this.#after) this.#index++;
      const batch = log.stored[this.#index];
      if (batch === undefined || (!this.#request.follow && this.#after >= this.#last)) {
        if (this.#request.follow) {
          await this.#more();
          continue;
        }
        this.#ended = true;
        this.#control({ kind: 'progress', scn: this.#after, time: null });
        continue;
      }
      this.#after = batch.last;
      const wanted = this.#request.tables?.some((pattern) => pattern.startsWith('shop.')) ?? true;
      if (wanted) this.#queue.push(batch.bytes);
      else this.#control({ kind: 'progress', scn: batch.last, time: null });
    }
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  #wake: (() => void) | null = null;

  async #more(): Promise<void> {
    await new Promise<void>((resolve) => {
      const stop = this.#stream.log.onChange(resolve);
      this.#signal.addEventListener('abort', () => resolve(), { once: true });
      this.#wake = (): void => {
        stop();
        resolve();
      };
    });
  }

  #control(frame: ControlFrame): void {
    this.#queue.push(encodeControl(frame));
  }

  #handOut(bytes: Buffer): FrameChunk {
    this.held++;
    this.handedOut += bytes.length;
    this.heldMax = Math.max(this.heldMax, this.held);
    return { bytes, start: 0, end: bytes.length, release: () => this.held-- };
  }
}

/** One stream without a source and without a disk, for tests of what stands above the log. */
export class MemoryStream implements ServedStream, RelayStream, Transport, StreamGroups {
  readonly name: string;
  readonly partitions: number;
  readonly log: MemoryLog;
  readonly calls: Call[] = [];
  readonly snapshots: MemorySnapshots = new MemorySnapshots(this.calls);
  readonly readers: MemoryReader[] = [];
  /** What readings end with behind `failAfter`. */
  failure: Error | null = null;
  failAfter = 0;
  groupList: GroupStatus[] = [];
  state: Partial<StreamStatus> = {};
  /** What commits are answered with. */
  fenced: readonly number[] = [7];

  constructor(name = 'shop', after = 1000) {
    this.name = name;
    this.log = new MemoryLog(name, after);
    this.partitions = this.log.partitions;
  }

  get opening(): Opening {
    return { kind: 'opened', stream: this };
  }

  get groups(): StreamGroups {
    return this;
  }

  get transport(): Transport {
    return this;
  }

  identity(): Promise<StreamName> {
    return Promise.resolve({ stream: this.name, createdMs: this.log.createdMs });
  }

  status(): StreamStatus {
    return {
      state: 'running',
      error: null,
      stall: null,
      heardMs: Date.now(),
      connections: 1,
      changes: this.log.visible.last - this.log.after,
      transactions: 1,
      sourceBytes: 100,
      ...this.state,
    };
  }

  seek(start: StartAt | { readonly position: string }): Promise<number> {
    this.#called('seek', start);
    const { after, last } = this.log.visible;
    if (start === 'earliest') return Promise.resolve(after);
    if (start === 'latest') return Promise.resolve(last);
    if (typeof start !== 'number') return Promise.resolve(after);
    if (start > last) return Promise.reject(new TidingsError('SCN_UNKNOWN', `there is no change ${start} yet`));
    return Promise.resolve(start);
  }

  async read(request: ReadRequest, signal: AbortSignal): Promise<FrameReader> {
    this.#called('read', request);
    const after = await this.seek(request.from);
    if (after < this.log.after) throw purged(after, this.log.after);
    const reader = new MemoryReader(this, request, { after, signal });
    this.readers.push(reader);
    return reader;
  }

  bootstrap(reader: string, request: BootstrapRequest): Promise<ReaderStart> {
    this.#called('bootstrap', reader, request);
    const { name: stream, createdMs, visible } = this.log;
    return Promise.resolve({ stream, createdMs, after: visible.last, snapshot: 4 });
  }

  dismiss(reader: string): Promise<void> {
    this.#called('dismiss', reader);
    return Promise.resolve();
  }

  readAsMember(member: MemberName, request: FilterRequest, signal: AbortSignal): Promise<FrameReader> {
    this.#called('readAsMember', member, request);
    if (member.member === 'gone') {
      return Promise.reject(new TidingsError('GROUP_MEMBER_UNKNOWN', 'the group has no such member'));
    }
    const reader = new MemoryReader(
      this,
      { ...request, from: 'earliest', follow: true },
      { after: this.log.after, signal },
    );
    this.readers.push(reader);
    return Promise.resolve(reader);
  }

  join(member: MemberName, options: JoinOptions): Promise<Assignment> {
    this.#called('join', member, options);
    return Promise.resolve(ASSIGNMENT);
  }

  heartbeat(member: MemberName, beat: Heartbeat): Promise<Assignment> {
    this.#called('heartbeat', member, beat);
    return Promise.resolve(ASSIGNMENT);
  }

  commit(member: MemberName, request: CommitRequest): Promise<CommitResult> {
    this.#called('commit', member, request);
    return Promise.resolve({ fenced: this.fenced });
  }

  leave(member: MemberName, epoch: number): Promise<void> {
    this.#called('leave', member, epoch);
    return Promise.resolve();
  }

  pause(group?: string): Promise<void> {
    this.#called('pause', group);
    return Promise.resolve();
  }

  resume(group?: string): Promise<void> {
    this.#called('resume', group);
    return Promise.resolve();
  }

  list(): readonly GroupStatus[] {
    return this.groupList;
  }

  get(group: string): GroupStatus | null {
    return this.groupList.find((each) => each.group === group) ?? null;
  }

  reset(group: string, scn: number, partitions?: readonly number[]): Promise<void> {
    this.#called('reset', group, scn, partitions);
    return Promise.resolve();
  }

  remove(group: string): Promise<void> {
    this.#called('remove', group);
    if (this.get(group) === null) {
      return Promise.reject(new TidingsError('GROUP_UNKNOWN', 'the stream has no such group'));
    }
    return Promise.resolve();
  }

  lowestCheckpoint(): number | null {
    return null;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #called(name: string, ...args: readonly unknown[]): void {
    this.calls.push({ name, args });
  }
}

const ASSIGNMENT: Assignment = {
  epoch: 3,
  partitions: [{ partition: 2, checkpoint: 1000, epoch: 3 }],
  revoking: [5],
  heartbeatMs: 1000,
  sessionTimeoutMs: 10_000,
};
