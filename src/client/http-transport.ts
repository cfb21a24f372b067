import type { StartAt } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { Assignment, CommitRequest, CommitResult, Heartbeat } from '../core/group.ts';
import { HttpFrameReader } from './http-frame-reader.ts';
import type { HttpRequests } from './http-requests.ts';
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
} from './transport.ts';

export interface HttpTransportOptions {
  readonly requests: HttpRequests;
  readonly stream: string;
  readonly idleTimeoutMs: number;
  readonly verify: ((chunk: FrameChunk) => void) | null;
}

/** `application/vnd.tidings.batches`: the stored bytes. */
const BATCHES = 'application/vnd.tidings.batches';

/** One stream of a relay elsewhere, over its HTTP API. */
export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;
  readonly #path: string;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    this.#path = `/v1/streams/${encodeURIComponent(options.stream)}`;
  }

  read(request: ReadRequest, signal: AbortSignal): Promise<FrameReader> {
    const query = filterQuery(request);
    query.append('from', startText(request.from));
    if (request.partitions !== undefined) query.append('partitions', request.partitions.join(','));
    if (request.reader !== undefined) query.append('reader', request.reader);
    if (request.follow) query.append('follow', 'true');
    return this.#open(`${this.#path}/changes?${query.toString()}`, signal);
  }

  async identity(signal?: AbortSignal): Promise<StreamName> {
    const { requests, stream } = this.#options;
    const createdMs = createdOf(await requests.json('GET', this.#path, undefined, signal));
    if (createdMs === null) throw unexpected('stream');
    return { stream, createdMs };
  }

  async bootstrap(reader: string, request: BootstrapRequest, signal?: AbortSignal): Promise<ReaderStart> {
    const { requests, stream } = this.#options;
    const answer = await requests.json('PUT', this.#readerPath(reader), request, signal);
    const { after, snapshot } = (answer ?? {}) as Readonly<Record<string, unknown>>;
    const createdMs = createdOf(answer);
    if (createdMs === null || typeof after !== 'number' || typeof snapshot !== 'number') {
      throw unexpected('place to begin at');
    }
    return { stream, createdMs, after, snapshot };
  }

  async dismiss(reader: string, signal?: AbortSignal): Promise<void> {
    await this.#options.requests.json('DELETE', this.#readerPath(reader), undefined, signal);
  }

  readAsMember(member: MemberName, request: FilterRequest, signal: AbortSignal): Promise<FrameReader> {
    return this.#open(`${this.#memberPath(member)}/changes?${filterQuery(request).toString()}`, signal);
  }

  async join(member: MemberName, { from, sessionTimeoutMs, bootstrap }: JoinOptions): Promise<Assignment> {
    const answer = await this.#options.requests.json('PUT', this.#memberPath(member), {
      ...(from === undefined ? {} : { from: startText(from) }),
      ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
      ...(bootstrap === undefined ? {} : { bootstrap }),
    });
    return asAssignment(answer);
  }

  async heartbeat(member: MemberName, beat: Heartbeat): Promise<Assignment> {
    return asAssignment(await this.#options.requests.json('POST', `${this.#memberPath(member)}/heartbeat`, beat));
  }

  async commit(member: MemberName, request: CommitRequest): Promise<CommitResult> {
    const answer = await this.#options.requests.json('POST', `${this.#memberPath(member)}/commit`, request);
    const { fenced } = (answer ?? {}) as Partial<CommitResult>;
    if (!Array.isArray(fenced)) throw unexpected('commit');
    return { fenced };
  }

  async leave(member: MemberName, epoch: number): Promise<void> {
    await this.#options.requests.json('DELETE', `${this.#memberPath(member)}?epoch=${epoch}`);
  }

  /** The connections belong to the client that made this, and are closed with it. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  async #open(path: string, signal: AbortSignal): Promise<FrameReader> {
    const { requests, idleTimeoutMs, verify } = this.#options;
    const body = await requests.open(path, BATCHES, signal);
    return new HttpFrameReader({ body, name: requests.name, idleTimeoutMs, verify });
  }

  #readerPath(reader: string): string {
    return `${this.#path}/readers/${encodeURIComponent(reader)}`;
  }

  #memberPath({ group, member }: MemberName): string {
    return `${this.#path}/groups/${encodeURIComponent(group)}/members/${encodeURIComponent(member)}`;
  }
}

function filterQuery({ tables = [], ops = [], columns = {}, where = {} }: FilterRequest): URLSearchParams {
  const query = new URLSearchParams();
  for (const table of tables) query.append('tables', table);
  if (ops.length > 0) query.append('ops', ops.join(','));
  for (const [pattern, names] of Object.entries(columns)) {
    query.append('columns', `${pattern}:${names.map(quoted).join(',')}`);
  }
  for (const [pattern, condition] of Object.entries(where)) query.append('where', `${pattern}:${condition}`);
  return query;
}

function startText(start: StartAt): string {
  return start instanceof Date ? start.toISOString() : String(start);
}

function quoted(name: string): string {
  return /^\w+$/.test(name) ? name : `\`${name.replaceAll('`', '``')}\``;
}

/** When the stream was made that the answer is about; null: it does not say so. */
function createdOf(answer: unknown): number | null {
  const { created } = (answer ?? {}) as Readonly<Record<string, unknown>>;
  const createdMs = typeof created === 'string' ? Date.parse(created) : Number.NaN;
  return Number.isNaN(createdMs) ? null : createdMs;
}

function asAssignment(answer: unknown): Assignment {
  const { epoch, partitions, revoking, heartbeatMs, sessionTimeoutMs } = (answer ?? {}) as Partial<Assignment>;
  const wellFormed =
    typeof epoch === 'number' &&
    Array.isArray(partitions) &&
    Array.isArray(revoking) &&
    typeof heartbeatMs === 'number' &&
    typeof sessionTimeoutMs === 'number';
  if (!wellFormed) throw unexpected('assignment');
  return { epoch, partitions, revoking, heartbeatMs, sessionTimeoutMs };
}

function unexpected(what: string): TidingsError {
  return new TidingsError('PROTOCOL_VIOLATION', `the relay answered with what is no ${what}`, {
    hint: 'Check that the address is that of a relay, and that its version is not older than this one.',
  });
}
