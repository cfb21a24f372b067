import { systemClock } from '../../../base/clock.ts';
import { TidingsError } from '../../../core/errors.ts';
import { GtidTrail } from '../gtid/gtid-trail.ts';
import { MariadbGtidPosition } from '../gtid/mariadb-gtid.ts';
import type { MysqlPosition } from '../mysql-position.ts';
import { type BinlogPlace, comparePlaces } from '../server.ts';
import { quoteText } from './names.ts';
import type { SnapshotConnection } from './snapshot-connection.ts';

/** A transaction in the binlog that its engine has not committed yet is mostly there a moment later. */
const PAUSE_MS = 2;
/** After so many looks the server is asked what lies in between, which costs it more. */
const QUICK_LOOKS = 10;

const XA_LOOKS = 10;
const XA_PAUSE_MS = 10;

export interface ReadView {
  /** What the SELECT needs behind it so that it sees everything; empty: it sees it as it is. */
  readonly lock: string;
}

/**
 * Begins a read-only transaction whose reads see everything up to a place of the binlog.
 *
 * A transaction is in the binlog, and so in the stream, before its engine lets others see it: sync_binlog's write stands between the two. A
 * read that begins behind the stream's place may therefore see less than the stream has brought already, and an older value would follow a newer
 * one. What keeps it from that, without a lock and without a write:
 *
 * - MariaDB says, for a consistent snapshot, the place of the binlog to which it belongs: both are taken under the lock under which engines commit
 *   in the binlog's order. The snapshot is opened again until that place is not before the stream's. XA transactions: see `xaCommitsEnd`.
 * - MySQL with GTIDs adds a transaction to gtid_executed behind its engine's commit. The read begins once all of the stream's are in there.
 * - MySQL without GTIDs has nothing that would tell. There the chunk is a locking read: such a transaction holds its row locks until its engine
 *   has committed, so that a shared lock on the rows waits for it. In READ COMMITTED only rows are locked that are read, and for as long as the
 *   chunk is read.
 *
 * @throws TidingsError SNAPSHOT_SERVER_CHANGED when the server does not come to that place, or it is one of another server: before the stream
 *   has come to a place of this one, nobody could tell when it has come to what a read of this one saw
 */
export async function openReadView(
  connection: SnapshotConnection,
  since: MysqlPosition,
  { patienceMs, signal }: { readonly patienceMs: number; readonly signal: AbortSignal },
): Promise<ReadView> {
  const deadlineMs = performance.now() + patienceMs;
  const { server, reader } = connection;
  if (since.server !== null && since.server !== server.identity) {
    throw new TidingsError(
      'SNAPSHOT_SERVER_CHANGED',
      'the stream has not come to a place of the server that the snapshot reads',
      {
        details: { stream: since.server, snapshot: server.identity },
      },
    );
  }
  const pause = async (looks: number): Promise<void> => {
    if (performance.now() > deadlineMs) throw notThere(since, patienceMs);
    await systemClock.sleep(Math.min(looks, QUICK_LOOKS) * PAUSE_MS, signal);
  };
  if (server.flavour === 'mariadb') {
    await xaCommitsEnd(connection, signal);
    for (let looks = 1; ; looks++) {
      // oxlint-disable-next-line no-await-in-loop -- each look is at a new snapshot
      await begin(connection, 'START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT');
      // oxlint-disable-next-line no-await-in-loop -- as above
      if (await snapshotCovers(connection, since, looks > QUICK_LOOKS)) return { lock: '' };
      // oxlint-disable-next-line no-await-in-loop -- as above
      await connection.commit();
      // oxlint-disable-next-line no-await-in-loop -- as above
      await pause(looks);
    }
  }
  if (since.gtids instanceof GtidTrail && server.gtid) {
    const ask = `SELECT @@GLOBAL.gtid_mode AS mode, GTID_SUBSET('${since.gtids.toString()}', @@GLOBAL.gtid_executed) AS done`;
    for (let looks = 1; ; looks++) {
      // oxlint-disable-next-line no-await-in-loop -- each look is a new one
      const [row] = await reader.query(ask);
      // Turned off meanwhile: transactions come without GTIDs now.
      if (row?.['mode'] !== 'ON') break;
      if (row['done'] === '1') {
        // oxlint-disable-next-line no-await-in-loop -- the last round
        await begin(connection, 'START TRANSACTION READ ONLY');
        return { lock: '' };
      }
      // oxlint-disable-next-line no-await-in-loop -- as above
      await pause(looks);
    }
  }
  await begin(connection, 'START TRANSACTION READ ONLY');
  // What MySQL 5.7 calls it; in later versions that asks for more privileges than SELECT.
  return { lock: server.version >= 80_000 ? 'FOR SHARE' : 'LOCK IN SHARE MODE' };
}

/**
 * MariaDB commits a prepared XA transaction in its engine after it has told the binlog, and not under the lock of the others: the snapshot's
 * place may be behind it already. Until the engine has committed, XA RECOVER lists it. What is still listed a while later is not being
 * committed but only prepared: between the two lies no waiting.
 */
async function xaCommitsEnd({ reader }: SnapshotConnection, signal: AbortSignal): Promise<void> {
  const prepared = async (): Promise<string[]> =>
    (await reader.query('XA RECOVER')).map((row) => Object.values(row).join('\0'));
  let left = await prepared();
  for (let looks = 0; left.length > 0 && looks < XA_LOOKS; looks++) {
    // oxlint-disable-next-line no-await-in-loop -- each look is later
    await systemClock.sleep(XA_PAUSE_MS, signal);
    // oxlint-disable-next-line no-await-in-loop -- as above
    const now = new Set(await prepared());
    left = left.filter((xid) => now.has(xid));
  }
}

async function begin(connection: SnapshotConnection, statement: string): Promise<void> {
  connection.inTransaction = true;
  await connection.reader.query(statement);
}

async function snapshotCovers(
  { reader }: SnapshotConnection,
  since: MysqlPosition,
  thoroughly: boolean,
): Promise<boolean> {
  const place = { file: '', offset: 0 };
  for (const row of await reader.query("SHOW STATUS LIKE 'binlog_snapshot_%'")) {
    if (row['Variable_name']?.toLowerCase() === 'binlog_snapshot_file') place.file = row['Value'] ?? '';
    else if (row['Variable_name']?.toLowerCase() === 'binlog_snapshot_position') place.offset = Number(row['Value']);
  }
  if (place.file === '') throw new TidingsError('BINLOG_DISABLED', 'the server writes no binary log');
  const isPlace = since.server !== null;
  if (isPlace && baseName(place.file) === baseName(since.file) && comparePlaces(place, since) >= 0) return true;
  if (isPlace && !thoroughly) return false;
  // Nothing but the log's own bookkeeping may lie in between, or the server calls its files otherwise now: the GTIDs tell.
  const gtidsOf = async ({ file, offset }: BinlogPlace): Promise<MariadbGtidPosition | null> => {
    const [row] = await reader.query(`SELECT BINLOG_GTID_POS(${quoteText(file)}, ${offset}) AS gtids`);
    const text = row?.['gtids'] ?? null;
    return text === null ? null : MariadbGtidPosition.parse(text);
  };
  const seen = await gtidsOf(place);
  const wanted = since.gtids instanceof MariadbGtidPosition ? since.gtids : await gtidsOf(since);
  if (seen === null || wanted === null) return false;
  if (seen.covers(wanted)) return true;
  if (isPlace) return false;
  // The server lets a stream resume behind a GTID of a domain of which its binlog has nothing: there is nothing to be seen of it either.
  const [state] = await reader.query('SELECT @@GLOBAL.gtid_binlog_state AS state');
  const domains = new Set((state?.['state'] ?? '').split(',').map((gtid) => Number(gtid.split('-')[0])));
  return seen.covers(MariadbGtidPosition.of(wanted.gtids().filter(({ domain }) => domains.has(domain))));
}

function baseName(file: string): string {
  return file.slice(0, file.lastIndexOf('.'));
}

function notThere(since: MysqlPosition, patienceMs: number): TidingsError {
  return new TidingsError(
    'SNAPSHOT_SERVER_CHANGED',
    `the server that the snapshot reads has not come to ${since.file}:${since.offset} within ${patienceMs} ms`,
    { details: { file: since.file, offset: since.offset } },
  );
}
