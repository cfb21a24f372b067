import { isTidingsError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/logger.ts';
import { isTransient } from '../../../core/retry.ts';
import type { QueryConnection, ResultRow, ServerAddress } from '../../../drivers/mysql/connect.ts';
import { type Server, textOf } from '../server.ts';
import { checkServerId } from '../stream/server-id.ts';
import { logsJsonDiffs } from './checks-binlog.ts';
import { quoteText } from './cures.ts';
import {
  type BinlogFilters,
  type ConnectionFacts,
  isOn,
  type Refusal,
  type ServerFacts,
  type ServerIdFacts,
  type SessionFacts,
  setting,
} from './facts.ts';
import { Grants } from './grants.ts';
import { readTableFacts } from './read-tables.ts';

/** The settings of a source that a preflight needs. */
export interface PreflightSettings {
  readonly tables: readonly string[] | undefined;
  readonly exclude: readonly string[] | undefined;
  readonly serverId: number;
  readonly eventBytesMax: number;
  readonly log: Logger;
  readonly signal: AbortSignal | undefined;
}

export interface ReadFactsOptions {
  readonly server: Server;
  readonly settings: PreflightSettings;
  readonly address: ServerAddress;
  /** `start`: as little as the checks at the start of a stream need, in two or three queries. */
  readonly scope: 'all' | 'start';
}

/** Reads what the checks need. A question that the account may not ask becomes a refusal; the others go on. */
export async function readFacts(
  queries: QueryConnection,
  { server, settings, address, scope }: ReadFactsOptions,
): Promise<ServerFacts> {
  const questions = new Questions(queries);
  const grants = await readGrants(questions, server);
  const filters = await readFilters(questions, server);
  const upstreams = await readUpstreams(questions, server);
  const all = scope === 'all';
  // At the start tables are looked at only if something hangs on it: there may be very many.
  const needsTables =
    all ||
    (filters !== null && filters.doDatabases.length + filters.ignoreDatabases.length > 0) ||
    logsJsonDiffs({ server });
  return {
    server,
    account: all ? await readAccount(questions, address) : accountOf(address),
    grants,
    connection: all ? await readConnection(questions, address) : { cipher: null, verified: false, local: true },
    eventBytesMax: settings.eventBytesMax,
    serverId: all ? await readServerId(questions, { server, grants, settings }) : { asked: false, problem: null },
    filters,
    upstreams,
    sessions: all ? await readSessions(questions, server) : null,
    tables: needsTables
      ? await readTableFacts(queries, {
          server,
          grants,
          selection: { tables: settings.tables, exclude: settings.exclude, database: address.database },
        })
      : null,
    refusals: questions.refusals,
  };
}

/** Asks, and notes what was refused. */
class Questions {
  readonly queries: QueryConnection;
  readonly refusals: Refusal[] = [];

  constructor(queries: QueryConnection) {
    this.queries = queries;
  }

  /** Null when there is no answer, for lack of the privilege or because this server does not know the question. */
  async ask(question: string, refusal: Omit<Refusal, 'question'> | null): Promise<readonly ResultRow[] | null> {
    try {
      return await this.queries.query(question);
    } catch (failure) {
      this.note(failure, question, refusal);
      return null;
    }
  }

  /** Rethrows what a new connection may cure. */
  note(failure: unknown, question: string, refusal: Omit<Refusal, 'question'> | null): void {
    if (!isTidingsError(failure) || isTransient(failure)) throw failure;
    const refused = failure.code === 'PRIVILEGE_MISSING' || failure.code === 'ACCESS_DENIED';
    if (refused && refusal !== null) this.refusals.push({ question, ...refusal });
  }
}

async function readGrants(questions: Questions, server: Server): Promise<Grants | null> {
  const rows = await questions.ask('SHOW GRANTS', null);
  if (rows === null) return null;
  const lines = rows.map((row) => textOf(row, ...Object.keys(row)));
  return new Grants(lines, { partialRevokes: isOn(setting(server, 'partial_revokes')) });
}

async function readFilters(questions: Questions, server: Server): Promise<BinlogFilters | null> {
  const rows = await questions.ask(server.binlogStatusStatement, {
    privilege: server.flavour === 'mariadb' ? 'BINLOG MONITOR' : 'REPLICATION CLIENT',
    target: '*.*',
    consequence: 'the account may not ask where the binlog ends',
    level: 'error',
  });
  if (rows === null) return null;
  const [row = {}] = rows;
  const names = (column: string): string[] =>
    textOf(row, column)
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
  return { doDatabases: names('Binlog_Do_DB'), ignoreDatabases: names('Binlog_Ignore_DB') };
}

/** Asked only if it matters: with log_replica_updates ON everything is in the binlog. */
async function readUpstreams(questions: Questions, server: Server): Promise<number | null> {
  if (isOn(setting(server, 'log_replica_updates', 'log_slave_updates'))) return null;
  const consequence =
    'the account may not ask whether this server is a replica, in which case log_slave_updates = OFF would keep changes out of its binlog';
  if (server.flavour === 'mysql') {
    const rows = await questions.ask(server.replicaStatusStatement, {
      privilege: 'REPLICATION CLIENT',
      target: '*.*',
      consequence,
      level: 'warning',
    });
    return rows?.length ?? null;
  }
  // What runs is known without any privilege; a replica that is stopped is not.
  const status = await questions.ask("SHOW GLOBAL STATUS LIKE 'Slaves_running'", null);
  const running = Number(textOf(status?.[0] ?? {}, 'Value') || '0');
  if (running > 0) return running;
  const rows = await questions.ask(server.replicaStatusStatement, {
    privilege: server.version >= 100_509 ? 'SLAVE MONITOR' : 'REPLICATION SLAVE ADMIN',
    target: '*.*',
    consequence: `${consequence}; no replication is running now`,
    level: 'ok',
  });
  return rows?.length ?? null;
}

/** `'user'@'host'`: the account that the server has chosen for us, not the one that we named. */
async function readAccount(questions: Questions, address: ServerAddress): Promise<string> {
  const rows = await questions.ask('SELECT CURRENT_USER() AS account', null);
  const account = textOf(rows?.[0] ?? {}, 'account');
  const at = account.lastIndexOf('@');
  return at < 0 ? accountOf(address) : `${quoteText(account.slice(0, at))}@${quoteText(account.slice(at + 1))}`;
}

export function accountOf({ user }: Pick<ServerAddress, 'user'>): string {
  return `${quoteText(user)}@'%'`;
}

async function readConnection(
  questions: Questions,
  { tls, host, socketPath }: ServerAddress,
): Promise<ConnectionFacts> {
  const rows = await questions.ask("SHOW SESSION STATUS LIKE 'Ssl_cipher'", null);
  const cipher = textOf(rows?.[0] ?? {}, 'Value');
  const local = socketPath !== null || host === 'localhost' || host === '::1' || host.startsWith('127.');
  return { cipher: cipher === '' ? null : cipher, verified: tls !== null && tls.mode !== 'on', local };
}

/** The very check that a source makes when it starts, so that both agree. */
async function readServerId(
  questions: Questions,
  { server, grants, settings }: { server: Server; grants: Grants | null; settings: PreflightSettings },
): Promise<ServerIdFacts> {
  const { serverId, signal = new AbortController().signal } = settings;
  try {
    await checkServerId(serverId, { queries: questions.queries, server, former: null, signal });
  } catch (failure) {
    if (isTidingsError(failure) && failure.code === 'SERVER_ID_IN_USE') {
      return { asked: true, problem: failure.message };
    }
    questions.note(failure, 'the readers of the binlog', null);
    return { asked: false, problem: null };
  }
  // Without this privilege the server does not list its readers, and the check has passed for lack of an answer.
  const privilege = server.flavour === 'mariadb' ? 'REPLICATION MASTER ADMIN' : 'REPLICATION SLAVE';
  return { asked: grants?.hasGlobal(privilege) ?? false, problem: null };
}

async function readSessions(questions: Questions, { flavour }: Server): Promise<SessionFacts[] | null> {
  if (flavour === 'mariadb') return null;
  const rows = await questions.ask(
    'SELECT t.PROCESSLIST_ID AS id, v.VARIABLE_NAME AS name, v.VARIABLE_VALUE AS value FROM performance_schema.variables_by_thread v ' +
      'JOIN performance_schema.threads t ON t.THREAD_ID = v.THREAD_ID ' +
      "WHERE t.PROCESSLIST_ID <> CONNECTION_ID() AND v.VARIABLE_NAME IN ('binlog_format', 'binlog_row_image', 'sql_log_bin')",
    {
      privilege: 'SELECT',
      target: 'performance_schema.*',
      consequence:
        'the account may not see whether open sessions have chosen a binlog format or row image of their own',
      level: 'ok',
    },
  );
  if (rows === null) return null;
  return [...Map.groupBy(rows, (row) => Number(textOf(row, 'id')))].map(([id, variables]) => {
    const value = (name: string, standard: string): string => {
      const found = variables.find((row) => textOf(row, 'name') === name);
      return found === undefined ? standard : textOf(found, 'value');
    };
    return {
      id,
      binlogFormat: value('binlog_format', 'ROW'),
      binlogRowImage: value('binlog_row_image', 'FULL'),
      logged: isOn(value('sql_log_bin', 'ON')),
    };
  });
}
