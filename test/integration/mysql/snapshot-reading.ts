import type { Row } from '../../../src/core/change.ts';
import type { ChunkRequest, SnapshotChunk } from '../../../src/core/snapshot.ts';
import { GtidTrail } from '../../../src/sources/mysql/gtid/gtid-trail.ts';
import { MariadbGtidPosition } from '../../../src/sources/mysql/gtid/mariadb-gtid.ts';
import { MysqlGtidSet } from '../../../src/sources/mysql/gtid/mysql-gtid-set.ts';
import { MysqlPosition } from '../../../src/sources/mysql/mysql-position.ts';
import { parseMysqlUrl } from '../../../src/drivers/mysql/mysql-url.ts';
import { QueryConnection } from '../../../src/drivers/mysql/connect.ts';
import { readServer } from '../../../src/sources/mysql/server.ts';
import { MysqlSnapshotReader } from '../../../src/sources/mysql/snapshot/mysql-snapshot-reader.ts';
import { TableSelection } from '../../../src/sources/mysql/table-selection.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { presentPosition } from './source-reading.ts';

export interface ReaderOptions {
  readonly url?: string;
  readonly tables?: readonly string[];
  readonly columns?: Readonly<Record<string, readonly string[]>>;
  readonly answerTimeoutMs?: number;
  readonly streamServer?: () => string | null;
}

/** A reader without a stream beside it. The caller closes it. */
export function openReader(server: TestServer, options: ReaderOptions = {}): MysqlSnapshotReader {
  const { url = server.url, tables, columns, answerTimeoutMs, streamServer = () => null } = options;
  return new MysqlSnapshotReader({
    address: { ...parseMysqlUrl(url), ...(answerTimeoutMs === undefined ? {} : { answerTimeoutMs }) },
    selection: new TableSelection({ tables, columns, database: null }),
    json: 'text',
    streamServer,
  });
}

/** Where the server writes now, as the stream would have it. */
export async function presentSince(server: TestServer): Promise<MysqlPosition> {
  const { place, gtids } = await presentPosition(server);
  const at = place.lastIndexOf(':');
  const set =
    server.flavour === 'mariadb' ? MariadbGtidPosition.parse(gtids) : GtidTrail.from(MysqlGtidSet.parse(gtids));
  return new MysqlPosition(place.slice(0, at), Number(place.slice(at + 1)), set, await identityOf(server));
}

const identities = new WeakMap<TestServer, string>();

/** `Server.identity` */
async function identityOf(server: TestServer): Promise<string> {
  const known = identities.get(server);
  if (known !== undefined) return known;
  const connection = await QueryConnection.open(parseMysqlUrl(server.url), new AbortController().signal);
  try {
    const { identity } = await readServer(connection);
    identities.set(server, identity);
    return identity;
  } finally {
    connection.close();
  }
}

export type Wanted = Pick<ChunkRequest, 'database' | 'table'> &
  Partial<Omit<ChunkRequest, 'after'>> & { readonly after?: string | null };

/** Reads one chunk: by default of up to 100 rows, seeing what is committed now. */
export async function readChunk(
  server: TestServer,
  reader: MysqlSnapshotReader,
  wanted: Wanted,
): Promise<SnapshotChunk> {
  const { after = null, ...others } = wanted;
  return await reader.readChunk({
    after: () => after,
    rows: 100,
    bytes: 4 * 1024 * 1024,
    where: null,
    since: wanted.since ?? (await presentSince(server)),
    signal: new AbortController().signal,
    ...others,
  });
}

/** The rows of a chunk as objects, which is released then. */
export function takeRows(chunk: SnapshotChunk, except: ReadonlySet<string> = new Set()): readonly Row[] {
  try {
    return chunk.rows(except).flatMap((batch) => batch.rows().after ?? []);
  } finally {
    chunk.release();
  }
}

/** All rows of a table, chunk by chunk. */
export async function readAll(server: TestServer, reader: MysqlSnapshotReader, wanted: Wanted): Promise<Row[]> {
  const since = await presentSince(server);
  const rows: Row[] = [];
  for (let after: string | null = wanted.after ?? null; ;) {
    // oxlint-disable-next-line no-await-in-loop -- chunks follow one another
    const chunk = await readChunk(server, reader, { ...wanted, since, after });
    const { next, count } = chunk;
    rows.push(...takeRows(chunk));
    if (count > (wanted.rows ?? 100)) throw new Error(`a chunk of ${count} rows, more than were asked for`);
    if (next === null) return rows;
    after = next;
  }
}
