import { setTimeout as sleep } from 'node:timers/promises';
import { TidingsError } from '../../../core/errors.ts';
import type { QueryConnection } from '../protocol/connect.ts';
import { type Server, textOf } from '../server.ts';

/** So long the server may take to notice that our own last connection is gone. */
const OWN_GHOST_MS = 5000;

/**
 * A server ends the older of two readers with the same id, and both would end each other for ever: found out before it happens.
 *
 * @throws TidingsError SERVER_ID_IN_USE
 */
export async function checkServerId(serverId: number, queries: QueryConnection, server: Server): Promise<void> {
  if (serverId === server.serverId) {
    throw new TidingsError('SERVER_ID_IN_USE', `${serverId} is the server's own server id`, { details: { serverId } });
  }
  // MySQL 8.0.22 renamed the statement, 8.4 dropped the old name.
  const statement = server.flavour === 'mysql' && server.version >= 80_022 ? 'SHOW REPLICAS' : 'SHOW SLAVE HOSTS';
  for (let waitedMs = 0; ; waitedMs += 500) {
    // oxlint-disable-next-line no-await-in-loop -- asked again until the answer changes
    const readers = await queries.query(statement);
    if (!readers.some((row) => Number(textOf(row, 'Server_id', 'Server_Id')) === serverId)) return;
    if (waitedMs >= OWN_GHOST_MS) break;
    // oxlint-disable-next-line no-await-in-loop
    await sleep(500);
  }
  throw new TidingsError('SERVER_ID_IN_USE', `another reader of the server has the server id ${serverId}`, { details: { serverId } });
}
