import { z } from 'zod';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import { type Logger, silentLogger } from '../../core/logger.ts';
import type { Position } from '../../core/position.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import { parseMysqlUrl } from '../../drivers/mysql/mysql-url.ts';
import { TableSelection } from './table-selection.ts';

/** Options of a MySQL or MariaDB source. Everything but `url` may be left out. */
export interface MysqlSourceOptions {
  /** `mysql://user:password@host:3306/database?tls=verify`; docs/connectors/mysql.md has all parts. */
  readonly url: string;
  /**
   * Which tables: `shop.orders`, `shop.*`, `orders` (of the URL's database), `/regular expression/` over `database.table`.
   * @default all tables of the URL's database; of every database but the server's own when the URL names none
   */
  readonly tables?: readonly string[] | undefined;
  /** Tables to leave out again, in the same form. */
  readonly exclude?: readonly string[] | undefined;
  /** Columns by table pattern; the others are not decoded and absent from the rows. Keys are known all the same. */
  readonly columns?: Readonly<Record<string, readonly string[]>> | undefined;
  /**
   * URLs of servers that replicate this one: snapshots may be told to wait while one of them lags (`replicaLagSeconds`). Nothing is read of
   * them but how their replication is.
   * @default none
   */
  readonly replicas?: readonly string[] | undefined;
  /** `now`, `earliest`, a position (`file:offset`, GTIDs), or a time (`2026-11-20T09:00:00Z`). @default 'now' */
  readonly from?: string | Position | undefined;
  /** Where the iteration ends by itself: `now` (what is there when it starts) or a position. @default never */
  readonly until?: string | Position | undefined;
  /** JSON columns as the server's own text, or parsed. @default 'text' */
  readonly json?: 'text' | 'parsed' | undefined;
  /** The id under which the server knows this reader; each reader of a server needs its own. @default a random one */
  readonly serverId?: number | undefined;
  /**
   * Ask for the SQL statements behind the rows, which MariaDB sends only on request. MySQL sends what
   * binlog_rows_query_log_events logs in any case.
   * @default false
   */
  readonly statements?: boolean | undefined;
  /**
   * What to do when a statement changed rows of a watched table without row events (binlog_format other than ROW, EXCHANGE PARTITION,
   * TRUNCATE PARTITION): stop with STATEMENT_CHANGE, or hand over the statement as a schema entry, log a warning and go on.
   * @default 'stop'
   */
  readonly statementChanges?: 'stop' | 'report' | undefined;
  /**
   * Pass over the transactions that a sink of Tidings wrote into this database: for two databases that feed each other.
   * @default false
   */
  readonly ignoreOrigin?: boolean | undefined;
  /**
   * Milliseconds between heartbeats of an idle server; when ten of them are missing (four, should ten be more than 10 s) the connection
   * counts as lost.
   * @default 1000
   */
  readonly heartbeatMs?: number | undefined;
  /**
   * Longest wait for an answer of the server outside the stream, in milliseconds: for its settings, positions, definitions. Connecting
   * takes 10 s at most in any case.
   * @default 60000
   */
  readonly answerTimeoutMs?: number | undefined;
  /** Largest event that is accepted, in bytes: the largest row, roughly twice for an update. @default 1 GiB */
  readonly eventBytesMax?: number | undefined;
  /** Pause between attempts to connect again, in milliseconds. @default { delayMinMs: 100, delayMaxMs: 30000 } */
  readonly reconnect?: { readonly delayMinMs: number; readonly delayMaxMs: number } | undefined;
  /** Retry the very first connection, too, instead of failing at once when the server cannot be reached. @default false */
  readonly waitForServer?: boolean | undefined;
  /**
   * Table definitions that hold exactly at the position in `from`, such as the relay's log has them: with them rows can be decoded
   * that were written before a DDL which is still ahead. Without effect where `from` is no position.
   */
  readonly knownTables?: readonly TableSchema[] | undefined;
  readonly log?: Logger | undefined;
  /** Ends the iteration as `close()` does. */
  readonly signal?: AbortSignal | undefined;
}

export interface MysqlSourceSettings {
  readonly url: string;
  readonly tables: readonly string[] | undefined;
  readonly exclude: readonly string[] | undefined;
  readonly columns: Readonly<Record<string, readonly string[]>> | undefined;
  readonly replicas: readonly string[];
  readonly from: string;
  readonly until: string | undefined;
  readonly json: 'text' | 'parsed';
  readonly serverId: number;
  readonly statements: boolean;
  readonly statementChanges: 'stop' | 'report';
  readonly ignoreOrigin: boolean;
  readonly heartbeatMs: number;
  readonly answerTimeoutMs: number;
  readonly eventBytesMax: number;
  readonly reconnect: { readonly delayMinMs: number; readonly delayMaxMs: number };
  readonly waitForServer: boolean;
  readonly knownTables: readonly TableSchema[];
  readonly log: Logger;
  readonly signal: AbortSignal | undefined;
}

const SERVER_ID_MAX = 4_294_967_295;
const REPLICAS_MAX = 16;

/** A position as text, or the object that a source handed out. */
const positionText = z
  .union([
    z.string(),
    z.custom<Position>((value) => typeof value === 'object' && value !== null && !Array.isArray(value)),
  ])
  .transform(String);

const schema = z.strictObject({
  url: z.string(),
  tables: z.array(z.string()).readonly().optional(),
  exclude: z.array(z.string()).readonly().optional(),
  columns: z.record(z.string(), z.array(z.string()).min(1).readonly()).optional(),
  replicas: z.array(z.string()).max(REPLICAS_MAX).readonly().default([]),
  from: positionText.default('now'),
  until: positionText.optional(),
  json: z.enum(['text', 'parsed']).default('text'),
  serverId: z.int().min(1).max(SERVER_ID_MAX).optional(),
  statements: z.boolean().default(false),
  statementChanges: z.enum(['stop', 'report']).default('stop'),
  ignoreOrigin: z.boolean().default(false),
  heartbeatMs: z.int().min(100).max(60_000).default(1000),
  answerTimeoutMs: z.int().min(100).max(3_600_000).default(60_000),
  eventBytesMax: z
    .int()
    .min(1024 * 1024)
    .max(4 * 1024 * 1024 * 1024 - 1)
    .default(1024 * 1024 * 1024),
  reconnect: z
    .strictObject({ delayMinMs: z.int().min(0), delayMaxMs: z.int().min(1) })
    .default({ delayMinMs: 100, delayMaxMs: 30_000 }),
  waitForServer: z.boolean().default(false),
  knownTables: z.custom<readonly TableSchema[]>(Array.isArray).default([]),
  log: z.custom<Logger>((value) => typeof value === 'object' && value !== null).optional(),
  signal: z.instanceof(AbortSignal).optional(),
});

const pattern = z
  .string()
  .superRefine((text, context) => refuse(context, () => new TableSelection({ tables: [text], database: null })));

function patterns(): z.ZodOptional<z.ZodArray<typeof pattern>> {
  return z.array(pattern).optional();
}

const serverUrl = z
  .string()
  .superRefine((url, context) => refuse(context, () => parseMysqlUrl(url)))
  .meta({ 'x-secret': true, 'x-allowed': 'mysql://user:password@host:3306/database' });

/**
 * What a configuration file may say of a MySQL or MariaDB source: the options above that are its business, checked one by one so that
 * every mistake is found at once. The `x-` notes are explained in `config/schema-model.ts`.
 */
export const mysqlConfigSchema: z.ZodObject = z.strictObject({
  url: serverUrl.describe(
    'The server: `mysql://user:password@host:3306/database?tls=verify`. docs/connectors/mysql.md has all parts.',
  ),
  tables: patterns()
    .describe(
      'Which tables: `shop.orders`, `shop.*`, `orders` (of the database in the URL), `/regular expression/` over `database.table`.',
    )
    .meta({ 'x-default': "all tables of the URL's database; without one, of every database but the server's own" }),
  exclude: patterns().describe('Tables to leave out again, in the same form.').meta({ 'x-default': 'none' }),
  columns: z
    .record(
      pattern.meta({ 'x-allowed': 'a table pattern' }),
      z.array(z.string().min(1)).min(1).meta({ 'x-allowed': 'a list of column names' }),
    )
    .optional()
    .describe(
      'Columns by table pattern; the others are not decoded and absent from the rows. Keys are known all the same.',
    )
    .meta({ 'x-key': 'table', 'x-default': 'all columns' }),
  replicas: z
    .array(serverUrl)
    .max(REPLICAS_MAX)
    .optional()
    .describe(
      'URLs of servers that replicate this one: a snapshot can be told to wait while one of them lags (`replicaLagSeconds`). Nothing is read of them but how their replication is.',
    )
    .meta({ 'x-secret': true, 'x-default': 'none' }),
  from: z
    .string()
    .min(1)
    .default('now')
    .describe(
      'Where a new stream begins: `now`, `earliest`, a position (`file:offset`, GTIDs), or a time (`2026-11-20T09:00:00Z`). A stream that has changes goes on behind them.',
    ),
  serverId: schema.shape.serverId
    .describe('The id under which the server knows this reader; each reader of a server needs its own.')
    .meta({ 'x-default': 'a random one' }),
  statements: schema.shape.statements.describe(
    'Ask for the SQL statements behind the rows, which MariaDB sends only on request. MySQL sends what binlog_rows_query_log_events logs in any case.',
  ),
  statementChanges: schema.shape.statementChanges.describe(
    'When a statement changed rows of a watched table without row events (binlog_format other than ROW, EXCHANGE PARTITION, TRUNCATE PARTITION): `stop` with STATEMENT_CHANGE, or `report` it as a schema entry and go on.',
  ),
  ignoreOrigin: schema.shape.ignoreOrigin.describe(
    'Pass over the transactions that a sink of Tidings wrote into this database: for two databases that feed each other.',
  ),
  heartbeatMs: schema.shape.heartbeatMs
    .describe(
      'Between heartbeats of an idle server; when ten of them are missing (four, should ten be more than 10 s) the connection counts as lost.',
    )
    .meta({ 'x-unit': 'milliseconds' }),
  answerTimeoutMs: schema.shape.answerTimeoutMs
    .describe('Longest wait for an answer of the server outside the stream: for its settings, positions, definitions.')
    .meta({ 'x-unit': 'milliseconds' }),
  eventBytesMax: schema.shape.eventBytesMax
    .describe('Largest event that is accepted: the largest row, roughly twice for an update.')
    .meta({ 'x-unit': 'bytes' }),
  reconnect: z
    .strictObject({
      delayMinMs: z
        .int()
        .min(0)
        .max(3_600_000)
        .default(100)
        .describe('The first pause.')
        .meta({ 'x-unit': 'milliseconds' }),
      delayMaxMs: z
        .int()
        .min(1)
        .max(3_600_000)
        .default(30_000)
        .describe('The longest.')
        .meta({ 'x-unit': 'milliseconds' }),
    })
    .prefault({})
    .describe('Pause between attempts to connect again.')
    .meta({ 'x-name': 'ReconnectConfig' }),
});

/** @throws TidingsError CONFIG_INVALID listing everything that is wrong */
export function parseMysqlSourceOptions(options: MysqlSourceOptions): MysqlSourceSettings {
  const result = schema.safeParse(options);
  if (!result.success) {
    // One line, all at once: logs and terminals show it as it is.
    const problems = result.error.issues
      .map(({ path, message }) => `${path.join('.') || 'options'}: ${message}`)
      .join('; ');
    throw new TidingsError('CONFIG_INVALID', `the options of the MySQL source are wrong: ${problems}`);
  }
  const { tables, exclude, columns, until, serverId, log, signal, ...rest } = result.data;
  return {
    ...rest,
    tables,
    exclude,
    columns,
    until,
    serverId: serverId ?? randomServerId(),
    log: log ?? silentLogger,
    signal,
  };
}

/** Reports what the parser of an option says about it. */
function refuse(context: z.RefinementCtx, parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    context.addIssue({ code: 'custom', message: isTidingsError(error) ? error.message : 'cannot be used' });
  }
}

/** Far above the ids that people give to their servers. */
export function randomServerId(): number {
  return 1_000_000_000 + Math.floor(Math.random() * (SERVER_ID_MAX - 1_000_000_000));
}
