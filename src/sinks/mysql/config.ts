import { z } from 'zod';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import { parseMysqlUrl } from '../../drivers/mysql/mysql-url.ts';

/** Options of a sink into MySQL or MariaDB. Everything but `url` may be left out. */
export interface MysqlSinkOptions {
  /** `mysql://user:password@host:3306/database?tls=verify`. The checkpoints are kept in the database. */
  readonly url: string;
  /** What may be done to the target's tables. @default evolve */
  readonly schema?: SchemaPolicy;
  /** With `evolve`: columns that the rows do not have, or no longer have, are dropped with everything in them. @default false */
  readonly dropColumns?: boolean;
  /** Longest wait for an answer to statements that write rows. @default 60000 */
  readonly answerTimeoutMs?: number;
  /** Longest text of one multi-row statement, in bytes. @default 262144 */
  readonly statementBytesMax?: number;
}

/**
 * - `evolve`: missing databases, tables and columns are made, columns are widened; nothing is dropped unless `dropColumns` asks for it, or narrowed.
 * - `ignore`: tables are as they are; columns that they lack are left out.
 * - `stop`: tables are as they are; a column that one lacks stops the sink.
 */
export type SchemaPolicy = 'evolve' | 'ignore' | 'stop';

export type MysqlSinkSettings = Required<MysqlSinkOptions>;

const schema = z.strictObject({
  url: z.string(),
  schema: z.enum(['evolve', 'ignore', 'stop']).default('evolve'),
  dropColumns: z.boolean().default(false),
  answerTimeoutMs: z.int().min(1000).max(3_600_000).default(60_000),
  statementBytesMax: z
    .int()
    .min(1024)
    .max(64 * 1024 * 1024)
    .default(256 * 1024),
});

/** What a configuration file may say of a sink into MySQL or MariaDB, besides what all sinks have. The `x-` notes are explained in `config/schema-model.ts`. */
export const mysqlSinkConfigSchema: z.ZodObject = z.strictObject({
  url: schema.shape.url
    .superRefine((url, context) => {
      try {
        addressOf(url);
      } catch (error) {
        context.addIssue({ code: 'custom', message: isTidingsError(error) ? error.message : 'cannot be used' });
      }
    })
    .describe(
      'The target: `mysql://user:password@host:3306/database?tls=verify`, as for the source. The checkpoints are kept in the database. docs/connectors/mysql-sink.md has all parts.',
    )
    .meta({ 'x-secret': true, 'x-allowed': 'mysql://user:password@host:3306/database' }),
  schema: schema.shape.schema.describe(
    'What may be done to tables of the target: `evolve` makes missing databases, tables and columns, and widens columns; `ignore` leaves columns out that a table lacks; `stop` stops the sink for them.',
  ),
  dropColumns: schema.shape.dropColumns.describe(
    'With `schema: evolve`: drop columns of the target that the rows do not have, or no longer have, with everything in them. Not where rows of several tables go to one target.',
  ),
  answerTimeoutMs: schema.shape.answerTimeoutMs
    .describe('Longest wait for an answer to statements that write rows.')
    .meta({ 'x-unit': 'milliseconds' }),
  statementBytesMax: schema.shape.statementBytesMax
    .describe(
      'Longest text of one multi-row statement. A single row may be longer, up to max_allowed_packet of the target.',
    )
    .meta({ 'x-unit': 'bytes' }),
});

/** @throws TidingsError CONFIG_INVALID listing everything that is wrong */
export function parseMysqlSinkOptions(options: MysqlSinkOptions): MysqlSinkSettings {
  const result = schema.safeParse(options);
  if (!result.success) {
    throw wrong(result.error.issues.map(({ path, message }) => `${path.join('.') || 'options'}: ${message}`));
  }
  const { dropColumns, schema: policy } = result.data;
  if (dropColumns && policy !== 'evolve') throw wrong([`dropColumns: with schema ${policy} no table is changed`]);
  return result.data;
}

function wrong(problems: readonly string[]): TidingsError {
  return new TidingsError('CONFIG_INVALID', `the options of the MySQL sink are wrong: ${problems.join('; ')}`);
}

/** @throws TidingsError CONFIG_INVALID */
export function addressOf(url: string): ReturnType<typeof parseMysqlUrl> & { readonly database: string } {
  const address = parseMysqlUrl(url);
  if (address.database === null) {
    throw new TidingsError('CONFIG_INVALID', 'the URL of the MySQL sink names no database for its checkpoints', {
      hint: 'Write mysql://user:password@host:3306/database.',
    });
  }
  return { ...address, database: address.database };
}
