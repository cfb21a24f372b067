import { expect } from 'vitest';
import type { ServerFlavour } from '../servers/flavour.ts';
import { startServer } from '../servers/start-server.ts';
import type { TestServer } from '../servers/test-server.ts';

/** A server that replicates another one by GTIDs, from now on. */
export async function replicaOf(primary: TestServer, flavour: ServerFlavour): Promise<TestServer> {
  const options = flavour === 'mariadb' ? ['--log-slave-updates'] : [];
  const replica = await startServer(flavour, { owned: true, options });
  const gtids = await executed(primary, flavour);
  const { host, port } = primary;
  // What the primary has done before is of no interest; a test makes its database anew.
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

/** Resolves when the replica has what its primary has now. */
export async function caughtUp(replica: TestServer, primary: TestServer, flavour: ServerFlavour): Promise<void> {
  const gtids = await executed(primary, flavour);
  const wait = flavour === 'mysql' ? `WAIT_FOR_EXECUTED_GTID_SET('${gtids}', 30)` : `MASTER_GTID_WAIT('${gtids}', 30)`;
  const [answer] = await replica.query<{ outcome: number }>(`SELECT ${wait} AS outcome`);
  expect(answer?.outcome).toBe(0);
}

/** It follows nobody any more. */
export async function promote(replica: TestServer, flavour: ServerFlavour): Promise<void> {
  await replica.query(flavour === 'mysql' ? 'STOP REPLICA; RESET REPLICA ALL' : 'STOP SLAVE; RESET SLAVE ALL');
}

async function executed(server: TestServer, flavour: ServerFlavour): Promise<string> {
  const [at] = await server.query<{ value: string }>(
    `SELECT @@${flavour === 'mysql' ? 'gtid_executed' : 'gtid_binlog_pos'} AS value`,
  );
  return at?.value.replaceAll('\n', '') ?? '';
}
