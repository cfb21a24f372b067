import type { Row } from '../../core/change.ts';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import { retry } from '../../core/retry.ts';
import type { Sink, SinkBatch, SinkCheckpoint, SinkContext, SinkTarget, TargetPlan } from '../../core/sink.ts';
import type { ServerAddress } from '../../drivers/mysql/connect.ts';
import { Checkpoints } from './checkpoints.ts';
import { addressOf, type MysqlSinkOptions, type MysqlSinkSettings, parseMysqlSinkOptions } from './config.ts';
import { ForeignKeys } from './foreign-keys.ts';
import { Lane } from './lane.ts';
import { prepareTable } from './prepare-table.ts';
import { readRows } from './read-rows.ts';
import { quoteName, quoteText, tableName } from './sql-text.ts';
import { conflict, isSerial, planTable, type TablePlan } from './table-plan.ts';
import { TargetConnection } from './target-connection.ts';
import { readTargetServer, type TargetServer } from './target-server.ts';
import { readTargetTable } from './target-table.ts';
import { isConflict } from './write-errors.ts';

/** A statement about a whole table may take its time. */
const TABLE_TIMEOUT_MS = 24 * 3_600_000;
const FOREIGN_KEYS_MAX_AGE_MS = 10_000;
const RETRY = { delayMinMs: 100, delayMaxMs: 10_000 };

/** Everything that there is once the sink is open. */
interface OpenSink {
  readonly context: SinkContext;
  readonly checkpoints: Checkpoints;
  server: TargetServer;
}

/**
 * Writes rows into MySQL or MariaDB: multi-row statements, one transaction per batch, with the checkpoint in the same transaction. What differs between tables is
 * in `table-plan.ts`, how rows become statements in `batch-plan.ts`.
 */
export class MysqlSink implements Sink {
  readonly promise = 'transactional';
  readonly #settings: MysqlSinkSettings;
  readonly #address: ServerAddress & { readonly database: string };
  readonly #plans = new WeakMap<SinkTarget, TablePlan>();
  /** By the quoted name of their table. */
  readonly #targets = new Map<string, readonly WeakRef<SinkTarget>[]>();
  /** By the name as the target sees it: the one that came first. */
  readonly #tables = new Map<string, string>();
  readonly #lanes = new Map<number | 'serial', Lane>();
  readonly #names = new Set<string>();
  readonly #closing = new AbortController();
  #open: OpenSink | null = null;
  /** For what is not a lane's: definitions, checkpoints, truncations. One task at a time. */
  #control: TargetConnection | null = null;
  #controlTask: Promise<unknown> = Promise.resolve();
  #foreignKeys: { readonly keys: ForeignKeys; readonly readAtMs: number } | null = null;

  /** @throws TidingsError CONFIG_INVALID */
  constructor(options: MysqlSinkOptions) {
    this.#settings = parseMysqlSinkOptions(options);
    this.#address = { ...addressOf(this.#settings.url), answerTimeoutMs: this.#settings.answerTimeoutMs };
  }

  async open(context: SinkContext): Promise<void> {
    context.signal.addEventListener('abort', () => void this.close(), { once: true });
    const checkpoints = new Checkpoints({
      database: this.#address.database,
      sink: context.name,
      stream: context.stream,
    });
    const connection = await this.#connect();
    this.#control = connection;
    const server = await readTargetServer(connection);
    await this.#makeDatabase(connection);
    await checkpoints.createTable(connection);
    this.#open = { context, checkpoints, server };
    const { flavour, versionText: version } = server;
    context.log.info({ flavour, version, lanes: context.lanes, order: context.order }, 'sink into MySQL is open');
  }

  async prepare(target: SinkTarget): Promise<TargetPlan> {
    const { server, context } = this.#opened();
    if (server.foldsNames) this.#checkName(target);
    const plan = await this.#withControl(async (connection) => {
      const { schema: policy, dropColumns } = this.#settings;
      const table = await prepareTable(target, { connection, server, policy, dropColumns, log: context.log });
      const foreignKeys = await this.#readForeignKeys(connection);
      const { database, name } = target.table;
      const found = { table, server, foreignKeys: foreignKeys.roleOf(database, name) };
      const own = planTable(target, found);
      // What other definitions' rows go into is another table now.
      for (const sibling of this.#siblingsOf(target)) this.#planAgain(sibling, found);
      return own;
    });
    this.#plans.set(target, plan);
    for (const name of plan.names) this.#names.add(name);
    return { serial: isSerial(plan) };
  }

  async write(batch: SinkBatch): Promise<void> {
    await this.#lane(batch.lane).write(batch);
  }

  /** The rows are deleted rather than the table truncated: that ends no transaction, and is logged row by row behind the mark of the checkpoint. */
  async truncate(target: SinkTarget, checkpoints: readonly SinkCheckpoint[]): Promise<void> {
    const { checkpoints: own } = this.#opened();
    const table = tableName(target.table.database, target.table.name);
    await this.#withControl(async (connection) => {
      // Of a target of which no row has come yet only the name is known: nobody has made it.
      const isThere = this.#plans.has(target) || (await readTargetTable(connection, target.table)) !== null;
      const { sql, matches } = checkpoints.length > 0 ? own.moveSql(checkpoints) : own.holdSql([], false);
      const [, moved] = await connection.execute(`START TRANSACTION;${sql}`, 'move the checkpoints');
      if (moved?.matched !== matches) {
        await connection.execute('ROLLBACK', 'roll back');
        if (!(await own.areThere(connection, checkpoints))) throw own.fenced();
      } else await connection.execute(`${isThere ? `DELETE FROM ${table};` : ''}COMMIT`, `empty ${table}`);
      own.moved(checkpoints);
    });
  }

  async claim(partitions: readonly number[]): Promise<readonly SinkCheckpoint[]> {
    const { checkpoints } = this.#opened();
    return await this.#withControl((connection) => checkpoints.claim(connection, partitions));
  }

  async read(target: SinkTarget, keys: readonly Row[]): Promise<readonly (Row | null)[]> {
    const plan = this.#planOf(target);
    return await this.#withControl((connection) => readRows(connection, plan, keys));
  }

  async close(): Promise<void> {
    this.#closing.abort(new TidingsError('CONNECTION_LOST', 'the sink was closed'));
    for (const lane of this.#lanes.values()) lane.close();
    this.#control?.close();
    this.#control = null;
  }

  #opened(): OpenSink {
    if (this.#open === null) throw new Error('the sink is not open');
    return this.#open;
  }

  /** Rows of two tables would go into one, and overwrite each other. @throws TidingsError SINK_SCHEMA_CONFLICT */
  #checkName({ table: { database, name } }: SinkTarget): void {
    const label = `${database}.${name}`;
    const folded = label.toLowerCase();
    const first = this.#tables.get(folded);
    if (first === undefined) this.#tables.set(folded, label);
    else if (first !== label) {
      throw conflict(
        label,
        `the target does not tell it from ${first} (lower_case_table_names): one of them needs another name`,
      );
    }
  }

  /** The other targets with the table of this one, which it joins. */
  #siblingsOf(target: SinkTarget): readonly SinkTarget[] {
    const name = tableName(target.table.database, target.table.name);
    const known = (this.#targets.get(name) ?? []).flatMap((each) => each.deref() ?? []);
    const siblings = known.filter((each) => each !== target);
    this.#targets.set(
      name,
      [...siblings, target].map((each) => new WeakRef(each)),
    );
    return siblings;
  }

  #planAgain(target: SinkTarget, found: Parameters<typeof planTable>[1]): void {
    try {
      this.#plans.set(target, planTable(target, found));
    } catch (error) {
      // Rows of a definition that is no more need not fit any longer: should one come, it is refused when it is written.
      if (!isTidingsError(error)) throw error;
    }
  }

  #planOf(target: SinkTarget): TablePlan {
    const plan = this.#plans.get(target);
    if (plan === undefined) {
      const { database, name } = target.table;
      throw new Error(`${database}.${name} was not prepared`);
    }
    return plan;
  }

  #lane(id: number | 'serial'): Lane {
    const { context, checkpoints } = this.#opened();
    let lane = this.#lanes.get(id);
    if (lane === undefined) {
      lane = new Lane({
        context,
        checkpoints,
        connect: () => this.#connect(),
        server: () => this.#opened().server,
        planOf: ({ target }) => this.#planOf(target),
        names: this.#names,
        statementBytesMax: this.#settings.statementBytesMax,
      });
      this.#lanes.set(id, lane);
    }
    return lane;
  }

  #connect(timeoutMs: number = this.#settings.answerTimeoutMs): Promise<TargetConnection> {
    return TargetConnection.open({ ...this.#address, answerTimeoutMs: timeoutMs }, this.#closing.signal);
  }

  /** One task at a time, tried again when only a connection that was lost or a lock was in its way. Longer waits are the caller's, so that they are seen. */
  #withControl<T>(task: (connection: TargetConnection) => Promise<T>): Promise<T> {
    const { context } = this.#opened();
    const run = (): Promise<T> =>
      retry(
        async () => {
          if (this.#control === null || this.#control.closed) this.#control = await this.#connect(TABLE_TIMEOUT_MS);
          const connection = this.#control;
          try {
            return await task(connection);
          } catch (error) {
            await connection.execute('ROLLBACK', 'roll back').catch(() => connection.close());
            throw error;
          }
        },
        {
          backoff: RETRY,
          signal: this.#closing.signal,
          clock: context.clock,
          log: context.log,
          mayPass: (error) => isConflict(error) || (isTidingsError(error) && error.code === 'CONNECTION_LOST'),
        },
      );
    const result = this.#controlTask.then(run);
    this.#controlTask = result.catch(() => undefined);
    return result;
  }

  async #makeDatabase(connection: TargetConnection): Promise<void> {
    const { database } = this.#address;
    const [known] = await connection.rows(
      `SELECT 1 AS known FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${quoteText(database)}`,
    );
    if (known !== undefined) return;
    if (this.#settings.schema !== 'evolve') {
      throw new TidingsError('DATABASE_UNKNOWN', `the target has no database ${database} for the checkpoints`);
    }
    await connection.execute(
      `CREATE DATABASE IF NOT EXISTS ${quoteName(database)} CHARACTER SET utf8mb4`,
      `create ${database}`,
    );
  }

  async #readForeignKeys(connection: TargetConnection): Promise<ForeignKeys> {
    const now = this.#opened().context.clock.nowMs();
    if (this.#foreignKeys === null || now - this.#foreignKeys.readAtMs > FOREIGN_KEYS_MAX_AGE_MS) {
      this.#foreignKeys = { keys: await ForeignKeys.read(connection), readAtMs: now };
    }
    return this.#foreignKeys.keys;
  }
}
