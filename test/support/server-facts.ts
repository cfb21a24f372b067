import type { ServerFacts, TableFacts, WatchedTable } from '../../src/sources/mysql/preflight/facts.ts';
import { Grants } from '../../src/sources/mysql/preflight/grants.ts';
import { type Flavour, parseVersion } from '../../src/drivers/mysql/server-version.ts';
import type { Server } from '../../src/sources/mysql/server.ts';

/** Settings of a server that has everything as Tidings likes it best. */
const BEST = {
  binlog_format: 'ROW',
  binlog_row_image: 'FULL',
  binlog_row_metadata: 'FULL',
  binlog_expire_logs_seconds: '604800',
  max_allowed_packet: '16777216',
};

const BEST_OF: Readonly<Record<Flavour, Readonly<Record<string, string>>>> = {
  mysql: {
    gtid_mode: 'ON',
    enforce_gtid_consistency: 'ON',
    log_replica_updates: 'ON',
    binlog_row_value_options: '',
    binlog_expire_logs_auto_purge: 'ON',
    binlog_transaction_compression: 'OFF',
    binlog_encryption: 'OFF',
  },
  mariadb: { gtid_strict_mode: 'ON', log_slave_updates: 'ON', log_bin_compress: 'OFF', encrypt_binlog: 'OFF' },
};

interface ServerOptions {
  readonly version?: string;
  /** Null removes the variable: this version does not have it. */
  readonly settings?: Readonly<Record<string, string | null>>;
  readonly server?: Partial<Server>;
}

export function serverOf(flavour: Flavour, { version, settings = {}, server = {} }: ServerOptions = {}): Server {
  const versionText = version ?? (flavour === 'mysql' ? '8.4.3' : '11.4.4-MariaDB');
  const all = Object.entries({ ...BEST, ...BEST_OF[flavour], ...settings });
  return {
    flavour,
    versionText,
    version: parseVersion(versionText),
    identity: 'one',
    serverId: 5,
    binlogEnabled: true,
    binlogStatusStatement: 'SHOW MASTER STATUS',
    replicaStatusStatement: flavour === 'mariadb' ? 'SHOW ALL SLAVES STATUS' : 'SHOW REPLICA STATUS',
    checksum: 'CRC32',
    gtid: true,
    lowerCaseTableNames: 0,
    explicitDefaultsForTimestamp: true,
    serverCharset: 'utf8mb4',
    serverCollation: null,
    utf8: 'utf8mb3',
    defaultCollations: new Map(),
    settings: new Map(all.flatMap(([name, value]) => (value === null ? [] : [[name, value]]))),
    ...server,
  };
}

/** Facts of which every check says ok; `changes` make it say something else. */
export function factsOf(
  flavour: Flavour,
  options: ServerOptions & { readonly facts?: Partial<ServerFacts> } = {},
): ServerFacts {
  return {
    server: serverOf(flavour, options),
    account: "'tidings'@'%'",
    grants: new Grants(['GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT, BINLOG MONITOR ON *.* TO `tidings`@`%`']),
    refusals: [],
    connection: { cipher: 'TLS_AES_256_GCM_SHA384', verified: true, local: false },
    eventBytesMax: 1024 ** 3,
    serverId: { asked: true, problem: null },
    filters: { doDatabases: [], ignoreDatabases: [] },
    upstreams: null,
    tables: tablesOf([tableOf('shop', 'orders')]),
    sessions: flavour === 'mysql' ? [] : null,
    ...options.facts,
  };
}

export function tableOf(database: string, name: string, changes: Partial<WatchedTable> = {}): WatchedTable {
  return {
    database,
    name,
    engine: 'InnoDB',
    transactional: true,
    hasPrimaryKey: true,
    keyProposal: null,
    hasJson: false,
    insertedOnly: [],
    unreadable: null,
    selectable: true,
    ...changes,
  };
}

export function tablesOf(watched: readonly WatchedTable[], changes: Partial<TableFacts> = {}): TableFacts {
  return {
    watched,
    patterns: [{ text: 'shop.*', target: '`shop`.*', database: 'shop', selectable: true, matches: watched.length }],
    cascades: [],
    ...changes,
  };
}
