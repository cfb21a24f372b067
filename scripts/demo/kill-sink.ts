import type { Connection, RowDataPacket } from 'mysql2/promise';
import { number, type Screen, seconds } from './screen.ts';
import { TILL } from './shop.ts';
import type { SinkProcess } from './sink-process.ts';
import { untilTrue, type Watch } from './waiting.ts';

export interface SinkScene {
  readonly sink: SinkProcess;
  /** To the copy's database. */
  readonly copy: Connection;
  readonly screen: Screen;
  readonly watch: Watch;
}

/** What the sink has open in the second database. */
interface OpenWork {
  readonly transactions: number;
  /** That they have written, with the rows of their checkpoints; null when the server cannot say. */
  readonly rows: number | null;
}

/** Lanes of the sink that are caught in the middle before it is killed. */
const CAUGHT_MIN = 2;
/** Both servers make the list of transactions anew only when nobody has read it for 100 ms (`CACHE_MIN_IDLE_TIME`): asked more often, it never changes. */
const LOOK_MS = 250;
/** MySQL shows transactions with their statements, as text that must not have characters beyond the BMP. */
const STATEMENT_NOT_SHOWN = 3854;

/**
 * The sink dies with transactions open: it is caught in them, as somebody else has locked a table that it wants to write. What stood in them must be
 * undone, and come again; what was committed must not.
 */
export async function killSink({ sink, copy, screen, watch }: SinkScene): Promise<void> {
  await watch.within(
    untilTrue(async () => await hasRows(copy, TILL), watch.signal),
    `No row of the table ${TILL} came to the second database`,
  );
  const { caught, scns } = await watch.within(killInTransaction({ sink, copy, watch }), 'The sink wrote nothing');
  const killedMs = performance.now();
  screen.line(
    `  ${screen.paint('red', 'killed')}   the sink (SIGKILL) in the middle of ${caught.transactions} transactions in the second database, ` +
      `${caught.rows === null ? 'their rows' : `${number(caught.rows)} rows`} written and not committed`,
  );
  await watch.within(sink.start(watch.signal), 'The sink did not start again');
  await watch.within(
    untilTrue(async () => (await checkpoints(copy)) > scns, watch.signal),
    'The sink, which was started again, did not write',
  );
  screen.line(
    `  ${screen.paint('green', 'back')}     the second database is written again ${seconds(performance.now() - killedMs)} after the kill; ` +
      'what was not committed came again',
  );
}

/** Resolves when the sink is dead, and what it had begun is undone. */
async function killInTransaction({
  sink,
  copy,
  watch,
}: Pick<SinkScene, 'sink' | 'copy' | 'watch'>): Promise<{ readonly caught: OpenWork; readonly scns: bigint }> {
  let caught: OpenWork = { transactions: 0, rows: 0 };
  const isCaught = "state LIKE 'Waiting for table%'";
  await copy.query('LOCK TABLES products WRITE');
  try {
    await untilTrue(
      async () => {
        // Those that wait have written their checkpoints at least.
        caught = (await openWork(copy, isCaught)) ?? { transactions: await sessions(copy, isCaught), rows: null };
        return caught.transactions >= CAUGHT_MIN;
      },
      watch.signal,
      LOOK_MS,
    );
    await sink.kill();
  } finally {
    await copy.query('UNLOCK TABLES');
  }
  await untilTrue(async () => (await openWork(copy))?.transactions === 0, watch.signal, LOOK_MS);
  return { caught, scns: await checkpoints(copy) };
}

/** The transactions that have written rows; null when the server cannot say. */
async function openWork(copy: Connection, condition = 'TRUE'): Promise<OpenWork | null> {
  try {
    const [rows] = await copy.query<RowDataPacket[]>(
      'SELECT COUNT(*) AS transactions, COALESCE(SUM(trx_rows_modified), 0) AS written ' +
        'FROM information_schema.innodb_trx JOIN information_schema.processlist ON id = trx_mysql_thread_id ' +
        `WHERE trx_rows_modified > 0 AND ${condition}`,
    );
    return { transactions: Number(rows[0]?.['transactions']), rows: Number(rows[0]?.['written']) };
  } catch (error) {
    if ((error as { errno?: number }).errno !== STATEMENT_NOT_SHOWN) throw error;
    return null;
  }
}

/** Others than our own. */
async function sessions(copy: Connection, condition: string): Promise<number> {
  const [rows] = await copy.query<RowDataPacket[]>(
    `SELECT COUNT(*) AS n FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND ${condition}`,
  );
  return Number(rows[0]?.['n']);
}

/** Grows with each commit of the sink. */
async function checkpoints(copy: Connection): Promise<bigint> {
  const [rows] = await copy.query<RowDataPacket[]>('SELECT CAST(SUM(scn) AS CHAR) AS scns FROM _tidings_checkpoint');
  return BigInt(String(rows[0]?.['scns'] ?? 0));
}

async function hasRows(copy: Connection, table: string): Promise<boolean> {
  const [made] = await copy.query<RowDataPacket[]>('SHOW TABLES LIKE ?', [table]);
  if (made.length === 0) return false;
  const [rows] = await copy.query<RowDataPacket[]>(`SELECT 1 FROM ${table} LIMIT 1`);
  return rows.length > 0;
}
