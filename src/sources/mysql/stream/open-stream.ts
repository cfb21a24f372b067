import { TidingsError } from '../../../core/errors.ts';
import type { MysqlSourceSettings } from '../config.ts';
import { GtidTrail } from '../gtid/gtid-trail.ts';
import type { MysqlPosition, PositionRequest } from '../mysql-position.ts';
import { checkBeforeReading } from '../preflight/check-before-reading.ts';
import { BinlogSession } from '../protocol/binlog-session.ts';
import { QueryConnection, type ServerAddress } from '../../../drivers/mysql/connect.ts';
import { DumpConnection } from '../protocol/dump-connection.ts';
import { SchemaHistory, type SchemaHistoryOptions } from '../schema/schema-history.ts';
import { readServer, type Server } from '../server.ts';
import { checkResumable, dumpStart, presentPosition, resolveStart } from '../start-position.ts';
import type { TableSelection } from '../table-selection.ts';
import { type Target, Until } from '../until.ts';
import { Assembler } from './assembler.ts';
import type { EventSource } from './event-source.ts';
import { type BinlogFileSeen, checkNotReset, checkSameFile } from './reset-check.ts';
import { checkServerId, type FormerConnection } from './server-id.ts';
import { readPrepared, scanDdl, type SideOptions } from './side-session.ts';
import { XaTransactions } from './xa-transactions.ts';

/** What outlives a connection: enough to go on with the next one. */
export interface Resume {
  /** The end of the last complete transaction that was read. */
  position: MysqlPosition;
  /** A part of the transaction behind it was handed over. */
  partHandedOver: boolean;
  readonly server: Server;
  readonly history: SchemaHistory;
  readonly xa: XaTransactions;
  readonly until: Until | null;
  skipBeforeUs: number | null;
  /** Of the server that is being read. */
  fileSeen: BinlogFileSeen | null;
  stream: OpenStream | null;
}

/** A running stream: where events come from, and what makes transactions of them. */
export interface OpenStream {
  readonly session: BinlogSession;
  readonly assembler: Assembler;
  /** The session, and on top of it what is read in between: the last one is asked for events. */
  readonly sources: EventSource[];
  readonly resume: Resume;
  readonly until: Until | null;
  bytesTaken: number;
  takenAtMs: number;
  /** When the server last sent anything, ms since 1970 UTC. */
  heardMs: number;
  takenPosition: MysqlPosition | null;
  /** While on, a position that has moved is handed over at once. */
  readonly hurry: { readonly on: boolean };
  /** What stopped the stream, once the transactions before it are handed over. */
  failure: { readonly error: unknown } | null;
  /** The target is reached. */
  ended: boolean;
  close(): void;
}

export interface StreamOptions {
  readonly settings: MysqlSourceSettings;
  readonly address: ServerAddress;
  readonly selection: TableSelection;
  readonly from: PositionRequest | { readonly kind: 'position'; readonly position: MysqlPosition };
  readonly until: PositionRequest | null;
  readonly resume: Resume | null;
  readonly signal: AbortSignal;
  /** The last connection that asked for the binlog, whatever became of it; kept up by `openStream`. */
  readonly former: { connection: FormerConnection | null };
  readonly hurry: { readonly on: boolean };
}

/** Connects, finds out where to begin, and starts the dump. */
export async function openStream(options: StreamOptions): Promise<OpenStream> {
  const { settings, address, signal } = options;
  const connection = await DumpConnection.open(address, signal);
  const abandon = (): void => connection.close();
  signal.addEventListener('abort', abandon);
  try {
    signal.throwIfAborted();
    return await start(connection, options);
  } catch (error) {
    connection.close();
    throw error;
  } finally {
    signal.removeEventListener('abort', abandon);
    settings.log.debug({ host: address.host, port: address.port }, 'connected');
  }
}

async function start(connection: DumpConnection, options: StreamOptions): Promise<OpenStream> {
  const { settings, address, selection, signal } = options;
  const { queries } = connection;
  const server = await readServer(queries);
  if (options.resume === null) await checkBeforeReading(queries, { server, settings, address });
  if (!server.binlogEnabled) {
    throw new TidingsError('BINLOG_DISABLED', 'the server writes no binary log (log_bin is OFF)');
  }
  const side: SideOptions = { address, server, eventBytesMax: settings.eventBytesMax, signal };
  const { former } = options;
  await checkServerId(settings.serverId, { queries, server, former: former.connection, signal });
  const resume = await resumeOrBegin(options, connection, side);
  const historyOptions = schemaOptions(options, side);
  resume.history.continueWith(historyOptions);
  resume.xa.continueWith((xid, from, before) => readPrepared(side, { xid, from, before }));
  resume.xa.abandon();
  former.connection = { server: server.identity, id: queries.id };
  const from = dumpStart(resume.position, server);
  const session = await BinlogSession.start(connection, server, {
    from,
    options: {
      serverId: settings.serverId,
      heartbeatMs: settings.heartbeatMs,
      eventBytesMax: settings.eventBytesMax,
      annotate: settings.statements,
      signal,
    },
  });
  const assembler = new Assembler(
    {
      server,
      selection,
      history: resume.history,
      xa: resume.xa,
      json: settings.json,
      eventBytesMax: settings.eventBytesMax,
      statementChanges: settings.statementChanges,
      ignoreOrigin: settings.ignoreOrigin,
      log: settings.log,
      format: () => session.format,
      fileBegins: (seen) => {
        checkSameFile(seen, resume.fileSeen);
        resume.fileSeen = seen;
      },
    },
    resume.position,
    { expectRestart: resume.partHandedOver, byGtids: from.kind !== 'place' },
  );
  assembler.transactions.skipBeforeUs = resume.skipBeforeUs;
  const sources: EventSource[] = [session];
  const stream: OpenStream = {
    session,
    assembler,
    sources,
    resume,
    until: resume.until,
    bytesTaken: 0,
    takenAtMs: performance.now(),
    heardMs: Date.now(),
    takenPosition: resume.position,
    hurry: options.hurry,
    failure: null,
    ended: false,
    close() {
      // What was read in full stands, whatever was handed over: a new connection goes on from there.
      resume.position = assembler.end;
      resume.partHandedOver = assembler.transactions.openWasHandedOver;
      resume.skipBeforeUs = assembler.transactions.skipBeforeUs;
      resume.stream = null;
      for (const source of sources) source.close();
    },
  };
  resume.stream = stream;
  settings.log.info(
    {
      server: server.versionText,
      flavour: server.flavour,
      position: String(resume.position),
      serverId: settings.serverId,
    },
    options.resume === null ? 'reading begins' : 'reading goes on',
  );
  return stream;
}

async function resumeOrBegin(
  { settings, from, until, resume, selection, address }: StreamOptions,
  { queries }: DumpConnection,
  side: SideOptions,
): Promise<Resume> {
  const { server } = side;
  if (resume !== null) {
    if (
      server.flavour !== resume.server.flavour ||
      (server.identity !== resume.server.identity && (resume.position.gtids === null || !server.gtid))
    ) {
      throw new TidingsError(
        'SERVER_CHANGED',
        `the server at ${address.host}:${address.port} is not the one that was being read`,
        {
          details: { before: resume.server.identity, now: server.identity },
        },
      );
    }
    await checkResumable(resume.position, queries, server);
    if (server.identity === resume.server.identity) {
      await checkNotReset(resume.position, queries, server);
    } else {
      resume.until?.forgetPlaces();
      resume.fileSeen = null;
    }
    return resume;
  }
  const begin =
    from.kind === 'position'
      ? { position: from.position, skipBeforeUs: null, exact: true }
      : await resolveStart(from, queries, side);
  if (from.kind === 'position') await checkResumable(from.position, queries, server);
  const target = until === null ? null : await resolveTarget(until, queries, server);
  const history = new SchemaHistory(schemaOptions({ settings, selection, address }, side));
  if (begin.exact && server.settings.get('binlog_row_metadata') !== 'FULL') await history.readAhead(begin.position);
  // They hold at the position that was asked for, not at the one that another iteration of this source has come to.
  if (isPosition(from)) history.begin(settings.knownTables);
  return {
    position: begin.position,
    partHandedOver: false,
    server,
    history,
    xa: new XaTransactions(),
    until: target === null ? null : new Until(target),
    skipBeforeUs: begin.skipBeforeUs,
    fileSeen: null,
    stream: null,
  };
}

function isPosition({ kind }: StreamOptions['from']): boolean {
  return kind === 'place' || kind === 'mysql-gtids' || kind === 'mariadb-gtids';
}

function schemaOptions(
  { settings, selection, address }: Pick<StreamOptions, 'settings' | 'selection' | 'address'>,
  side: SideOptions,
): SchemaHistoryOptions {
  return {
    server: side.server,
    selection,
    log: settings.log,
    openQueries: () => QueryConnection.open(address, side.signal),
    scanDdl: (from, to) => scanDdl(side, from, to),
  };
}

async function resolveTarget(
  until: PositionRequest,
  queries: QueryConnection,
  server: Server,
): Promise<readonly Target[]> {
  switch (until.kind) {
    case 'now': {
      // Either will do; after a failover only the GTIDs mean anything.
      const { file, offset, gtids } = await presentPosition(queries, server);
      const place: Target = { kind: 'place', place: { file, offset } };
      if (gtids instanceof GtidTrail) return [place, { kind: 'mysql-gtids', set: gtids.toSet() }];
      return gtids === null || gtids.isEmpty ? [place] : [place, { kind: 'mariadb-gtids', position: gtids }];
    }
    case 'place':
      return [{ kind: 'place', place: until.place }];
    case 'mysql-gtids':
      if (server.flavour === 'mysql' && server.gtid) return [{ kind: 'mysql-gtids', set: until.set }];
      throw new TidingsError('POSITION_INVALID', 'the target is a MySQL GTID set, which this server does not use');
    case 'mariadb-gtids':
      if (server.flavour === 'mariadb') return [{ kind: 'mariadb-gtids', position: until.position }];
      throw new TidingsError(
        'POSITION_INVALID',
        'the target is a MariaDB GTID position, which this server does not use',
      );
    default:
      throw new TidingsError('POSITION_INVALID', 'a stream ends at `now` or at a position');
  }
}
