import { KEY_COLUMNS_MAX } from '../../core/snapshots/key-list.ts';
import { SNAPSHOT_BOUNDS } from '../../core/snapshots/request-bounds.ts';
import {
  count,
  type JsonSchema,
  listOf,
  numberOrNull,
  object,
  ref,
  scnOrNull,
  text,
  textOrNull,
  time,
  timeOrNull,
} from './json-schema.ts';

const SNAPSHOT: Readonly<Record<string, JsonSchema>> = {
  id: count('Its number within the stream.'),
  state: {
    type: 'string',
    enum: ['running', 'paused', 'done', 'failed', 'cancelled'],
    description: 'running: also while it waits. failed: a table could not be read; the others were.',
  },
  reason: {
    type: 'string',
    enum: ['request', 'initial', 'gap', 'bootstrap'],
    description:
      'Why it was made: somebody asked for it, a table is new to the stream, a gap is made good, a group or a reader begins.',
  },
  patterns: {
    type: ['array', 'null'],
    items: { type: 'string' },
    description: 'The tables that were asked for; null: all of the stream.',
  },
  where: textOrNull('Only rows for which this is true; null: all.'),
  keyCount: scnOrNull('How many rows were asked for by their keys; null: not by keys.'),
  group: textOrNull('Only this group gets its rows; null: everyone, unless there is a reader.'),
  reader: textOrNull('Only the reader of this name gets its rows.'),
  truncate: { type: 'boolean', description: 'Whether consumers empty each table before its first row.' },
  limits: ref('SnapshotLimits'),
  created: time('When it was asked for.'),
  ended: timeOrNull('When it was over.'),
  error: {
    anyOf: [ref('SnapshotFailure'), { type: 'null' }],
    description: 'Why all of it has failed. A table that failed says so itself.',
  },
  rows: count('Rows that were read so far.'),
  estimate: numberOrNull('How many there will be at the end, as the server estimates it.'),
  percent: numberOrNull('How much of it is done, by the estimate.'),
  rowsPerSecond: numberOrNull('How fast it is being read; null while it is not.'),
  secondsLeft: numberOrNull('How long it will take, by the estimate.'),
  waitsFor: {
    type: ['string', 'null'],
    description:
      'Why a running one does not read. source: it is not reached, or another snapshot comes first; hours, threads, replica, rate: its limits.',
  },
  waitsBecause: textOrNull('What more there is to say of that: which replica, and how far behind it is.'),
  tableCount: count('How many tables it has; 0 until the source was asked which there are.'),
  tablesLeft: count('How many of them are still to be read.'),
};

/** One of a snapshot's limits: as it is asked for, without the null. */
const bound = (maximum: number, description: string): JsonSchema => ({
  type: 'integer',
  minimum: 1,
  maximum,
  description,
});
const PARALLEL = 'Tables that are read at a time.';
const RATE = 'Rows per second, of all tables together.';
const THREADS = "No chunk is begun while more of the server's connections work.";
const REPLICA =
  "No chunk is begun while one of the replicas that the source's configuration names is further behind, is stopped or cannot be asked.";
const HOURS = 'Chunks are begun at these times of the day only, UTC: 22:00-05:30.';

const KEY: JsonSchema = {
  type: ['string', 'number', 'array'],
  items: { type: ['string', 'number'] },
  minItems: 1,
  maxItems: KEY_COLUMNS_MAX,
};

/** The schemas of snapshots, by name. */
export const SNAPSHOT_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  SnapshotLimits: object({
    parallel: scnOrNull(`${PARALLEL} null: the default of 2.`),
    rowsPerSecond: scnOrNull(`${RATE} null: no limit.`),
    threadsRunning: scnOrNull(`${THREADS} null: no limit.`),
    replicaLagSeconds: scnOrNull(`${REPLICA} null: no limit.`),
    hours: textOrNull(`${HOURS} null: always.`),
  }),
  SnapshotFailure: object({
    code: text('One of docs/reference/errors.md.'),
    message: text('What happened.'),
    hint: text('What can be done about it.'),
  }),
  SnapshotTable: object({
    database: text('The database.'),
    table: text('The table.'),
    state: {
      type: 'string',
      enum: ['waiting', 'reading', 'done', 'gone', 'failed'],
      description: 'gone: the table was dropped.',
    },
    rows: count('Rows that were read so far.'),
    estimate: count('How many the server took it to have at the start.'),
    error: { anyOf: [ref('SnapshotFailure'), { type: 'null' }], description: 'Why it could not be read.' },
  }),
  SnapshotSummary: object(SNAPSHOT),
  Snapshot: object({ ...SNAPSHOT, tables: listOf('SnapshotTable') }),
  SnapshotRequest: object(
    {
      tables: {
        type: 'array',
        items: { type: 'string', minLength: 1, maxLength: SNAPSHOT_BOUNDS.pattern },
        minItems: 1,
        maxItems: SNAPSHOT_BOUNDS.tables,
        description: 'Patterns: shop.orders, shop.*, /regular expression/. Without it: all tables of the stream.',
      },
      where: {
        type: 'string',
        minLength: 1,
        maxLength: SNAPSHOT_BOUNDS.where,
        pattern: String.raw`\S`,
        description: "An SQL expression of the source's dialect; only rows for which it is true. Without it: all rows.",
      },
      keys: {
        type: 'array',
        items: KEY,
        minItems: 1,
        maxItems: SNAPSHOT_BOUNDS.keys,
        description:
          'Only the rows with these primary keys, of the one table that `tables` names as database.table. A key is a number or a text, or the list of them that a key of several columns has; values are as in the JSON of changes: integers with all their digits, bytes as base64. A key without a row brings nothing. Not together with `where` or `truncate`.',
      },
      group: {
        type: 'string',
        minLength: 1,
        maxLength: 200,
        description: 'Only this group gets the rows. Without it: everyone.',
      },
      truncate: {
        type: 'boolean',
        description: 'Consumers empty each table before its first row, so that rows that vanished unseen go.',
      },
      limits: {
        ...object(
          {
            parallel: bound(SNAPSHOT_BOUNDS.parallel, `${PARALLEL} Default: 2.`),
            rowsPerSecond: bound(SNAPSHOT_BOUNDS.rowsPerSecond, `${RATE} Without it: no limit.`),
            threadsRunning: bound(SNAPSHOT_BOUNDS.threadsRunning, `${THREADS} Without it: no limit.`),
            replicaLagSeconds: bound(SNAPSHOT_BOUNDS.replicaLagSeconds, `${REPLICA} Without it: no limit.`),
            hours: { type: 'string', minLength: 1, maxLength: 20, description: `${HOURS} Without it: always.` },
          },
          ['parallel', 'rowsPerSecond', 'threadsRunning', 'replicaLagSeconds', 'hours'],
        ),
        description: "How much of the source's time it may take.",
      },
    },
    ['tables', 'where', 'keys', 'group', 'truncate', 'limits'],
  ),
};
