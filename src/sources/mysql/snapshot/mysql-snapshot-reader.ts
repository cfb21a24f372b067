import { isTidingsError, TidingsError } from '../../../core/errors.ts';
import type { Key } from '../../../core/plain-rows.ts';
import type { Position } from '../../../core/position.ts';
import type {
  ChunkRequest,
  KeysRequest,
  ReplicaLag,
  SnapshotChunk,
  SnapshotReader,
  SnapshotTable,
  WholeRequest,
} from '../../../core/snapshot.ts';
import { MysqlPosition } from '../mysql-position.ts';
import type { ServerAddress } from '../../../drivers/mysql/connect.ts';
import { comparePlaces } from '../server.ts';
import type { TableSelection } from '../table-selection.ts';
import { binlogEnd } from './binlog-mark.ts';
import {
  alteredAgainAndAgain,
  asBusy,
  ATTEMPTS_MAX,
  conditionFault,
  isDefinitionChanged,
  isGone,
  isWrongValue,
  mayHaveChanged,
  serverNumber,
} from './chunk-errors.ts';
import { type ChunkStatement, chunkStatement } from './chunk-statement.ts';
import { checkCondition, conditionInvalid } from './condition.ts';
import { ConnectionPool } from './connection-pool.ts';
import { cursorText, parseCursor } from './cursor.ts';
import { openReadView } from './fence.ts';
import { checkKeys, keysRefused } from './key-check.ts';
import { listTables } from './list-tables.ts';
import type { TableName } from './names.ts';
import { type KnownTable, readCreateText } from './read-table.ts';
import { ReplicaLags } from './replica-lags.ts';
import { RowBuffer, RowBuffers } from './row-buffer.ts';
import { MysqlSnapshotChunk } from './snapshot-chunk.ts';
import type { SnapshotConnection } from './snapshot-connection.ts';
import { TableCache } from './table-cache.ts';
import { readWholeTable } from './whole-table.ts';

interface FailedRead {
  readonly connection: SnapshotConnection;
  readonly request: WholeRequest;
  readonly known: KnownTable;
}

export interface MysqlSnapshotOptions {
  readonly address: ServerAddress;
  readonly selection: TableSelection;
  readonly json: 'text' | 'parsed';
  /** Servers that replicate the source's, and whose lag may be asked for. @default none */
  readonly replicas?: readonly ServerAddress[];
  /** `Server.identity` of the server that the stream reads; null before there was one. */
  readonly streamServer: () => string | null;
}

const ANSWER_TIMEOUT_MS = 60_000;
/** How much more than its budget a chunk may ask for: what is not kept has to be read away. */
const EXCESS_BYTES_MAX = 1024 * 1024;
const BUFFERS_MAX = 6;
/** Of all that wait for their next chunk. */
const BUFFER_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Reads the rows of MySQL and MariaDB tables as they stand: see `SnapshotReader`.
 *
 * A chunk is one SELECT along a unique index, in a read-only transaction of its own that sees everything up to `since` (fence.ts). Which
 * definition its rows come under: the statement is made for the one that is known; once its rows have come, and still within the
 * transaction, the server is asked whether that is the table's definition now. It is the one of the rows, too, since no DDL on a table gets
 * past a transaction that has opened it (metadata locks, on both servers). If it is not, the chunk is read again under the new one.
 */
export class MysqlSnapshotReader implements SnapshotReader {
  readonly #options: MysqlSnapshotOptions;
  readonly #pool: ConnectionPool;
  readonly #buffers = new RowBuffers({ buffersMax: BUFFERS_MAX, bytesMax: BUFFER_BYTES_MAX });
  readonly #tables: TableCache;
  readonly #replicas: ReplicaLags | null;
  readonly replicaLags?: () => Promise<readonly ReplicaLag[]>;

  constructor(options: MysqlSnapshotOptions) {
    this.#options = options;
    this.#tables = new TableCache(options);
    this.#pool = new ConnectionPool(options.address, options.streamServer);
    const { replicas = [] } = options;
    const lags = replicas.length === 0 ? null : new ReplicaLags(replicas);
    if (lags !== null) this.replicaLags = () => lags.look();
    this.#replicas = lags;
  }

  async tables(): Promise<readonly SnapshotTable[]> {
    return await this.#pool.with(never(), (connection) => listTables(connection, this.#options.selection));
  }

  async readChunk(request: ChunkRequest): Promise<SnapshotChunk> {
    const since = mysqlPosition(request.since);
    return await this.#pool.with(request.signal, async (connection) => {
      const { where } = request;
      if (where !== null) checkCondition(where, { table: request, server: connection.server });
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        // oxlint-disable-next-line no-await-in-loop -- each attempt follows the one before
        const chunk = await this.#attempt(connection, request, since);
        if (chunk !== null) return chunk;
      }
      throw alteredAgainAndAgain(request);
    });
  }

  async checkKeys(request: KeysRequest): Promise<void> {
    await this.#pool.with(request.signal, async (connection) => {
      // What they were checked against before may be of yesterday.
      this.#tables.forget(request);
      const { key, views } = await this.#tables.get(connection, request);
      if (key === null) throw keyMissing(request);
      checkKeys(views, request.keys);
    });
  }

  /**
   * Reads a table in one consistent read, for want of a key to cut it by: one SELECT, of which no more is received than is asked for. The server
   * keeps the read's view of the rows, and keeps DDL on the table waiting, for as long as it takes; MySQL without GTIDs also locks the rows
   * that were read (fence.ts). `next` of its chunks is null; ending the iteration ends the read.
   *
   * @throws TidingsError as `readChunk`; what was handed over before has to be read again, as there is no place to go on from
   */
  readWhole(request: WholeRequest): AsyncGenerator<SnapshotChunk, void, undefined> {
    const since = mysqlPosition(request.since);
    return readWholeTable(request, since, {
      pool: this.#pool,
      buffers: this.#buffers,
      tables: this.#tables,
      patienceMs: this.#patienceMs,
      explain: (error, at) => this.#isOutdated(error, at),
    });
  }

  reached(position: Position, mark: Position): boolean {
    const place = mysqlPosition(position);
    const end = mysqlPosition(mark);
    if (place.server === null) return false;
    if (place.server === end.server) return comparePlaces(place, end) >= 0;
    throw new TidingsError(
      'SNAPSHOT_SERVER_CHANGED',
      'the stream reads another server than the one that the chunk was read from',
      { details: { stream: place.server, snapshot: end.server ?? '' } },
    );
  }

  watches(database: string, table: string): boolean {
    return this.#options.selection.watches(database, table);
  }

  async threadsRunning(): Promise<number> {
    return await this.#pool.with(never(), async ({ reader }) => {
      const [row] = await reader.query("SHOW GLOBAL STATUS LIKE 'Threads_running'");
      return Number(row?.['Value'] ?? 0);
    });
  }

  async close(): Promise<void> {
    this.#pool.close();
    this.#replicas?.close();
    this.#buffers.clear();
    this.#tables.clear();
  }

  get #patienceMs(): number {
    return this.#options.address.answerTimeoutMs ?? ANSWER_TIMEOUT_MS;
  }

  /** Null: the table was altered meanwhile, and is known anew. */
  async #attempt(
    connection: SnapshotConnection,
    request: ChunkRequest,
    since: MysqlPosition,
  ): Promise<SnapshotChunk | null> {
    const wasKnown = this.#tables.has(request);
    const known = await this.#tables.get(connection, request);
    if (known.key === null) {
      // It may have one now.
      if (!wasKnown) throw keyMissing(request);
      this.#tables.forget(request);
      return null;
    }
    const { lock } = await openReadView(connection, since, { patienceMs: this.#patienceMs, signal: request.signal });
    const place = this.#placeOf(await request.after(), { request, known, wasKnown });
    if (place === null) {
      await connection.commit();
      return null;
    }
    const buffer = this.#buffers.take();
    try {
      const limit = rowLimit(request, known);
      const statement: ChunkStatement = {
        database: request.database,
        table: request.table,
        selectList: known.views.selectList,
        key: known.key,
        keyColumns: known.keyColumns,
        ...place,
        upTo: null,
        where: request.where,
        limit,
        skip: 0,
        lock,
      };
      // A condition that is hardly ever true must not make one chunk of the whole table: with it a chunk is so many rows of the table, and has
      // those of them for which it is true.
      const isBounded = request.where !== null && place.keys === null;
      const upTo = isBounded ? await lastKey(connection, known, { ...statement, limit: request.rows }) : null;
      const sql = chunkStatement({ ...statement, upTo });
      const { reader } = connection;
      // Exactly what it will need, mostly: growing would double it.
      buffer.reserve(Math.ceil(Math.min(request.bytes, limit * known.rowBytes) * 1.05));
      await reader.select(sql, buffer);
      const ended = await reader.rows({ count: Number.POSITIVE_INFINITY, bytes: request.bytes });
      const readAtUs = Date.now() * 1000;
      const bytes = reader.taken;
      const isDrained = ended || (await reader.drain(limit - buffer.count));
      const isCut = !ended || buffer.count === limit;
      const last = isCut ? known.views.keyLiterals(buffer, buffer.count - 1) : upTo;
      const next = last === null ? null : cursorText(known.signature, last);
      request.onRows?.(next);
      const settle = async (other: SnapshotConnection): Promise<MysqlPosition | null> => {
        if ((await readCreateText(other, request)) !== known.createText) return null;
        await connection.commit();
        return await binlogEnd(other);
      };
      let mark: MysqlPosition | null;
      if (isDrained) mark = await settle(connection);
      else {
        // This connection still sends what nobody wants. Its transaction, and so its hold on the definition, lasts until it is closed.
        mark = await this.#pool.with(request.signal, async (other) => {
          const end = (await readCreateText(other, request)) === known.createText ? await binlogEnd(other) : null;
          connection.close();
          return end;
        });
      }
      if (buffer.count > 0) known.rowBytes = bytes / buffer.count;
      if (mark === null) {
        this.#tables.forget(request);
        this.#buffers.give(buffer);
        return null;
      }
      return new MysqlSnapshotChunk({
        views: known.views,
        key: known.key,
        buffer,
        buffers: this.#buffers,
        bytes,
        next,
        mark,
        readAtUs,
      });
    } catch (error) {
      this.#buffers.give(buffer);
      if (await this.#isOutdated(error, { connection, request, known })) return null;
      throw asBusy(error);
    }
  }

  /**
   * Where the chunk lies among the keys; null: what is known of the table may be out of date.
   *
   * @throws TidingsError SNAPSHOT_KEY_MISSING, SNAPSHOT_CURSOR_INVALID, SNAPSHOT_KEYS_INVALID
   */
  #placeOf(
    after: string | null,
    { request, known, wasKnown }: { request: ChunkRequest; known: KnownTable; wasKnown: boolean },
  ): Pick<ChunkStatement, 'after' | 'keys' | 'among'> | null {
    const { signature, views } = known;
    const literals = (keys: readonly Key[] | undefined): readonly (readonly string[])[] | null =>
      keys?.map((values) => views.valueLiterals(values)) ?? null;
    try {
      return {
        after: after === null ? null : parseCursor(after, signature, request),
        keys: literals(request.keys),
        among: literals(request.among),
      };
    } catch (error) {
      if (!wasKnown) throw error;
      this.#tables.forget(request);
      return null;
    }
  }

  /**
   * Whether the statement failed because the table is not what it was.
   *
   * @throws TidingsError SNAPSHOT_TABLE_GONE, SNAPSHOT_CONDITION_INVALID, SNAPSHOT_KEYS_INVALID
   */
  async #isOutdated(error: unknown, { connection, request, known }: FailedRead): Promise<boolean> {
    const number = serverNumber(error);
    if (number === null || !isTidingsError(error) || !connection.reader.isIdle) return false;
    await connection.commit();
    if (isDefinitionChanged(number)) {
      this.#tables.forget(request);
      return true;
    }
    if (mayHaveChanged(number)) {
      this.#tables.forget(request);
      const now = await this.#tables.get(connection, request);
      if (now.createText !== known.createText) return true;
      // It was gone, and one like it is back. In a condition other tables may be named.
      if (isGone(number) && request.where === null) return true;
    }
    if ('keys' in request && isWrongValue(number)) throw keysRefused(request, number);
    const fault = request.where === null ? null : conditionFault(error, number);
    if (fault !== null) throw conditionInvalid(request, fault);
    return false;
  }
}

/** The key of the last row of the chunk, if no condition is asked; null: the table ends before. */
async function lastKey(
  { reader }: SnapshotConnection,
  { keyViews }: KnownTable,
  { limit, ...chunk }: ChunkStatement,
): Promise<readonly string[] | null> {
  const buffer = new RowBuffer();
  const skip = Math.max(1, limit ?? 1) - 1;
  await reader.select(
    chunkStatement({ ...chunk, selectList: keyViews.selectList, where: null, limit: 1, skip, lock: '' }),
    buffer,
  );
  await reader.rows({ count: 2, bytes: Number.POSITIVE_INFINITY });
  return buffer.count === 0 ? null : keyViews.keyLiterals(buffer, 0);
}

/** As many rows as the budget is likely to hold, so that little is sent for nothing. */
function rowLimit({ rows, bytes }: ChunkRequest, { rowBytes }: KnownTable): number {
  if (rowBytes <= 0) return Math.max(1, rows);
  const likely = Math.ceil((bytes + Math.min(bytes / 4, EXCESS_BYTES_MAX)) / rowBytes);
  return Math.max(1, Math.min(rows, likely));
}

function mysqlPosition(position: Position): MysqlPosition {
  if (position instanceof MysqlPosition) return position;
  throw new TidingsError('POSITION_INVALID', 'it is no position of a MySQL source');
}

function keyMissing({ database, table }: TableName): TidingsError {
  const name = `${database}.${table}`;
  return new TidingsError('SNAPSHOT_KEY_MISSING', `${name} has no key to read it in chunks by`, {
    details: { table: name },
  });
}

/** Nobody calls it off but `close`. */
function never(): AbortSignal {
  return new AbortController().signal;
}
