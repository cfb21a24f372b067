import type { SinkRow } from '../../core/sink.ts';
import { RowUnfit } from './row-unfit.ts';
import type { Statement } from './statements.ts';
import { StatementFailed, type StatementResult, type TargetConnection } from './target-connection.ts';
import { columnIn, isRowError, rowReason, serverReply, writeError } from './write-errors.ts';

/** Some row is not as it should be; which one is not known. What stands in the open transaction is to be undone. */
class RowsFailed extends Error {
  override readonly name: string = 'RowsFailed';
  readonly missing: boolean;

  constructor(reason: string, { missing = false }: { readonly missing?: boolean } = {}) {
    super(reason);
    this.missing = missing;
  }
}

const BENT = 'the target would not keep a value as it is';

export interface RunOptions {
  readonly packetBytesMax: number;
  /** Names that may stand in messages. */
  readonly names: ReadonlySet<string>;
  /** In an exchange for each statement, so that the server can be asked about it. */
  readonly oneByOne: boolean;
}

/** One exchange takes so much text, if the server does not want less: enough that the way there and back does not count. */
const EXCHANGE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Runs statements in few exchanges.
 *
 * @throws RowsFailed when rows are what a statement fails for, or a value was bent; TidingsError for everything else
 */
export async function runStatements(
  connection: TargetConnection,
  statements: readonly Statement[],
  options: RunOptions,
): Promise<void> {
  const most = options.oneByOne ? 0 : Math.min(EXCHANGE_BYTES_MAX, options.packetBytesMax - 1024);
  for (let at = 0; at < statements.length;) {
    const group: Statement[] = [];
    for (let length = 0; at < statements.length; at++) {
      const statement = statements[at] as Statement;
      length += statement.sql.length + 1;
      if (group.length > 0 && length > most) break;
      group.push(statement);
    }
    // oxlint-disable-next-line no-await-in-loop -- one transaction on one connection
    await runGroup(connection, group, options);
  }
}

async function runGroup(connection: TargetConnection, group: readonly Statement[], options: RunOptions): Promise<void> {
  const { packetBytesMax, names } = options;
  const sql = group.map((statement) => statement.sql).join(';');
  // The text's length is of UTF-16 units; only what comes near the limit is counted exactly. The server closes the connection over too much.
  if (sql.length * 3 > packetBytesMax && Buffer.byteLength(sql) > packetBytesMax - 1024) {
    if (group.length === 1) throw new RowsFailed("it is larger than the target's max_allowed_packet");
    const half = group.length >> 1;
    await runGroup(connection, group.slice(0, half), options);
    await runGroup(connection, group.slice(half), options);
    return;
  }
  let results: readonly StatementResult[];
  try {
    results = await connection.statements(sql);
  } catch (error) {
    if (!(error instanceof StatementFailed)) throw error;
    const reply = serverReply(error.error);
    if (reply !== null && isRowError(reply)) throw new RowsFailed(rowReason(reply, names));
    throw writeError(error.error, 'cannot write rows');
  }
  for (const [i, statement] of group.entries()) {
    const result = results[i];
    if (result === undefined) continue;
    // oxlint-disable-next-line no-await-in-loop -- the last thing that is asked
    if (isBent(statement, result)) throw await bent(connection, options);
    check(statement, result, names);
  }
}

function isBent({ expects }: Statement, { warnings }: StatementResult): boolean {
  return warnings > 0 && (expects === 'exact' || expects === 'one-row');
}

/** What the server has to say about the last statement: that is the one in question only where they run one by one. */
async function bent(connection: TargetConnection, { oneByOne, names }: RunOptions): Promise<RowsFailed> {
  const [warning] = oneByOne ? await connection.rows('SHOW WARNINGS') : [];
  if (warning === undefined) return new RowsFailed(BENT);
  const reply = { number: Number(warning['Code']), message: String(warning['Message']), state: '' };
  return new RowsFailed(rowReason(reply, names));
}

function check({ expects }: Statement, { matched, rows }: StatementResult, names: ReadonlySet<string>): void {
  if (expects === 'setting' || expects === 'any') return;
  if (expects === 'exact' || expects === 'one-row') {
    if (expects === 'one-row' && matched === 0) {
      throw new RowsFailed(
        'the target does not have the row that it changes, and not all of its columns were logged, or it has no key',
        { missing: true },
      );
    }
    return;
  }
  for (const row of rows) {
    const message = String(row['Message']);
    const number = Number(row['Code']);
    if (number === 1265 && columnIn(message, expects) !== null) continue;
    throw new RowsFailed(rowReason({ number, message, state: '' }, names));
  }
}

/** The rows of a batch that the target refuses, and why. */
export type Refusal = { readonly index: number; readonly reason: string; readonly missing: boolean };

/**
 * Finds the rows that a batch failed for by halving: a half that works stays in the open transaction for what comes after it, one that fails is taken back and halved. All
 * is the caller's to undo.
 *
 * @throws TidingsError
 */
export async function findRefused(
  rows: readonly SinkRow[],
  {
    attempt,
    connection,
    refusedMax,
  }: {
    /** Writes rows in the open transaction. @throws RowsFailed, RowUnfit, TidingsError */
    readonly attempt: (rows: readonly SinkRow[], options: { readonly oneByOne: boolean }) => Promise<void>;
    readonly connection: TargetConnection;
    /** When so many are found, the rest is left for the next time. */
    readonly refusedMax: number;
  },
): Promise<readonly Refusal[]> {
  const refused: Refusal[] = [];
  const halve = async (from: number, to: number): Promise<void> => {
    const middle = (from + to) >> 1;
    await search(from, middle);
    await search(middle, to);
  };
  const search = async (from: number, to: number): Promise<void> => {
    if (refused.length >= refusedMax) return;
    const savepoint = `tidings_${from}_${to}`;
    await connection.execute(`SAVEPOINT ${savepoint}`, 'set a savepoint');
    try {
      await attempt(rows.slice(from, to), { oneByOne: to - from === 1 });
      return;
    } catch (error) {
      const failure = rowFailure(error);
      if (failure === null) throw error;
      await connection.execute(`ROLLBACK TO SAVEPOINT ${savepoint}`, 'go back to a savepoint');
      if (to - from === 1) {
        refused.push({ index: from, ...failure });
        return;
      }
    }
    await halve(from, to);
  };
  // All together they have failed already.
  await (rows.length > 1 ? halve(0, rows.length) : search(0, rows.length));
  return refused;
}

/** Null for a failure that is not a row's. */
export function rowFailure(error: unknown): { readonly reason: string; readonly missing: boolean } | null {
  if (error instanceof RowsFailed) return { reason: error.message, missing: error.missing };
  if (error instanceof RowUnfit) return { reason: error.message, missing: error.missing };
  return null;
}
