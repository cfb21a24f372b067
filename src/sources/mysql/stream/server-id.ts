import { setTimeout as sleep } from 'node:timers/promises';
import { isTidingsError, TidingsError } from '../../../core/errors.ts';
import type { QueryConnection } from '../../../drivers/mysql/connect.ts';
import { type Server, textOf } from '../server.ts';

/** So long the server may take to notice that our own last connection is gone. */
const OWN_GHOST_MS = 5000;
const PAUSE_MIN_MS = 20;
const PAUSE_MAX_MS = 500;

/** The connection that this reader had before. */
export interface FormerConnection {
  /** `Server.identity` */
  readonly server: string;
  /** As SHOW PROCESSLIST has it. */
  readonly id: number;
}

export interface ServerIdCheck {
  readonly queries: QueryConnection;
  readonly server: Server;
  readonly former: FormerConnection | null;
  readonly signal: AbortSignal;
}

/**
 * A server ends the older of two readers with the same id, and both would end each other for ever: found out before it happens.
 *
 * Our own former connection is no rival. A server that never heard of its end (the network swallowed it) keeps it listed until its
 * TCP gives up, which takes many minutes: so it is ended here.
 *
 * @throws TidingsError SERVER_ID_IN_USE
 */
export async function checkServerId(
  serverId: number,
  { queries, server, former, signal }: ServerIdCheck,
): Promise<void> {
  if (serverId === server.serverId) {
    throw new TidingsError('SERVER_ID_IN_USE', `${serverId} is the server's own server id`, { details: { serverId } });
  }
  let pauseMs = PAUSE_MIN_MS;
  for (let waitedMs = 0; ; waitedMs += pauseMs, pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)) {
    // oxlint-disable-next-line no-await-in-loop -- asked again until the answer changes
    if (!(await isListed(serverId, queries, server))) return;
    if (waitedMs >= OWN_GHOST_MS) break;
    // oxlint-disable-next-line no-await-in-loop
    if (former !== null && former.server === server.identity) await endDump(former.id, queries);
    // oxlint-disable-next-line no-await-in-loop
    await sleep(pauseMs, undefined, { signal });
  }
  throw new TidingsError('SERVER_ID_IN_USE', `another reader of the server has the server id ${serverId}`, {
    details: { serverId },
  });
}

async function isListed(serverId: number, queries: QueryConnection, server: Server): Promise<boolean> {
  // MySQL 8.0.22 renamed the statement, 8.4 dropped the old name.
  const statement = server.flavour === 'mysql' && server.version >= 80_022 ? 'SHOW REPLICAS' : 'SHOW SLAVE HOSTS';
  const readers = await queries.query(statement).catch((error: unknown) => {
    // MariaDB asks for REPLICATION MASTER ADMIN, which a reader has no other use for: then a rival shows by ending our connection.
    if (isTidingsError(error) && error.code === 'PRIVILEGE_MISSING') return [];
    throw error;
  });
  return readers.some((row) => Number(textOf(row, 'Server_id', 'Server_Id')) === serverId);
}

/** Ends a dump thread of our own account, for which no privilege is needed. Anything else under that number stays: numbers begin anew with a server's restart. */
async function endDump(id: number, queries: QueryConnection): Promise<void> {
  const threads = await queries.query('SHOW PROCESSLIST');
  if (!threads.some((row) => Number(textOf(row, 'Id')) === id && textOf(row, 'Command').startsWith('Binlog Dump'))) {
    return;
  }
  await queries.query(`KILL ${id}`).catch((error: unknown) => {
    // It may have ended by itself in between. Whether it is gone is asked again in any case.
    if (!isTidingsError(error) || error.code === 'CONNECTION_LOST') throw error;
  });
}
