import { expect } from 'vitest';
import type { ServerFlavour } from '../servers/flavour.ts';
import { startServer } from '../servers/start-server.ts';
import type { TestServer } from '../servers/test-server.ts';

/** A server that replicates another one by GTIDs, from now on. */
export async function replicaOf(primary: TestServer, flavour: ServerFlavour): Promise<TestServer> {
  const options = flavour === 'mariadb' ? ['--log-slave-updates'] : [];
  const replica = await startServer(flavour, { owned: true, options });
  const [at] = await primary.query<{ value: string }>(
    `SELECT @@${flavour === 'mysql' ? 'gtid_executed' : 'gtid_binlog_pos'} AS value`,
  );
  const gtids = at?.value.replaceAll('\n', '') ?? '';
  const { host, port } = primary;
  // What the primary has done before is of no interest; the walk makes its database anew.
  await replica.query(
    flavour === 'mysql'
      ? `RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '${gtids}';
         CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${host}', SOURCE_PORT = ${port}, SOURCE_USER = 'root',
           SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_HEARTBEAT_PERIOD = 1; START REPLICA`
      : `SET GLOBAL gtid_slave_pos = '${gtids}';
         CHANGE MASTER TO MASTER_HOST = '${host}', MASTER_PORT = ${port}, MASTER_USER = 'root', MASTER_USE_GTID = slave_pos;
         START SLAVE`,
  );
  return replica;
}

/** Resolves when the replica has transaction n of the walk. */
export async function caughtUp(replica: TestServer, n: number): Promise<void> {
  const last = async (): Promise<number> => {
    const rows = await replica.query<{ n: number }>('SELECT MAX(n) AS n FROM walk.tx').catch(() => []);
    return rows[0]?.n ?? 0;
  };
  await expect.poll(last, { timeout: 30_000 }).toBe(n);
}

/** It follows nobody any more. */
export async function promote(replica: TestServer, flavour: ServerFlavour): Promise<void> {
  await replica.query(flavour === 'mysql' ? 'STOP REPLICA; RESET REPLICA ALL' : 'STOP SLAVE; RESET SLAVE ALL');
}
