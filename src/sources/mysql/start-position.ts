import { systemClock } from '../../base/clock.ts';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import { GtidTrail } from './gtid/gtid-trail.ts';
import { formatMariadbGtid, MariadbGtidPosition, parseMariadbGtid } from './gtid/mariadb-gtid.ts';
import { MysqlGtidSet } from './gtid/mysql-gtid-set.ts';
import { MysqlPosition, type PositionRequest } from './mysql-position.ts';
import type { DumpStart } from './protocol/binlog-session.ts';
import type { QueryConnection } from '../../drivers/mysql/connect.ts';
import {
  askOne,
  type BinlogFile,
  binlogFiles,
  type BinlogPlace,
  compareFiles,
  comparePlaces,
  currentPlace,
  type Server,
  textOf,
} from './server.ts';
import { fileCreatedAtUs, type SideOptions } from './stream/side-session.ts';

/**
 * For a server that has not executed what the position includes. A replica that takes over is often a moment behind, and MySQL counts a
 * transaction as executed only when its engine has committed it, which is after it was sent.
 */
const CATCH_UP_MS = 2000;
const CATCH_UP_PAUSE_MS = 50;

/** Where a stream begins, and from which commit time on transactions count. */
export interface Start {
  readonly position: MysqlPosition;
  /** µs since 1970 UTC; null: all. */
  readonly skipBeforeUs: number | null;
  /**
   * Reading begins at this very place. False where it is only known to begin there or further on, or where so much lies ahead that
   * the server's present definitions say little about it.
   */
  readonly exact: boolean;
}

/**
 * Turns `from` into a position of this server, and checks that the server has everything behind it.
 *
 * @throws TidingsError POSITION_INVALID, POSITION_UNKNOWN, BINLOG_PURGED, BINLOG_RESET
 */
export async function resolveStart(
  request: PositionRequest,
  queries: QueryConnection,
  side: SideOptions,
): Promise<Start> {
  const { server } = side;
  switch (request.kind) {
    case 'now':
      return { position: await presentPosition(queries, server), skipBeforeUs: null, exact: true };
    case 'earliest': {
      const [first] = await requireFiles(queries);
      return {
        position: new MysqlPosition(first?.file ?? '', 4, null, server.identity),
        skipBeforeUs: null,
        exact: false,
      };
    }
    case 'time': {
      const place = await placeOfTime(request.atUs, await requireFiles(queries), side);
      const position = new MysqlPosition(place.file, place.offset, null, server.identity);
      return { position, skipBeforeUs: request.atUs, exact: false };
    }
    case 'place': {
      await checkPlace(request.place, queries, server);
      return { position: await positionOfPlace(request.place, queries, server), skipBeforeUs: null, exact: true };
    }
    case 'mysql-gtids':
    case 'mariadb-gtids': {
      const gtids = gtidsOf(request, server);
      // Where they end in the binlog is told by the stream. Until then: no place that could be taken for one further on.
      const [first] = await requireFiles(queries);
      const position = new MysqlPosition(first?.file ?? '', 4, gtids, null);
      await checkResumable(position, queries, server);
      const present = await presentPosition(queries, server);
      const atEnd = present.toString() === position.toString();
      return { position: atEnd ? present : position, skipBeforeUs: null, exact: atEnd };
    }
  }
}

/** The server's own present position. */
export async function presentPosition(queries: QueryConnection, server: Server): Promise<MysqlPosition> {
  const { file, offset, executed } = await currentPlace(queries, server);
  const at = (gtids: MysqlPosition['gtids']): MysqlPosition => new MysqlPosition(file, offset, gtids, server.identity);
  if (!server.gtid) return at(null);
  if (server.flavour === 'mysql') return at(GtidTrail.from(MysqlGtidSet.parse(executed)));
  // The GTIDs of exactly that place: gtid_binlog_pos by itself may be of a moment later.
  const gtids = await askOne(queries, `SELECT BINLOG_GTID_POS('${file}', ${offset})`);
  return at(MariadbGtidPosition.parse(gtids ?? ''));
}

async function requireFiles(queries: QueryConnection): Promise<readonly BinlogFile[]> {
  const files = await binlogFiles(queries);
  if (files.length === 0) throw new TidingsError('BINLOG_DISABLED', 'the server has no binary log');
  return files;
}

function gtidsOf(
  request: PositionRequest & { kind: 'mysql-gtids' | 'mariadb-gtids' },
  server: Server,
): GtidTrail | MariadbGtidPosition {
  if (request.kind === 'mariadb-gtids') {
    if (server.flavour === 'mariadb') return request.position;
    throw wrongKind('a MariaDB GTID position', server);
  }
  if (server.flavour !== 'mysql') throw wrongKind('a MySQL GTID set', server);
  if (!server.gtid) {
    throw new TidingsError('POSITION_INVALID', 'the position is a GTID set, and the server runs without gtid_mode=ON', {
      hint: 'Start from file:offset, or turn gtid_mode on.',
    });
  }
  return GtidTrail.from(request.set);
}

function wrongKind(what: string, server: Server): TidingsError {
  return new TidingsError(
    'POSITION_INVALID',
    `the position is ${what}, the server is ${server.flavour} ${server.versionText}`,
  );
}

/** A place with the GTIDs before it, where the server can tell them: MySQL cannot for the middle of a file, and tells them with the next file. */
async function positionOfPlace(
  { file, offset }: BinlogPlace,
  queries: QueryConnection,
  server: Server,
): Promise<MysqlPosition> {
  const at = (known: MysqlPosition['gtids']): MysqlPosition => new MysqlPosition(file, offset, known, server.identity);
  if (server.flavour !== 'mariadb' || offset <= 4) return at(null);
  // The GTIDs of a place inside a transaction include that transaction: reading from them would pass over its rest.
  await checkBetweenTransactions({ file, offset }, queries);
  const gtids = await askOne(queries, `SELECT BINLOG_GTID_POS(${quote(file)}, ${offset})`);
  return at(gtids === null ? null : MariadbGtidPosition.parse(gtids));
}

/** What a MariaDB binlog has between transactions, as SHOW BINLOG EVENTS calls it. */
const BETWEEN_TRANSACTIONS = /^(Gtid|Gtid_list|Binlog_checkpoint|Start_encryption|Format_desc|Rotate|Stop|Incident)$/i;

async function checkBetweenTransactions({ file, offset }: BinlogPlace, queries: QueryConnection): Promise<void> {
  const ask = queries.query(`SHOW BINLOG EVENTS IN ${quote(file)} FROM ${offset} LIMIT 1`);
  const [event] = await ask.catch((error: unknown) => {
    if (!isTidingsError(error) || error.code !== 'SERVER_ERROR') throw error;
    throw new TidingsError('POSITION_INVALID', `no event begins at ${file}:${offset}`, { cause: error });
  });
  if (event === undefined || BETWEEN_TRANSACTIONS.test(textOf(event, 'Event_type'))) return;
  throw new TidingsError('POSITION_INVALID', `${file}:${offset} lies inside a transaction`, {
    hint: 'Start at a transaction’s end: the positions that Tidings prints always are.',
    details: { file, offset },
  });
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** The last file that was surely begun before the time: everything committed from then on lies in it or behind it. */
async function placeOfTime(atUs: number, files: readonly BinlogFile[], side: SideOptions): Promise<BinlogPlace> {
  let low = 0;
  let high = files.length - 1;
  // Header times have whole seconds: what was committed at the time may lie in the file before one that began in the same second.
  const beginsAfter = atUs - 1_000_000;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    // oxlint-disable-next-line no-await-in-loop -- each look depends on the one before
    if ((await fileCreatedAtUs(side, files[middle]?.file ?? '')) <= beginsAfter) low = middle;
    else high = middle - 1;
  }
  const found = files[low] as BinlogFile;
  if (low === 0 && !/\.0*1$/.test(found.file) && (await fileCreatedAtUs(side, found.file)) > atUs) {
    throw new TidingsError(
      'BINLOG_PURGED',
      `the server's binlog begins with ${found.file}, after the time that reading is to start from`,
      {
        details: { file: found.file },
      },
    );
  }
  return { file: found.file, offset: 4 };
}

/**
 * Checks that the server still has, and ever had, what lies behind a position: the dump's own error would not tell why not.
 *
 * @throws TidingsError BINLOG_PURGED, BINLOG_RESET, POSITION_UNKNOWN
 */
export async function checkResumable(position: MysqlPosition, queries: QueryConnection, server: Server): Promise<void> {
  const { gtids } = position;
  if (gtids instanceof GtidTrail && server.gtid) {
    const executed = gtids.toSet();
    await checkNotPurged(executed, queries);
    await checkKnown(() => unknownToMysql(executed, queries));
    return;
  }
  if (gtids instanceof MariadbGtidPosition && !gtids.isEmpty && server.gtid) {
    // MariaDB refuses them, too, but not before something is to be sent. What it has purged it says itself.
    await checkKnown(() => unknownToMariadb(gtids, queries));
    return;
  }
  await checkPlace(position, queries, server);
}

/** @param unknown which GTIDs the server does not know; empty: none @throws TidingsError POSITION_UNKNOWN */
async function checkKnown(unknown: () => Promise<string>): Promise<void> {
  const deadlineMs = performance.now() + CATCH_UP_MS;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- each look is later
    const gtids = await unknown();
    if (gtids === '') return;
    if (performance.now() > deadlineMs) {
      throw new TidingsError(
        'POSITION_UNKNOWN',
        `the server has never executed ${gtids}, which the position includes`,
        {
          hint: 'It was reset, it is another server, or a replica that is behind or has diverged. Use a server that has executed them, or take a new snapshot and start from `now`.',
          details: { unknown: gtids },
        },
      );
    }
    // oxlint-disable-next-line no-await-in-loop -- the pause between two looks
    await systemClock.sleep(CATCH_UP_PAUSE_MS);
  }
}

/** @throws TidingsError BINLOG_PURGED, BINLOG_RESET, POSITION_UNKNOWN */
async function checkPlace(position: BinlogPlace, queries: QueryConnection, server: Server): Promise<void> {
  const files = await requireFiles(queries);
  const first = files[0] as BinlogFile;
  const last = files.at(-1) as BinlogFile;
  const details = { position: `${position.file}:${position.offset}`, firstFile: first.file, lastFile: last.file };
  if (baseName(position.file) !== baseName(first.file)) {
    throw new TidingsError(
      'POSITION_UNKNOWN',
      `the server has no binlog file ${position.file}; its files are ${first.file} to ${last.file}`,
      { details },
    );
  }
  if (compareFiles(position.file, first.file) < 0) {
    throw new TidingsError(
      'BINLOG_PURGED',
      `${position.file} is no longer on the server, whose oldest binlog file is ${first.file}`,
      { details },
    );
  }
  const present = await currentPlace(queries, server);
  const own = files.find(({ file }) => file === position.file);
  if (
    own === undefined ||
    comparePlaces(position, present) > 0 ||
    (position.file !== present.file && position.offset > own.bytes)
  ) {
    throw new TidingsError(
      'BINLOG_RESET',
      `${position.file}:${position.offset} lies behind the end of the server's binlog, ${present.file}:${present.offset}`,
      { details },
    );
  }
}

/** @throws TidingsError BINLOG_PURGED */
async function checkNotPurged(executed: MysqlGtidSet, queries: QueryConnection): Promise<void> {
  const purged = await mysqlGtids('gtid_purged', queries);
  const missing = purged.subtract(executed);
  if (!missing.isEmpty) {
    throw new TidingsError(
      'BINLOG_PURGED',
      `the server has purged transactions behind the position: ${missing.toString()}`,
      {
        details: { purged: missing.toString() },
      },
    );
  }
}

async function unknownToMysql(executed: MysqlGtidSet, queries: QueryConnection): Promise<string> {
  return executed.subtract(await mysqlGtids('gtid_executed', queries)).toString();
}

async function mysqlGtids(variable: 'gtid_purged' | 'gtid_executed', queries: QueryConnection): Promise<MysqlGtidSet> {
  return MysqlGtidSet.parse((await askOne(queries, `SELECT @@GLOBAL.${variable}`)) ?? '');
}

async function unknownToMariadb(position: MariadbGtidPosition, queries: QueryConnection): Promise<string> {
  const state = ((await askOne(queries, 'SELECT @@GLOBAL.gtid_binlog_state')) ?? '').split(',').filter(Boolean);
  const known = state.map(parseMariadbGtid);
  const unknown = position.gtids().filter(({ domain, server, sequence }) => {
    const own = known.filter((gtid) => gtid.domain === domain);
    // A domain may be unknown to a server that has others. One that knows none at all was reset, or is new.
    return (
      known.length === 0 || (own.length > 0 && !own.some((gtid) => gtid.server === server && gtid.sequence >= sequence))
    );
  });
  return unknown.map(formatMariadbGtid).join(',');
}

function baseName(file: string): string {
  return file.slice(0, file.lastIndexOf('.'));
}

/** How a dump is asked for that begins at a position: by GTIDs when these are known, since any server of the group understands them. */
export function dumpStart({ file, offset, gtids }: MysqlPosition, server: Server): DumpStart {
  if (gtids !== null && server.gtid) {
    if (gtids instanceof GtidTrail) return { kind: 'mysql-gtids', executed: gtids.toSet() };
    // An empty state would mean "from the very first transaction", which is not the same as a place before any GTID.
    if (!gtids.isEmpty) return { kind: 'mariadb-gtids', position: gtids };
  }
  if (offset > 0xffff_ffff) {
    throw new TidingsError(
      'POSITION_INVALID',
      `${file}:${offset} cannot be asked for: the protocol has 32 bits for the offset`,
      {
        hint: 'Start at the next file, which always follows a transaction that long.',
      },
    );
  }
  return { kind: 'place', place: { file, offset } };
}
