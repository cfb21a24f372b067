import { isTidingsError, type TidingsError } from '../../core/errors.ts';
import type { Finding } from '../../core/finding.ts';
import { type MysqlSourceOptions, parseMysqlSourceOptions } from './config.ts';
import { parseMysqlUrl } from '../../drivers/mysql/mysql-url.ts';
import { CHECKS } from './preflight/all-checks.ts';
import { runCheck } from './preflight/check.ts';
import { accountOf, readFacts } from './preflight/read-facts.ts';
import { QueryConnection, type ServerAddress } from '../../drivers/mysql/connect.ts';
import { readServer } from './server.ts';
import { TableSelection } from './table-selection.ts';

/**
 * Looks at everything that reading a server takes, and reports all that is wrong at once, each with what cures it. It asks questions
 * only: nothing is changed, and the binlog is not read.
 *
 * @throws TidingsError CONFIG_INVALID for options that cannot be used; whatever the server does or refuses is a finding
 */
export async function runPreflight(options: MysqlSourceOptions): Promise<readonly Finding[]> {
  const settings = parseMysqlSourceOptions(options);
  const address = parseMysqlUrl(settings.url);
  const { tables, exclude, columns } = settings;
  // For its errors: a pattern that cannot be used is the caller's mistake, not the server's.
  void new TableSelection({ tables, exclude, columns, database: address.database });
  let queries: QueryConnection | null = null;
  try {
    queries = await QueryConnection.open(address);
    const server = await readServer(queries);
    const facts = await readFacts(queries, { server, settings, address, scope: 'all' });
    const where = address.socketPath ?? `${address.host}:${address.port}`;
    const connected: Finding = {
      level: 'ok',
      code: 'CONNECTION',
      message: `connected to ${where} as ${facts.account}`,
      cure: null,
    };
    return [connected, ...CHECKS.flatMap((check) => runCheck(check, facts))];
  } catch (failure) {
    if (!isTidingsError(failure) || failure.code === 'CONFIG_INVALID') throw failure;
    return [unreachable(failure, address)];
  } finally {
    queries?.close();
  }
}

/** Nothing else can be looked at then. */
function unreachable(failure: TidingsError, address: ServerAddress): Finding {
  const code = failure.code === 'SERVER_UNSUPPORTED' ? 'SERVER_VERSION' : 'CONNECTION';
  return { level: 'error', code, message: failure.message, cure: cureOf(failure, address) };
}

const ER_SECURE_TRANSPORT_REQUIRED = 3159;

function cureOf({ code, hint, details }: TidingsError, address: ServerAddress): string {
  if (details['serverError'] === ER_SECURE_TRANSPORT_REQUIRED) {
    return '?tls=verify&tls-ca=/path/to/ca.pem    # in the URL';
  }
  if (code === 'ACCESS_DENIED') {
    const account = accountOf(address);
    return [
      "# correct the URL's user or password, TIDINGS_PASSWORD or MYSQL_PWD; or make the account (the names of both servers' privileges are the same here):",
      `CREATE USER ${account} IDENTIFIED BY '<password>';`,
      `GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO ${account};`,
    ].join('\n');
  }
  return hint;
}
