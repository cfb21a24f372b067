import { z } from 'zod';
import { areHours, HOURS_PATTERN, HOURS_TEXT, SNAPSHOT_BOUNDS } from '../core/snapshots/request-bounds.ts';
import type { MappingSchema } from '../registry.ts';
import type { Unit } from './schema-model.ts';
import { type ParsedSink, sinkSchema } from './sink-schema.ts';

/**
 * The shape of a configuration file: keys, types, limits, defaults and descriptions, each once. The parser, its messages, the types of
 * `defineConfig`, docs/reference/config.md and the JSON Schema for editors are all made from it.
 *
 * Numbers with a unit are milliseconds and bytes here: their text has been turned into them before (`coerce.ts`).
 */
export function relayConfigSchema({
  sources: sourceSchemas,
  sinks,
  mapping,
}: ConnectorSchemas): z.ZodType<ParsedConfig> {
  const sources = [...sourceSchemas].map(([type, schema]) =>
    z
      .strictObject({ type: z.literal(type).describe('The kind of source.'), ...schema.shape })
      .meta({ 'x-name': `${type.charAt(0).toUpperCase()}${type.slice(1)}SourceConfig` }),
  );
  const stream = z
    .strictObject({
      source: z
        .discriminatedUnion('type', sources as [(typeof sources)[number], ...typeof sources])
        .describe('What is watched.'),
      partitions: z
        .int()
        .min(1)
        .max(PARTITIONS_MAX)
        .default(64)
        .describe(
          'Into how many slices, by a hash of the primary key, the members of a group share the stream. Fixed when the stream is made.',
        ),
      retention: retention.prefault({}).describe('How long changes are kept.'),
      log: log.prefault({}).describe('How changes are written to disk.'),
      snapshot: z
        .enum(['initial', 'never'])
        .default('never')
        .describe(
          'initial: a new stream begins with the rows that exist already, and a table that comes into its selection later with its own.',
        ),
      onGap: z
        .enum(['stop', 'snapshot'])
        .default('stop')
        .describe(
          'When the source no longer has what comes next. stop: fail with the remedy, for a person; snapshot: go on at its present end, and make the gap good with all rows anew, each table emptied first.',
        ),
      snapshotLimits: snapshotLimits
        .prefault({})
        .describe(
          "How much of the source's time such snapshots may take. One that is asked for has limits of its own.",
        ),
    })
    .meta({ 'x-name': 'StreamConfig' });
  return z
    .strictObject({
      data: z
        .string()
        .min(1)
        .default('./tidings-data')
        .describe(
          "The directory of the streams' logs and of the groups' checkpoints, relative to the configuration file. One relay at a time uses it.",
        ),
      http: http.prefault({}).describe('How consumers reach the relay.'),
      streams: z
        .record(z.string().regex(STREAM_NAME).meta({ 'x-allowed': STREAM_NAME_TEXT }), stream)
        .default({})
        .meta({ 'x-key': 'name', 'x-default': 'none: then there must be sinks of another relay' })
        .describe(`The streams by name: one for each source. A name is ${STREAM_NAME_TEXT}.`),
      sinks: z
        .record(z.string().regex(STREAM_NAME).meta({ 'x-allowed': STREAM_NAME_TEXT }), sinkSchema(sinks, mapping))
        .default({})
        .meta({ 'x-key': 'name', 'x-default': 'none' })
        .describe(
          `The sinks by name: what is kept in step with a stream. A sink of your own is a module: \`type: ./my-sink.ts\`. A name is ${STREAM_NAME_TEXT}.`,
        ),
    })
    .meta({ 'x-name': 'RelayConfig' }) as unknown as z.ZodType<ParsedConfig>;
}

/** What the connectors add to the schema, by the names of their types. */
export interface ConnectorSchemas {
  readonly sources: ReadonlyMap<string, z.ZodObject>;
  readonly sinks: ReadonlyMap<string, z.ZodObject>;
  /** How the rows of a sink are mapped. */
  readonly mapping: MappingSchema;
}

/** What the schema yields. Written out, as the compiler cannot follow sources that are registered at run time. */
export interface ParsedConfig {
  readonly data: string;
  readonly http: ParsedHttp;
  readonly streams: Readonly<Record<string, ParsedStream>>;
  readonly sinks: Readonly<Record<string, ParsedSink & Readonly<Record<string, unknown>>>>;
}

export interface ParsedHttp {
  readonly host: string;
  readonly port: number;
  readonly tokens: readonly {
    readonly token: string;
    readonly role: 'read' | 'operate' | 'admin';
    readonly name?: string;
  }[];
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly connectionsMax: number;
  readonly stuckAfter: number;
  readonly heartbeat: number;
  readonly silentAfter: number;
}

export interface ParsedStream {
  readonly source: { readonly type: string; readonly url: string; readonly from?: string } & Readonly<
    Record<string, unknown>
  >;
  readonly partitions: number;
  readonly retention: { readonly maxAge: number; readonly maxBytes: number; readonly groupBytes: number };
  readonly log: {
    readonly segmentBytes: number;
    readonly compression: 'none' | 'zstd';
    readonly syncDelay: number;
    readonly fsync: boolean;
  };
  readonly snapshot: 'initial' | 'never';
  readonly onGap: 'stop' | 'snapshot';
  readonly snapshotLimits: {
    readonly parallel: number;
    readonly rowsPerSecond?: number;
    readonly threadsRunning?: number;
    readonly replicaLagSeconds?: number;
    readonly hours?: string;
  };
}

const PARTITIONS_MAX = 1024;
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const STREAM_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const STREAM_NAME_TEXT = 'letters, digits, - and _, at most 64, beginning with a letter or a digit';

function quantity(unit: Unit, { min, max }: { min: number; max: number }): z.ZodInt {
  return z.int().min(min).max(max).meta({ 'x-unit': unit });
}

const retention = z
  .strictObject({
    maxAge: quantity('duration', { min: MINUTE, max: 3650 * DAY })
      .default(7 * DAY)
      .describe('Changes that committed longer ago go.'),
    maxBytes: quantity('bytes', { min: MIB, max: 1024 * TIB })
      .default(64 * GIB)
      .describe('The oldest changes go while the stream takes up more.'),
    groupBytes: quantity('bytes', { min: 0, max: 1024 * TIB })
      .default(64 * GIB)
      .describe('How much more is kept for groups that have not read it, whatever its age.'),
  })
  .meta({ 'x-name': 'RetentionConfig' });

const log = z
  .strictObject({
    segmentBytes: quantity('bytes', { min: 64 * KIB, max: 2 * GIB - 1 })
      .default(256 * MIB)
      .describe('A file of the log is full at this size. Retention removes whole files.'),
    compression: z
      .enum(['none', 'zstd'])
      .default('none')
      .describe('How batches are stored and sent. zstd: less space and traffic, more work for the processor.'),
    syncDelay: quantity('duration', { min: 0, max: SECOND })
      .default(0)
      .describe(
        'How long an fsync may wait for more to come. 0: none waits when the disk is free, but for up to 2 ms while changes come in bulk.',
      ),
    fsync: z
      .boolean()
      .default(true)
      .describe('false: a power failure may lose the last changes; a crash of the process does not.'),
  })
  .meta({ 'x-name': 'LogConfig' });

const snapshotLimits = z
  .strictObject({
    parallel: z.int().min(1).max(SNAPSHOT_BOUNDS.parallel).default(2).describe('Tables that are read at a time.'),
    rowsPerSecond: z
      .int()
      .min(1)
      .max(SNAPSHOT_BOUNDS.rowsPerSecond)
      .optional()
      .describe('Rows, of all tables together.')
      .meta({ 'x-default': 'no limit' }),
    threadsRunning: z
      .int()
      .min(1)
      .max(SNAPSHOT_BOUNDS.threadsRunning)
      .optional()
      .describe("Nothing is read while more of the server's connections work (its `Threads_running`).")
      .meta({ 'x-default': 'no limit' }),
    replicaLagSeconds: z
      .int()
      .min(1)
      .max(SNAPSHOT_BOUNDS.replicaLagSeconds)
      .optional()
      .describe(
        "Nothing is read while one of the source's `replicas` is further behind; one that is stopped or cannot be asked counts as being so.",
      )
      .meta({ 'x-default': 'no limit' }),
    hours: z
      .string()
      .regex(HOURS_PATTERN)
      .refine((text) => areHours(text), { error: `are not ${HOURS_TEXT}` })
      .optional()
      .describe('Rows are read at these times of the day only, in UTC: `22:00-05:30`.')
      .meta({ 'x-allowed': HOURS_TEXT, 'x-default': 'always' }),
  })
  .meta({ 'x-name': 'SnapshotLimitsConfig' });

const token = z
  .strictObject({
    token: z
      .string()
      .regex(/^[\x21-\x7e]+$/)
      .describe('What a client sends as `Authorization: Bearer …`.')
      .meta({ 'x-secret': true, 'x-allowed': 'letters, digits and punctuation of ASCII' }),
    role: z
      .enum(['read', 'operate', 'admin'])
      .describe(
        'read: consume; operate: also pause, resume, reset checkpoints and start snapshots; admin: also remove groups.',
      ),
    name: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe('What the log calls its bearer.')
      .meta({ 'x-default': 'the role' }),
  })
  .meta({ 'x-name': 'TokenConfig' });

const tls = z
  .strictObject({
    cert: z.string().min(1).describe('The certificate with its chain: a file in PEM form, or the PEM text itself.'),
    key: z
      .string()
      .min(1)
      .describe('Its private key: a file in PEM form, or the PEM text itself.')
      .meta({ 'x-secret': true, 'x-allowed': 'a file in PEM form, or the PEM text' }),
  })
  .meta({ 'x-name': 'TlsConfig' });

const http = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .describe('The interface to listen on. Any but the own machine needs `tokens`.'),
    port: z.int().min(0).max(65_535).default(8400).describe('The port. 0: any free one, which the log names.'),
    tokens: z
      .array(token)
      .max(1000)
      .default([])
      .describe('Who may do what. Without any, everybody on this machine may do everything.'),
    tls: tls.optional().describe('Serve HTTPS.').meta({ 'x-default': 'HTTP' }),
    connectionsMax: z.int().min(1).max(100_000).default(1000).describe('More connections at a time are refused.'),
    stuckAfter: quantity('duration', { min: SECOND, max: DAY })
      .default(5 * MINUTE)
      .describe('A consumer that takes nothing for so long, though there is something for it, is disconnected.'),
    heartbeat: quantity('duration', { min: 100, max: HOUR })
      .default(15 * SECOND)
      .describe('How often a response in lines of a quiet stream says that it is alive.'),
    silentAfter: quantity('duration', { min: SECOND, max: DAY })
      .default(MINUTE)
      .describe('`/readyz` fails when nothing was heard of a running source for so long.'),
  })
  .meta({ 'x-name': 'HttpConfig' });
