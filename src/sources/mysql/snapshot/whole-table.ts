import type { SnapshotChunk, WholeRequest } from '../../../core/snapshot.ts';
import type { MysqlPosition } from '../mysql-position.ts';
import { binlogEnd } from './binlog-mark.ts';
import { alteredAgainAndAgain, asBusy, ATTEMPTS_MAX } from './chunk-errors.ts';
import { chunkStatement } from './chunk-statement.ts';
import { checkCondition } from './condition.ts';
import type { ConnectionPool, Lease } from './connection-pool.ts';
import { openReadView } from './fence.ts';
import { type KnownTable, readCreateText } from './read-table.ts';
import type { RowBuffer, RowBuffers } from './row-buffer.ts';
import { MysqlSnapshotChunk } from './snapshot-chunk.ts';
import type { SnapshotConnection } from './snapshot-connection.ts';
import type { TableCache } from './table-cache.ts';

const CONDITION_TIMEOUT_MS = 3_600_000;

export interface WholeTableOptions {
  readonly pool: ConnectionPool;
  readonly buffers: RowBuffers;
  readonly tables: TableCache;
  readonly patienceMs: number;
  /** Whether a failure only means that the table is to be looked at again. @throws TidingsError what it means else */
  readonly explain: (
    error: unknown,
    at: { connection: SnapshotConnection; request: WholeRequest; known: KnownTable },
  ) => Promise<boolean>;
}

/** See `MysqlSnapshotReader.readWhole`. */
export async function* readWholeTable(
  request: WholeRequest,
  since: MysqlPosition,
  options: WholeTableOptions,
): AsyncGenerator<SnapshotChunk, void, undefined> {
  const { pool } = options;
  for (let attempt = 1; ; attempt++) {
    // oxlint-disable-next-line no-await-in-loop -- each attempt follows the one before
    const lease = await pool.lease(request.signal);
    try {
      // oxlint-disable-next-line no-await-in-loop -- as above
      const begun = await begin(lease, request, { ...options, since });
      if (begun === null) {
        if (attempt === ATTEMPTS_MAX) throw alteredAgainAndAgain(request);
        continue;
      }
      yield* chunks(lease, request, { ...begun, ...options });
      return;
    } catch (error) {
      lease.signal.throwIfAborted();
      throw asBusy(error);
    } finally {
      lease.connection.reader.answerTimeoutMs = options.patienceMs;
      // oxlint-disable-next-line no-await-in-loop -- as above
      await lease.end();
    }
  }
}

interface Begun {
  readonly known: KnownTable;
  readonly buffer: RowBuffer;
  /** Null: rows are read as they are when it is their turn. */
  readonly mark: MysqlPosition | null;
}

/** Null: the table was altered meanwhile. */
async function begin(
  { connection, signal }: Lease,
  request: WholeRequest,
  { tables, buffers, pool, patienceMs, since, explain }: WholeTableOptions & { readonly since: MysqlPosition },
): Promise<Begun | null> {
  const { where } = request;
  if (where !== null) checkCondition(where, { table: request, server: connection.server });
  const known = await tables.get(connection, request);
  const buffer = buffers.take();
  try {
    const { lock } = await openReadView(connection, since, { patienceMs, signal });
    // Nobody knows how many rows the server passes over before the next one for which the condition is true.
    if (where !== null) connection.reader.answerTimeoutMs = Math.max(patienceMs, CONDITION_TIMEOUT_MS);
    await connection.reader.select(
      chunkStatement({
        database: request.database,
        table: request.table,
        selectList: known.views.selectList,
        key: null,
        keyColumns: [],
        after: null,
        upTo: null,
        keys: null,
        where,
        limit: null,
        skip: 0,
        lock,
      }),
      buffer,
    );
    await connection.reader.firstByte();
    // From its first row on the read has its view of the rows, and holds the table's definition: what is asked now, it is true of both.
    const asked = await pool.with(signal, async (other) => {
      const isSame = (await readCreateText(other, request)) === known.createText;
      return { isSame, mark: await binlogEnd(other) };
    });
    if (asked.isSame) return { known, buffer, mark: lock === '' ? asked.mark : null };
    tables.forget(request);
    buffers.give(buffer);
    return null;
  } catch (error) {
    buffers.give(buffer);
    if (await explain(error, { connection, request, known })) return null;
    throw error;
  }
}

async function* chunks(
  { connection, signal }: Lease,
  { rows, bytes }: WholeRequest,
  { known, buffer: first, mark, buffers, pool }: Begun & WholeTableOptions,
): AsyncGenerator<SnapshotChunk, void, undefined> {
  const { reader } = connection;
  let buffer = first;
  try {
    for (let ended = false; !ended;) {
      // oxlint-disable-next-line no-await-in-loop -- chunks follow one another
      ended = await reader.rows({ count: Math.max(1, rows), bytes });
      const taken = reader.taken;
      const readAtUs = Date.now() * 1000;
      const full = buffer;
      buffer = buffers.take();
      if (!ended) reader.continueIn(buffer);
      const parts = { views: known.views, buffer: full, buffers, bytes: taken, next: null, readAtUs };
      // oxlint-disable-next-line no-await-in-loop -- as above
      const end = mark ?? (await pool.with(signal, binlogEnd));
      yield new MysqlSnapshotChunk({ key: null, ...parts, mark: end });
    }
    await connection.commit();
  } finally {
    buffers.give(buffer);
  }
}
