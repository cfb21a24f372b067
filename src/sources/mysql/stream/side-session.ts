import {
  decodeQueryCompressedEvent,
  decodeQueryEvent,
  isBeginQuery,
  isCommitQuery,
  type QueryEvent,
} from '../binlog/query-event.ts';
import { EVENT_HEADER_LENGTH } from '../binlog/event-header.ts';
import { EVENT } from '../binlog/event-types.ts';
import { decodeMariadbGtidEvent } from '../binlog/mariadb-gtid-event.ts';
import { MARIADB_GTID_FLAG } from '../binlog/mariadb-gtid-flags.ts';
import { decodeRotateEvent } from '../binlog/rotate-event.ts';
import { rowsAction } from '../binlog/rows-event.ts';
import { formatXaId } from '../binlog/xa-id.ts';
import { TidingsError } from '../../../core/errors.ts';
import { randomServerId } from '../config.ts';
import { Catalog } from '../ddl/catalog.ts';
import { understandStatement } from '../ddl/understand-statement.ts';
import { BinlogSession } from '../protocol/binlog-session.ts';
import { QueryConnection, type ServerAddress } from '../../../drivers/mysql/connect.ts';
import { DumpConnection } from '../protocol/dump-connection.ts';
import type { TouchedTables } from '../schema/schema-history.ts';
import { statementContext, statementText } from '../schema/statement-context.ts';
import { binlogFiles, type BinlogPlace, comparePlaces, type Server } from '../server.ts';
import type { EventSource } from './event-source.ts';
import { classifyControl } from './statements.ts';

/** Where and how to open further replication streams beside the main one. */
export interface SideOptions {
  readonly address: ServerAddress;
  readonly server: Server;
  readonly eventBytesMax: number;
  /** Ends what is open, and with it whoever waits for it. */
  readonly signal: AbortSignal;
}

/** A second stream over a stretch of the binlog, for a question that the main one cannot answer. Not for handing over rows at speed. */
async function openSide(
  { address, server, eventBytesMax, signal }: SideOptions,
  place: BinlogPlace,
): Promise<BinlogSession> {
  const connection = await DumpConnection.open(address, signal);
  try {
    signal.throwIfAborted();
    return await BinlogSession.start(connection, server, {
      from: { kind: 'place', place },
      // Its own id: a second reader under the main stream's id would end that one.
      options: {
        serverId: randomServerId(),
        heartbeatMs: 1000,
        eventBytesMax,
        annotate: false,
        endsWithLog: true,
        signal,
      },
    });
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Follows file and offset of a side stream. */
class PlaceTracker {
  file: string;
  offset: number;

  constructor({ file, offset }: BinlogPlace) {
    this.file = file;
    this.offset = offset;
  }

  see({ bytes, view, start, end }: EventSource): void {
    const type = bytes[start + 4];
    if (type === EVENT.ROTATE) {
      const { file, position } = decodeRotateEvent(bytes.subarray(start + EVENT_HEADER_LENGTH, end));
      this.file = file;
      this.offset = position;
      return;
    }
    const next = view.getUint32(start + 13, true);
    if (next === 0) {
      if (type !== EVENT.FORMAT_DESCRIPTION) this.offset += view.getUint32(start + 9, true);
    } else if (next > this.offset || this.offset - next > 0x8000_0000) this.offset = next;
  }
}

/** Which tables the DDL between two places may touch. */
export async function scanDdl(options: SideOptions, from: BinlogPlace, to: BinlogPlace): Promise<TouchedTables> {
  const tables = new Set<string>();
  const databases = new Set<string>();
  let everything = false;
  const session = await openSide(options, from);
  const place = new PlaceTracker(from);
  const statement = (event: QueryEvent, flags: number): void => {
    if (classifyControl(event.query).kind !== 'statement') return;
    const { server } = options;
    const sql = statementText(event, server.flavour);
    const context = statementContext({
      event,
      flags,
      server,
      writtenBy: session.format?.serverVersion ?? server.versionText,
      // Nothing is known here, so every change of a definition is reported, none is worked out.
      catalog: new Catalog(),
    });
    const effect = sql === null ? null : understandStatement(sql, context);
    if (effect === null) everything = true;
    if (effect?.kind !== 'schema') return;
    for (const step of effect.steps) {
      switch (step.op) {
        case 'define':
          tables.add(`${step.definition.schema.database}.${step.definition.schema.name}`);
          break;
        case 'drop':
        case 'unknown':
          tables.add(`${step.table.database}.${step.table.name}`);
          break;
        case 'rename':
          tables.add(`${step.from.database}.${step.from.name}`);
          tables.add(`${step.to.database}.${step.to.name}`);
          break;
        case 'define-database':
        case 'drop-database':
        case 'unknown-database':
          databases.add(step.database);
          break;
        case 'unknown-all':
          everything = true;
          break;
        case 'truncate':
        case 'replace-rows':
          break;
      }
    }
  };
  try {
    for (;;) {
      while (session.next()) {
        const { bytes, view, start, end } = session;
        const body = start + EVENT_HEADER_LENGTH;
        place.see(session);
        const type = bytes[start + 4];
        const flags = view.getUint16(start + 17, true);
        if (type === EVENT.QUERY && !isBeginQuery(bytes, body, end) && !isCommitQuery(bytes, body, end)) {
          statement(decodeQueryEvent(bytes.subarray(body, end)), flags);
        } else if (type === EVENT.QUERY_COMPRESSED) {
          statement(decodeQueryCompressedEvent(bytes.subarray(body, end)), flags);
        }
        if (comparePlaces(place, to) >= 0) return { tables, databases, everything };
      }
      // oxlint-disable-next-line no-await-in-loop -- one read after the other
      await session.fill();
    }
  } finally {
    session.close();
  }
}

/** When the server began to write this file. µs since 1970 UTC. */
export async function fileCreatedAtUs(options: SideOptions, file: string): Promise<number> {
  const session = await openSide(options, { file, offset: 4 });
  try {
    for (;;) {
      while (session.next()) {
        const { bytes, view, start } = session;
        if (bytes[start + 4] === EVENT.FORMAT_DESCRIPTION) return view.getUint32(start, true) * 1_000_000;
      }
      // oxlint-disable-next-line no-await-in-loop -- one read after the other
      await session.fill();
    }
  } finally {
    session.close();
  }
}

/**
 * The changes of a prepared XA transaction, from the binlog.
 *
 * @param from where its group begins, or a place before it; null: not known, so the search begins with the oldest file
 * @throws TidingsError XA_PREPARE_LOST from `fill` when the group is not found before `before`
 */
export async function readPrepared(
  options: SideOptions,
  { xid, from, before }: { xid: string; from: BinlogPlace | null; before: BinlogPlace },
): Promise<EventSource> {
  const start = from ?? (await oldestPlace(options)) ?? before;
  return new PreparedSource(await openSide(options, start), { xid, place: new PlaceTracker(start), before });
}

async function oldestPlace({ address, signal }: SideOptions): Promise<BinlogPlace | null> {
  const queries = await QueryConnection.open(address, signal);
  try {
    const [oldest] = await binlogFiles(queries);
    return oldest === undefined ? null : { file: oldest.file, offset: 4 };
  } finally {
    queries.close();
  }
}

class PreparedSource implements EventSource {
  readonly #session: BinlogSession;
  readonly #xid: string;
  readonly #place: PlaceTracker;
  readonly #before: BinlogPlace;
  #inside = false;
  #done = false;

  constructor(
    session: BinlogSession,
    { xid, place, before }: { xid: string; place: PlaceTracker; before: BinlogPlace },
  ) {
    this.#session = session;
    this.#xid = xid;
    this.#place = place;
    this.#before = before;
  }

  get bytes(): Buffer {
    return this.#session.bytes;
  }

  get view(): DataView {
    return this.#session.view;
  }

  get start(): number {
    return this.#session.start;
  }

  get end(): number {
    return this.#session.end;
  }

  next(): boolean {
    const session = this.#session;
    while (!this.#done && session.next()) {
      const { bytes, start, end } = session;
      const type = bytes[start + 4] as number;
      this.#place.see(session);
      if (!this.#inside) {
        this.#inside = this.#begins(type, bytes.subarray(start + EVENT_HEADER_LENGTH, end));
        if (!this.#inside && comparePlaces(this.#place, this.#before) >= 0) throw this.#lost();
        continue;
      }
      if (type === EVENT.XA_PREPARE) {
        this.#done = true;
        return false;
      }
      // A table map comes again before its rows in any case: XaTransactions hands over the same kinds of events.
      if (
        type === EVENT.TABLE_MAP ||
        type === EVENT.ROWS_QUERY ||
        type === EVENT.ANNOTATE_ROWS ||
        rowsAction(type) !== null
      ) {
        return true;
      }
    }
    return false;
  }

  async fill(): Promise<boolean> {
    if (this.#done) {
      this.close();
      return false;
    }
    return await this.#session.fill();
  }

  close(): void {
    this.#session.close();
  }

  #begins(type: number, frame: Buffer): boolean {
    if (type === EVENT.MARIADB_GTID) {
      const { flags, xid } = decodeMariadbGtidEvent(frame);
      return (flags & MARIADB_GTID_FLAG.PREPARED_XA) !== 0 && xid !== null && formatXaId(xid) === this.#xid;
    }
    if (type !== EVENT.QUERY) return false;
    const control = classifyControl(decodeQueryEvent(frame).query);
    return control.kind === 'xa-start' && control.xid === this.#xid;
  }

  #lost(): TidingsError {
    return new TidingsError(
      'XA_PREPARE_LOST',
      `XA transaction ${this.#xid} is committed, and its changes are not in the binlog`,
      {
        details: { file: this.#before.file, offset: this.#before.offset },
      },
    );
  }
}
