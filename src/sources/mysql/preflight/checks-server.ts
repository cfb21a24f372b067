import { type Check, error, ok, type Verdict, warning } from './check.ts';
import { configure, setVariable } from './cures.ts';
import { isOn, type ServerFacts, setting } from './facts.ts';

// What the server is, how long it keeps its binlog, and what it gets from other servers.

const DAY_S = 86_400;
const WEEK_DAYS = 7;

export const serverVersion: Check = {
  code: 'SERVER_VERSION',
  atStart: null,
  // A version that is not supported never gets this far: reading the settings refuses it.
  look: ({ server }) => [
    ok(`${server.flavour === 'mariadb' ? 'MariaDB' : 'MySQL'} ${server.versionText} is supported`),
  ],
};

export const tls: Check = {
  code: 'TLS',
  atStart: null,
  look({ connection: { cipher, verified, local } }) {
    if (cipher !== null && verified) {
      return [ok(`the connection is encrypted (${cipher}) and the server's certificate was checked`)];
    }
    if (cipher !== null) {
      return [
        ok(
          `the connection is encrypted (${cipher}); the server's certificate was not checked`,
          '?tls=verify&tls-ca=/path/to/ca.pem    # in the URL',
        ),
      ];
    }
    if (local) return [ok('the connection is not encrypted, and does not leave this machine')];
    return [
      warning(
        'the connection is not encrypted: whoever is on the way can read all rows',
        '?tls=verify&tls-ca=/path/to/ca.pem    # in the URL',
      ),
    ];
  },
};

export const serverId: Check = {
  code: 'SERVER_ID',
  atStart: 'stop',
  look({ server, serverId: { asked, problem } }) {
    if (server.serverId === 0) {
      return [
        error(
          'server_id is 0: the server sends its binlog to nobody. It needs a number that no other server or reader of its group has',
          setVariable(server, 'server_id', '1'),
        ),
      ];
    }
    if (problem !== null) {
      return [
        error(
          problem,
          '--server-id <n>    # or serverId: a number that no other reader has; left out, a random one is used',
        ),
      ];
    }
    return [ok(`the server's id is ${server.serverId}${asked ? ', and no other reader has ours' : ''}`)];
  },
};

export const retention: Check = {
  code: 'RETENTION',
  atStart: 'warn',
  look(facts) {
    return [...retentionTime(facts), ...retentionSize(facts)];
  },
};

function retentionTime({ server }: ServerFacts): Verdict[] {
  const seconds = retentionSeconds({ server });
  if (seconds === null) return [ok('binlog files are never removed automatically: see that the disk does not fill up')];
  const span =
    seconds % DAY_S === 0 ? count(seconds / DAY_S, 'day') : count(Math.round((seconds / 3600) * 10) / 10, 'hour');
  if (seconds >= DAY_S) return [ok(`binlog files are kept for ${span}`)];
  // MySQL 8.0 and MariaDB 10.6 brought seconds; before, there are days.
  const cure = server.settings.has('binlog_expire_logs_seconds')
    ? setVariable(server, 'binlog_expire_logs_seconds', String(WEEK_DAYS * DAY_S))
    : setVariable(server, 'expire_logs_days', String(WEEK_DAYS));
  return [warning(`binlog files are removed after ${span}: a reader that is away for longer cannot go on`, cure)];
}

function count(n: number, unit: string): string {
  return `${n} ${unit}${n === 1 ? '' : 's'}`;
}

/** How long binlog files are kept; null: for ever. */
function retentionSeconds({ server }: Pick<ServerFacts, 'server'>): number | null {
  const automatic = setting(server, 'binlog_expire_logs_auto_purge');
  if (automatic !== '' && !isOn(automatic)) return null;
  const seconds = Number(setting(server, 'binlog_expire_logs_seconds') || '0');
  // MySQL 8.0: days count only when there are no seconds.
  const days = Number(setting(server, 'expire_logs_days') || '0');
  return seconds > 0 ? seconds : days > 0 ? days * DAY_S : null;
}

function retentionSize({ server }: ServerFacts): Verdict[] {
  // MariaDB 11.4, and Percona Server.
  const name = server.settings.has('max_binlog_total_size') ? 'max_binlog_total_size' : 'binlog_space_limit';
  const bytes = Number(setting(server, name) || '0');
  if (bytes === 0) return [];
  const cure = name === 'max_binlog_total_size' ? setVariable(server, name, '0') : configure(`${name} = 0`);
  return [
    warning(`${name} is ${bytes}: the oldest binlog files go as soon as all are larger than that, read or not`, cure),
  ];
}

const GTID_STEPS = ['OFF', 'OFF_PERMISSIVE', 'ON_PERMISSIVE', 'ON'];

export const gtids: Check = {
  code: 'GTIDS',
  atStart: 'warn',
  look(facts) {
    return facts.server.flavour === 'mariadb' ? mariadbGtids(facts) : mysqlGtids(facts);
  },
};

function mysqlGtids({ server }: ServerFacts): Verdict[] {
  const mode = setting(server, 'gtid_mode') || 'OFF';
  const consistency = setting(server, 'enforce_gtid_consistency') || 'OFF';
  if (mode === 'ON') return [ok('gtid_mode is ON: positions survive a failover')];
  // gtid_mode moves one step at a time, on a running server.
  const steps = GTID_STEPS.slice(GTID_STEPS.indexOf(mode) + 1).map((step) => setVariable(server, 'gtid_mode', step));
  const enforce = isOn(consistency) ? [] : [setVariable(server, 'enforce_gtid_consistency', 'ON')];
  return [
    warning(
      `gtid_mode is ${mode} and enforce_gtid_consistency is ${consistency}: positions are file and offset, which mean nothing on another server after a failover. ` +
        'Before turning it on, see with enforce_gtid_consistency = WARN that the error log shows no violation, and take each step on all servers of a group before the next',
      onlyLastKept([...enforce, ...steps]),
    ),
  ];
}

/** Of several values for one variable only the last belongs into the configuration file. */
function onlyLastKept(statements: readonly string[]): string {
  const lines = statements.join('\n').split('\n');
  const nameOf = (line: string): string | undefined => /^(\w+) = /.exec(line)?.[1];
  return lines
    .filter(
      (line, i) => nameOf(line) === undefined || !lines.slice(i + 1).some((later) => nameOf(later) === nameOf(line)),
    )
    .join('\n');
}

function mariadbGtids({ server }: ServerFacts): Verdict[] {
  if (isOn(setting(server, 'gtid_strict_mode'))) {
    return [ok('gtid_strict_mode is ON: positions are GTIDs, and servers of a group cannot drift apart unnoticed')];
  }
  return [
    ok(
      'positions are GTIDs. gtid_strict_mode is OFF: a replica may write transactions of its own between those of its primary, and then a position of the one is not the same on the other',
      setVariable(server, 'gtid_strict_mode', 'ON'),
    ),
  ];
}

export const replicaUpdates: Check = {
  code: 'REPLICA_UPDATES',
  atStart: 'stop',
  look(facts) {
    const { server, upstreams } = facts;
    const name = server.settings.has('log_replica_updates') ? 'log_replica_updates' : 'log_slave_updates';
    if (isOn(setting(server, name))) {
      return [ok(`${name} is ON: what this server receives by replication is in its binlog, too`)];
    }
    const cure = configure(`${name} = ON`);
    // Galera applies what the other nodes commit as a replica would.
    if (isOn(setting(server, 'wsrep_on'))) {
      return [
        error(
          `the server is a Galera node and ${name} is OFF: changes that other nodes commit are not in its binlog`,
          cure,
        ),
      ];
    }
    if (upstreams === null) return []; // Not asked, or refused: PRIVILEGES tells.
    if (upstreams === 0) return [ok(`the server is no replica, so that ${name} = OFF does no harm`)];
    return [
      error(
        `the server is a replica and ${name} is OFF: changes that it receives from its source are not in its binlog`,
        cure,
      ),
    ];
  },
};

export const binlogFilters: Check = {
  code: 'BINLOG_FILTERS',
  atStart: 'stop',
  look({ server, filters, tables }) {
    if (filters === null) return [];
    const { doDatabases, ignoreDatabases } = filters;
    if (doDatabases.length === 0 && ignoreDatabases.length === 0) return [ok('no database is left out of the binlog')];
    const same = (a: string, b: string): boolean =>
      server.lowerCaseTableNames === 0 ? a === b : a.toLowerCase() === b.toLowerCase();
    // With binlog_do_db given, the servers do not look at binlog_ignore_db.
    const logged = (database: string): boolean =>
      doDatabases.length > 0
        ? doDatabases.some((name) => same(name, database))
        : !ignoreDatabases.some((name) => same(name, database));
    const what =
      doDatabases.length > 0
        ? `only ${doDatabases.join(', ')} ${doDatabases.length === 1 ? 'is' : 'are'} written to the binlog (binlog_do_db)`
        : `${ignoreDatabases.join(', ')} ${ignoreDatabases.length === 1 ? 'is' : 'are'} not written to the binlog (binlog_ignore_db)`;
    const lines = (databases: readonly string[]): string =>
      doDatabases.length > 0
        ? databases.map((name) => configure(`binlog_do_db = ${name}`)).join('\n')
        : ignoreDatabases
            .map(
              (name) =>
                `# binlog_ignore_db = ${name}    # take the line out of the configuration file; takes a restart`,
            )
            .join('\n');
    const watched = new Set([
      ...(tables?.watched.map(({ database }) => database) ?? []),
      ...(tables?.patterns.flatMap(({ database }) => database ?? []) ?? []),
    ]);
    const missing = [...watched].filter((database) => !logged(database));
    if (missing.length > 0) {
      return [
        error(`${what}, and watched tables are in ${missing.join(', ')}: their changes are lost`, lines(missing)),
      ];
    }
    const open = tables?.patterns.some(({ database }) => database === null) ?? false;
    return [
      open
        ? warning(`${what}; the selection may match tables of other databases, whose changes would be lost`, null)
        : ok(what),
    ];
  },
};
