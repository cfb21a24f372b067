import { SESSION_TIMEOUT_MAX_MS, SESSION_TIMEOUT_MIN_MS } from '../groups/group-limits.ts';
import {
  count,
  countOrNull,
  type JsonSchema,
  listOf,
  object,
  partitions,
  ref,
  scn,
  scnOrNull,
  text,
  textOrNull,
  time,
  timeOrNull,
} from './json-schema.ts';
import { SINK_SCHEMAS } from './sink-schemas.ts';
import { READER_SCHEMAS } from './reader-schemas.ts';
import { SNAPSHOT_SCHEMAS } from './snapshot-schemas.ts';

const SCN_MAX = Number.MAX_SAFE_INTEGER;

const STREAM: Readonly<Record<string, JsonSchema>> = {
  name: text('Its name.'),
  state: {
    type: 'string',
    enum: ['starting', 'running', 'paused', 'waiting', 'stalled', 'failed', 'closed'],
    description: 'waiting: for the source to be reachable again; stalled: for the disk; failed: for a person.',
  },
  created: timeOrNull(
    'When the log was made. With the name it tells a stream from one that replaced it. Null while the log cannot be opened.',
  ),
  first: scnOrNull('SCN of the first change that is kept; null while there is none.'),
  last: scnOrNull('SCN of the last change that readers may see; null while there is none.'),
  firstCommit: timeOrNull('Commit time of the first transaction that is kept.'),
  lastCommit: timeOrNull('Latest commit time in the log.'),
  bytes: countOrNull('Bytes of the log on disk; null while it cannot be opened.'),
  error: { anyOf: [ref('Failure'), { type: 'null' }], description: 'What is wrong, when something is.' },
};

/**
 * The JSON schemas of what goes in and out, by name: they validate, they serialize (a field that is not here is never sent), and they
 * are the components of the OpenAPI document.
 */
export const SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Problem: {
    type: 'object',
    description: 'RFC 9457 problem details.',
    properties: {
      type: text('urn:tidings:error: and the code.'),
      title: text('What the code means.'),
      status: { type: 'integer', description: 'The HTTP status.' },
      detail: text('What happened.'),
      code: text('One of docs/reference/errors.md. Stable.'),
      hint: text('What can be done about it.'),
      field: text('The parameter, or the place in the body, that is wrong.'),
    },
    required: ['type', 'title', 'status', 'detail', 'code', 'hint'],
  },
  Failure: object({
    code: text('One of docs/reference/errors.md.'),
    message: text('What happened.'),
    hint: text('What can be done about it.'),
    retry: { type: 'string', enum: ['backoff', 'reconnect', 'operator', 'never'] },
    details: {
      type: 'object',
      additionalProperties: true,
      description: 'Identifiers and sizes that belong to it: `segment` and `offset` of a damaged log.',
    },
    since: time('Since when.'),
  }),
  StreamSummary: object(STREAM),
  Stream: object({
    ...STREAM,
    partitions: count('Into how many slices groups share the stream.'),
    position: textOrNull('Where the source resumes, in its own terms; null while the log is new.'),
    stall: {
      anyOf: [
        object({
          reason: { type: 'string', enum: ['disk-full', 'disk-error'] },
          message: text('What the disk said.'),
          since: time('Since when.'),
        }),
        { type: 'null' },
      ],
      description: 'Why the log cannot be written, when it cannot.',
    },
    heard: timeOrNull('When the source last handed something over, be it that there is nothing new.'),
    connections: count('Times the source was opened since the relay started.'),
    changes: count('Since the relay started.'),
    transactions: count('Since the relay started.'),
    sourceBytes: count("Bytes of the source's log, since the relay started."),
    groups: {
      type: ['array', 'null'],
      items: { type: 'string' },
      description: 'Names of its groups; null while the log cannot be opened.',
    },
  }),
  Table: object({
    database: text('The database.'),
    name: text('The table.'),
    columns: { type: 'array', items: {}, description: 'In the order of the table: docs/formats/relay-log.md.' },
    key: {
      type: 'array',
      items: { type: 'integer' },
      description: "Indexes of the primary key's columns, in key order.",
    },
    avro: {
      description: 'Avro schema of a row of an update with all columns: a record of the images before and after.',
    },
  }),
  Tables: object({ tables: listOf('Table') }),
  Shape: object({
    fingerprint: text('Names the shape in batches.'),
    shape: { description: 'The shape as the log has it: the table, and the columns of each image.' },
    avro: { description: 'Avro schema of its rows.' },
  }),
  Lag: object({
    changes: count('Changes of all tables behind the lowest checkpoint: at most so many are still to come.'),
    bytes: count('Bytes of the log behind the lowest checkpoint.'),
    seconds: { type: 'number', minimum: 0, description: 'How long ago the oldest of them was committed.' },
  }),
  Member: object({
    member: text('Its name.'),
    joined: time('When it joined.'),
    heard: time('When it was last heard of.'),
    partitions: partitions('What it has.'),
    revoking: partitions('What it must let go of.'),
  }),
  Partition: object({
    partition: count('Its number.'),
    member: textOrNull('Who has it; null: nobody.'),
    checkpoint: scn('Everything up to this SCN is done.'),
    committed: timeOrNull('When the checkpoint last moved.'),
  }),
  Group: object({
    group: text('Its name.'),
    paused: { type: 'boolean', description: 'Whether its members get no changes until it is resumed.' },
    epoch: count('Grows with every change of who has what.'),
    checkpoint: scnOrNull('The lowest checkpoint of its partitions.'),
    lag: ref('Lag'),
    members: listOf('Member'),
    partitions: listOf('Partition'),
  }),
  ResetRequest: object(
    {
      to: {
        anyOf: [
          { type: 'integer', minimum: 0, maximum: SCN_MAX },
          { type: 'string', minLength: 1, maxLength: 8192 },
        ],
        description: 'earliest, latest, an SCN, a time with its zone, or pos: and a position of the source.',
      },
      partitions: partitions('Only these. Without it: all.'),
    },
    ['partitions'],
  ),
  JoinRequest: object(
    {
      from: {
        anyOf: [
          { type: 'integer', minimum: 0, maximum: SCN_MAX },
          { type: 'string', minLength: 1, maxLength: 8192 },
        ],
        description: 'Where the group begins when it has no checkpoint yet, as `from` of a reading. Default: latest.',
      },
      sessionTimeoutMs: {
        type: 'integer',
        minimum: SESSION_TIMEOUT_MIN_MS,
        maximum: SESSION_TIMEOUT_MAX_MS,
        description: 'A member that was not heard of for so long is out. Default: 10000.',
      },
      bootstrap: {
        type: 'string',
        enum: ['never', 'auto', 'always'],
        description:
          'Whether the group gets the rows that exist. `auto`: when it is new or what it would read next is no longer kept; `always`: also each time a first member joins. Default: never.',
      },
    },
    ['from', 'sessionTimeoutMs', 'bootstrap'],
  ),
  Assignment: object({
    epoch: count('Grows with every change of who has what. A commit carries the one its changes were received under.'),
    partitions: {
      type: 'array',
      items: object({
        partition: count('Its number.'),
        checkpoint: scn('Everything up to this SCN is done.'),
        epoch: count(
          'Under which epoch the member got it, or its checkpoint was last moved by hand: with another one than before it begins anew at `checkpoint`.',
        ),
      }),
      description: 'What the member works on.',
    },
    revoking: partitions("What it must let go of: finish, commit, and name in the next heartbeat's `released`."),
    heartbeatMs: count('How often to send a heartbeat at least.'),
    sessionTimeoutMs: count('A member that was not heard of for so long is out.'),
  }),
  Heartbeat: object({
    epoch: { type: 'integer', minimum: 0, maximum: SCN_MAX, description: 'Of the assignment that the member knows.' },
    released: partitions('Of those being revoked: no change of theirs is being worked on any more.'),
  }),
  CommitRequest: object({
    epoch: { type: 'integer', minimum: 0, maximum: SCN_MAX, description: 'Of the assignment the changes came under.' },
    checkpoints: {
      type: 'array',
      maxItems: 65_536,
      items: object({
        partitions: partitions('Of which partitions.'),
        scn: {
          type: 'integer',
          minimum: 0,
          maximum: SCN_MAX,
          description: 'Everything of them up to this SCN is done: the end of a transaction.',
        },
      }),
      description: 'What is done.',
    },
  }),
  CommitResult: object({
    fenced: partitions("Partitions whose checkpoint was not moved, as they are not this member's any more."),
  }),
  ...SNAPSHOT_SCHEMAS,
  ...SINK_SCHEMAS,
  ...READER_SCHEMAS,
  Liveness: object({ version: text('The version of the relay.') }),
  Readiness: object({
    ready: { type: 'boolean' },
    reasons: {
      type: 'array',
      items: object({ stream: textOrNull('Which stream.'), code: text('What is wrong.'), detail: text('In words.') }),
      description: 'Empty when ready.',
    },
  }),
};
