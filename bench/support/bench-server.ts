import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { startServer } from '../../test/support/servers/start-server.ts';
import { timed } from './progress.ts';

/** The server that a bench writes to and reads from. */
export interface BenchServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Has no password. */
  readonly user: string;
  readonly url: string;
  readonly flavor: 'mariadb' | 'mysql';
  /** For the report: `MariaDB 10.11.18`. */
  readonly version: string;
  readonly connection: Connection;
}

/** What is measured is the reading: the server doesn't wait for its disk. Everything else that matters is the server's default. */
const OPTIONS = [
  '--binlog-row-metadata=FULL',
  '--sync-binlog=0',
  '--innodb-flush-log-at-trx-commit=0',
  '--innodb-buffer-pool-size=256M',
  '--max-binlog-size=1G',
];

/** Starts a server of its own in a temporary folder, or uses the running one at `url`, whose `bench` database it will replace. */
export async function openBenchServer(
  flavor: 'mariadb' | 'mysql',
  url: string | undefined,
  more: readonly string[] = [],
): Promise<BenchServer> {
  if (url !== undefined) return connectTo(url, async () => {});
  const own = await timed(`starting ${flavor}`, () => startServer(flavor, { options: [...OPTIONS, ...more] }));
  try {
    return await connectTo(own.url, () => own.stop());
  } catch (error) {
    await own.stop();
    throw error;
  }
}

async function connectTo(url: string, stop: () => Promise<void>): Promise<BenchServer> {
  const { hostname: host, port, username, password } = new URL(url);
  if (password !== '') throw new Error('the readers are told a user, not a password: use a user without one');
  const connection = await createConnection({ uri: url });
  const [rows] = await connection.query<RowDataPacket[]>('SELECT VERSION() AS version');
  const text = String(rows[0]?.['version']);
  const flavor = /mariadb/i.test(text) ? 'mariadb' : 'mysql';
  return {
    host,
    port: port === '' ? 3306 : Number(port),
    user: username === '' ? 'root' : username,
    url,
    flavor,
    version: `${flavor === 'mariadb' ? 'MariaDB' : 'MySQL'} ${text.split('-')[0]}`,
    connection,
    [Symbol.asyncDispose]: async (): Promise<void> => {
      connection.destroy();
      await stop();
    },
  };
}
