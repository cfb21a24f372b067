import { randomUUID } from 'node:crypto';
import { TidingsError } from '../../core/errors.ts';
import type { SinkCheckpoint } from '../../core/sink.ts';
import { CHECKPOINT_TABLE } from '../../drivers/mysql/checkpoint-table.ts';
import { quoteText, tableName } from './sql-text.ts';
import type { ResultRow, TargetConnection } from './target-connection.ts';

export interface CheckpointsOptions {
  readonly database: string;
  readonly sink: string;
  readonly stream: string;
}

/**
 * The checkpoints of one sink, kept with the data: `(partition, serial) → SCN`. Each row also says whose it is: whoever claimed the partition last. All
 * statements that move one name the owner and the SCN that it must have: a process that was replaced moves nothing.
 */
export class Checkpoints {
  readonly #options: CheckpointsOptions;
  readonly #table: string;
  readonly #owner = randomUUID();
  /** What is in the table as far as we know, of the partitions that are ours. */
  readonly #known = new Map<string, number | null>();

  constructor(options: CheckpointsOptions) {
    this.#options = options;
    this.#table = tableName(options.database, CHECKPOINT_TABLE);
  }

  async createTable(connection: TargetConnection): Promise<void> {
    await connection.execute(
      `CREATE TABLE IF NOT EXISTS ${this.#table} (
        \`sink\` VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        \`serial\` TINYINT NOT NULL,
        \`partition\` INT NOT NULL,
        \`stream\` VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        \`owner\` CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        \`scn\` BIGINT NULL,
        \`writes\` BIGINT NOT NULL,
        \`written_at\` DATETIME(6) NOT NULL,
        PRIMARY KEY (\`sink\`, \`serial\`, \`partition\`)
      ) ENGINE=InnoDB`,
      `create ${this.#table}`,
    );
  }

  /** Takes partitions over, and returns what is stored of all partitions of the sink. */
  async claim(connection: TargetConnection, partitions: readonly number[]): Promise<readonly SinkCheckpoint[]> {
    const { sink, stream } = this.#options;
    const all = `SELECT \`partition\`, \`serial\`, \`stream\`, \`scn\` FROM ${this.#table} WHERE \`sink\`=${quoteText(sink)}`;
    const rows =
      partitions.length === 0
        ? await connection.rows(all, 'read the checkpoints')
        : ((await connection.execute(this.#claimSql(partitions, all), 'claim the checkpoints'))[3]?.rows ?? []);
    const foreign = rows.find((row) => row['stream'] !== stream);
    if (foreign !== undefined) {
      throw new TidingsError(
        'CHECKPOINT_INVALID',
        `the checkpoints of the sink ${sink} in ${this.#table} are of the stream ${String(foreign['stream'])}`,
        { hint: 'Give the sink another name, or delete its rows there if the target is to be written anew.' },
      );
    }
    const claimed = new Set(partitions);
    for (const row of rows) {
      const partition = Number(row['partition']);
      if (claimed.has(partition)) this.#known.set(keyOf(Number(row['serial']), partition), scnOf(row));
    }
    return rows.map((row) => ({
      partition: Number(row['partition']),
      serial: Number(row['serial']) === 1,
      scn: scnOf(row) ?? 0,
    }));
  }

  /** Rows that others are writing are locked: what they have begun is durable, or undone, before the partition is ours. */
  #claimSql(partitions: readonly number[], all: string): string {
    const { sink, stream } = this.#options;
    const values = partitions.flatMap((partition) =>
      [0, 1].map(
        (serial) =>
          `(${quoteText(sink)},${serial},${partition},${quoteText(stream)},${quoteText(this.#owner)},NULL,0,UTC_TIMESTAMP(6))`,
      ),
    );
    return (
      `START TRANSACTION; INSERT IGNORE INTO ${this.#table} VALUES ${values.join(',')}; ` +
      `UPDATE ${this.#table} SET \`owner\`=${quoteText(this.#owner)}, \`writes\`=\`writes\`+1 WHERE \`sink\`=${quoteText(sink)} ` +
      `AND \`partition\` IN (${partitions.join(',')}) AND \`stream\`=${quoteText(stream)}; ${all}; COMMIT`
    );
  }

  /**
   * The statement that moves checkpoints, and how many rows it must match. It is the first one that changes a row in its transaction, so that whoever reads the target's
   * binlog sees at once who wrote it.
   */
  moveSql(checkpoints: readonly SinkCheckpoint[]): { readonly sql: string; readonly matches: number } {
    const { sink } = this.#options;
    const cases: string[] = [];
    const from: string[] = [];
    for (const { partition, serial, scn } of checkpoints) {
      const at = `\`serial\`=${Number(serial)} AND \`partition\`=${partition}`;
      cases.push(`WHEN ${at} THEN ${scn}`);
      const known = this.#known.get(keyOf(Number(serial), partition));
      // A partition that was never claimed has an owner that is not us.
      from.push(`(${at} AND \`scn\`${known === null || known === undefined ? ' IS NULL' : `=${known}`})`);
    }
    const sql =
      `UPDATE ${this.#table} SET \`scn\`=CASE ${cases.join(' ')} END, \`writes\`=\`writes\`+1, \`written_at\`=UTC_TIMESTAMP(6) ` +
      `WHERE \`sink\`=${quoteText(sink)} AND \`owner\`=${quoteText(this.#owner)} AND (${from.join(' OR ')})`;
    return { sql, matches: checkpoints.length };
  }

  /** The same for a transaction that moves no checkpoint yet: it finds out whether the partitions are still ours, and holds them. */
  holdSql(partitions: readonly number[], serial: boolean): { readonly sql: string; readonly matches: number } {
    const own = [...new Set(partitions)];
    const held = own.length > 0 ? own : this.#claimed();
    const sql =
      `UPDATE ${this.#table} SET \`writes\`=\`writes\`+1, \`written_at\`=UTC_TIMESTAMP(6) WHERE \`sink\`=${quoteText(this.#options.sink)} ` +
      `AND \`serial\`=${Number(serial)} AND \`owner\`=${quoteText(this.#owner)} AND \`partition\` IN (${held.join(',') || 'NULL'})`;
    // Without any partition of its own a writer is fenced, too.
    return { sql, matches: Math.max(held.length, 1) };
  }

  moved(checkpoints: readonly SinkCheckpoint[]): void {
    for (const { partition, serial, scn } of checkpoints) this.#known.set(keyOf(Number(serial), partition), scn);
  }

  /** Whether all of these are there already, and of us: the commit before was done, and its answer lost. */
  async areThere(connection: TargetConnection, checkpoints: readonly SinkCheckpoint[]): Promise<boolean> {
    if (checkpoints.length === 0) return false;
    const { sink } = this.#options;
    const rows = await connection.rows(
      `SELECT \`partition\`, \`serial\`, \`scn\` FROM ${this.#table} WHERE \`sink\`=${quoteText(sink)} AND \`owner\`=${quoteText(this.#owner)}`,
      'read the checkpoints',
    );
    const there = new Map(rows.map((row) => [keyOf(Number(row['serial']), Number(row['partition'])), scnOf(row)]));
    return checkpoints.every(({ partition, serial, scn }) => there.get(keyOf(Number(serial), partition)) === scn);
  }

  fenced(): TidingsError {
    const { sink } = this.#options;
    return new TidingsError(
      'SINK_FENCED',
      `the checkpoints of the sink ${sink} in ${this.#table} are not where it left them`,
      {
        details: { sink },
      },
    );
  }

  #claimed(): readonly number[] {
    return [...new Set([...this.#known.keys()].map((key) => Number(key.slice(2))))];
  }
}

function keyOf(serial: number, partition: number): string {
  return `${serial}:${partition}`;
}

function scnOf(row: ResultRow): number | null {
  const scn = row['scn'];
  return scn === null || scn === undefined ? null : Number(scn);
}
