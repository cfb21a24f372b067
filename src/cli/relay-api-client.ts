import { z } from 'zod';
import { exactJsonInteger, parseJsonDigits } from '../base/exact-json.ts';
import { HttpRequests } from '../client/http-requests.ts';
import { definitionsPath, isTableSchema } from '../client/table-definitions.ts';
import { isTidingsError, TidingsError } from '../core/errors.ts';
import type { TableSchema } from '../core/table-schema.ts';
import type { RelayAddress } from './relay-arguments.ts';
import {
  type DeadLetterDetails,
  deadLetterDetails,
  type DeadLetterEdit,
  type Redriven,
  redriven,
  type SinkSummary,
  sinkSummary,
} from './relay-sinks.ts';
import {
  type SnapshotAction,
  type SnapshotDetails,
  snapshotDetails,
  type SnapshotOrder,
  type SnapshotSummary,
  snapshotSummary,
} from './relay-snapshots.ts';

export interface StreamSummary {
  readonly name: string;
  readonly state: string;
  readonly first: number | null;
  readonly last: number | null;
  readonly firstCommit: string | null;
  readonly lastCommit: string | null;
  /** Null while the log cannot be opened. */
  readonly bytes: number | null;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
}

export interface StreamDetails extends StreamSummary {
  /** Into how many slices groups share it. */
  readonly partitions: number;
}

export interface GroupSummary {
  readonly group: string;
  readonly paused: boolean;
  readonly checkpoint: number | null;
  readonly lag: { readonly changes: number; readonly bytes: number; readonly seconds: number };
  readonly members: readonly GroupMember[];
  readonly partitions: readonly GroupPartition[];
}

export interface GroupMember {
  readonly member: string;
  readonly heard: string;
  readonly partitions: readonly number[];
  readonly revoking: readonly number[];
}

export interface GroupPartition {
  readonly partition: number;
  readonly member: string | null;
  readonly checkpoint: number;
}

// What a newer relay says beyond this is kept, for --json.
const summaryShape = {
  name: z.string(),
  state: z.string(),
  first: z.number().nullable(),
  last: z.number().nullable(),
  firstCommit: z.string().nullable(),
  lastCommit: z.string().nullable(),
  bytes: z.number().nullable(),
  error: z.looseObject({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
};
const streamSummary: z.ZodType<StreamSummary> = z.looseObject(summaryShape);
const streamDetails: z.ZodType<StreamDetails> = z.looseObject({ ...summaryShape, partitions: z.number() });

const groupSummary: z.ZodType<GroupSummary> = z.looseObject({
  group: z.string(),
  paused: z.boolean(),
  checkpoint: z.number().nullable(),
  lag: z.looseObject({ changes: z.number(), bytes: z.number(), seconds: z.number() }),
  members: z.array(
    z.looseObject({
      member: z.string(),
      heard: z.string(),
      partitions: z.array(z.number()),
      revoking: z.array(z.number()),
    }),
  ),
  partitions: z.array(z.looseObject({ partition: z.number(), member: z.string().nullable(), checkpoint: z.number() })),
});

const tableDefinitions = z.looseObject({ tables: z.array(z.custom<TableSchema>(isTableSchema)) });

const TIMEOUT_MS = 15_000;
/** Dead letters of one answer. */
const PAGE = 500;

/** What the commands that look after a relay ask of it: docs/reference/http-api.md. Errors name what is wrong and what to do. */
export class RelayApi {
  readonly #requests: HttpRequests;
  readonly #signal: AbortSignal;

  constructor({ url, token }: RelayAddress, signal: AbortSignal) {
    // What is shown of rows has all its digits.
    this.#requests = new HttpRequests({ url: new URL(url), token, timeoutMs: TIMEOUT_MS, parseJson: parseJsonDigits });
    this.#signal = signal;
  }

  async streams(): Promise<readonly StreamSummary[]> {
    return this.#ask('GET', '/v1/streams', z.array(streamSummary));
  }

  async stream(name: string): Promise<StreamDetails> {
    return this.#ask('GET', streamPath(name), streamDetails);
  }

  /** The latest definition of every table in the stream's log. */
  async tables(stream: string): Promise<readonly TableSchema[]> {
    return (await this.#ask('GET', definitionsPath(stream), tableDefinitions)).tables;
  }

  async groups(stream: string): Promise<readonly GroupSummary[]> {
    return this.#ask('GET', `${streamPath(stream)}/groups`, z.array(groupSummary));
  }

  async group(stream: string, name: string): Promise<GroupSummary> {
    return this.#ask('GET', groupPath(stream, name), groupSummary);
  }

  /** Moves the checkpoints of all partitions, or of some. `to`: as `from` of a reading. */
  async resetCheckpoint(
    stream: string,
    name: string,
    { to, partitions }: { to: string; partitions: readonly number[] | undefined },
  ): Promise<GroupSummary> {
    const place = /^\d+$/.test(to) ? Number(to) : to;
    return this.#ask('PUT', `${groupPath(stream, name)}/checkpoint`, groupSummary, {
      to: place,
      ...(partitions === undefined ? {} : { partitions }),
    });
  }

  /** Pauses or resumes a stream, or one of its groups. */
  async turn(action: 'pause' | 'resume', stream: string, name: string | undefined): Promise<void> {
    const path = name === undefined ? streamPath(stream) : groupPath(stream, name);
    await this.#ask('POST', `${path}/${action}`, z.unknown());
  }

  async snapshots(stream: string): Promise<readonly SnapshotSummary[]> {
    return this.#ask('GET', `${streamPath(stream)}/snapshots`, z.array(snapshotSummary));
  }

  async snapshot(stream: string, id: number): Promise<SnapshotDetails> {
    return this.#ask('GET', `${streamPath(stream)}/snapshots/${id}`, snapshotDetails);
  }

  async startSnapshot(stream: string, order: SnapshotOrder): Promise<SnapshotDetails> {
    const { keys, ...others } = order;
    const body = keys === undefined ? others : { ...others, keys: keys.map((key) => exactKey(key)) };
    return this.#ask('POST', `${streamPath(stream)}/snapshots`, snapshotDetails, body);
  }

  async turnSnapshot(action: SnapshotAction, stream: string, id: number): Promise<SnapshotDetails> {
    return this.#ask('POST', `${streamPath(stream)}/snapshots/${id}/${action}`, snapshotDetails);
  }

  async sinks(): Promise<readonly SinkSummary[]> {
    return this.#ask('GET', '/v1/sinks', z.array(sinkSummary));
  }

  /** All of them, page by page. */
  async deadLetters(sink: string): Promise<readonly DeadLetterDetails[]> {
    const letters: DeadLetterDetails[] = [];
    for (;;) {
      const path = `${sinkPath(sink)}/dead-letters?limit=${PAGE}&after=${letters.at(-1)?.id ?? 0}`;
      // oxlint-disable-next-line no-await-in-loop -- each page begins behind the one before
      const page = await this.#ask('GET', path, z.array(deadLetterDetails));
      letters.push(...page);
      if (page.length < PAGE) return letters;
    }
  }

  async deadLetter(sink: string, id: number): Promise<DeadLetterDetails> {
    return this.#ask('GET', `${sinkPath(sink)}/dead-letters/${id}`, deadLetterDetails);
  }

  async editDeadLetter(sink: string, id: number, edit: DeadLetterEdit): Promise<DeadLetterDetails> {
    return this.#ask('PATCH', `${sinkPath(sink)}/dead-letters/${id}`, deadLetterDetails, edit);
  }

  async dropDeadLetter(sink: string, id: number): Promise<void> {
    await this.#ask('DELETE', `${sinkPath(sink)}/dead-letters/${id}`, z.unknown());
  }

  /** Of one key, or of all. */
  async redrive(sink: string, id: number | undefined): Promise<Redriven> {
    return this.#ask('POST', `${sinkPath(sink)}/redrive`, redriven, id === undefined ? {} : { id });
  }

  async turnSink(action: 'pause' | 'resume', sink: string): Promise<SinkSummary> {
    return this.#ask('POST', `${sinkPath(sink)}/${action}`, sinkSummary);
  }

  close(): void {
    this.#requests.close();
  }

  async #streamUnknown(error: TidingsError): Promise<TidingsError> {
    try {
      const names = (await this.streams()).map(({ name }) => name);
      return noSuchStream(error, this.#requests.name, names);
    } catch {
      return error;
    }
  }

  async #ask<T>(
    method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    schema: z.ZodType<T>,
    body?: object,
  ): Promise<T> {
    let answer: unknown;
    try {
      answer = await this.#requests.json(method, path, body, this.#signal);
    } catch (error) {
      const isUnknown = isTidingsError(error) && error.code === 'STREAM_UNKNOWN';
      // Who answers so to the question for the streams themselves is asked no further.
      if (isUnknown && path !== '/v1/streams') throw await this.#streamUnknown(error);
      throw withCommandHint(error, this.#requests.name);
    }
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new TidingsError(
      'PROTOCOL_VIOLATION',
      `${this.#requests.name} gave an answer to ${path} that this version does not understand`,
      {
        hint: `Use a tidings command of the relay's version.${issue === undefined ? '' : ` (at ${issue.path.join('.')})`}`,
      },
    );
  }
}

/** What JSON.stringify writes with all digits of its integers. */
function exactKey(key: unknown): unknown {
  if (Array.isArray(key)) return key.map((value) => exactKey(value));
  return typeof key === 'bigint' ? exactJsonInteger(key) : key;
}

function noSuchStream(error: TidingsError, relay: string, names: readonly string[]): TidingsError {
  const hint = names.length === 0 ? 'It has none.' : `The streams are: ${names.join(', ')}.`;
  return new TidingsError('STREAM_UNKNOWN', `${relay} has no such stream`, { hint, details: error.details });
}

function streamPath(stream: string): string {
  return `/v1/streams/${encodeURIComponent(stream)}`;
}

function sinkPath(sink: string): string {
  return `/v1/sinks/${encodeURIComponent(sink)}`;
}

function groupPath(stream: string, name: string): string {
  return `${streamPath(stream)}/groups/${encodeURIComponent(name)}`;
}

/** What a person at a shell can do about it; a library says it in its own terms. */
function withCommandHint(error: unknown, relay: string): unknown {
  if (!isTidingsError(error)) return error;
  const hint = COMMAND_HINTS[error.code];
  if (hint === undefined) return error;
  const message = error.message.startsWith('this request') ? `${relay} refuses: ${error.message}` : error.message;
  return new TidingsError(error.code, message, {
    cause: error.cause,
    details: error.details,
    retry: error.retry,
    hint,
  });
}

const COMMAND_HINTS: Readonly<Record<string, string>> = {
  CONNECTION_FAILED: 'Check the address, and that the relay runs: tidings run starts one.',
  UNAUTHORIZED: 'Give a token of the relay in the variable TIDINGS_TOKEN, or with --token.',
  FORBIDDEN: 'Use a token with that role: http.tokens in the configuration of the relay has them.',
  TLS_FAILED:
    'Check that the relay speaks TLS; NODE_EXTRA_CA_CERTS names a file with a certificate authority of your own.',
};
