import { TidingsError } from '../../core/errors.ts';
import type { QueryConnection, ResultRow } from '../../drivers/mysql/connect.ts';
import { type Flavour, parseVersion } from '../../drivers/mysql/server-version.ts';

/**
 * What is known of a server, and everything in which servers differ for us: no other file asks for a version.
 */
export interface Server {
  readonly flavour: Flavour;
  /** As the server says it: `10.11.18-MariaDB-…`, `9.7.4`. */
  readonly versionText: string;
  /** 101118, 90704: major * 10000 + minor * 100 + patch. */
  readonly version: number;
  /** Tells one server from another: MySQL's server_uuid; MariaDB has none before 11.x, there it is server id and data folder. */
  readonly identity: string;
  readonly serverId: number;
  readonly binlogEnabled: boolean;
  /** `SHOW …` that prints the current file and offset. */
  readonly binlogStatusStatement: string;
  /** `SHOW …` that prints how this server's own replication is, a row for each server that it replicates. */
  readonly replicaStatusStatement: string;
  readonly checksum: 'CRC32' | 'NONE';
  /** Positions are GTIDs: MariaDB always, MySQL with gtid_mode=ON. */
  readonly gtid: boolean;
  readonly lowerCaseTableNames: 0 | 1 | 2;
  readonly explicitDefaultsForTimestamp: boolean | null;
  readonly serverCharset: string | null;
  readonly serverCollation: string | null;
  /** MariaDB: old_mode has UTF8_IS_UTF8MB3, so that `utf8` in DDL means utf8mb3. */
  readonly utf8: 'utf8mb3' | 'utf8mb4';
  /** Default collations that differ from the compiled-in ones: charset → collation. */
  readonly defaultCollations: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, string>;
}

/** Oldest and first too new version, by flavour. */
const SUPPORTED: Readonly<Record<Flavour, readonly [number, number]>> = {
  mysql: [50_700, 100_000],
  mariadb: [100_500, 130_000],
};

/** @throws TidingsError SERVER_UNSUPPORTED */
export async function readServer(connection: QueryConnection): Promise<Server> {
  const settings = new Map<string, string>();
  for (const row of await connection.query('SHOW GLOBAL VARIABLES')) {
    settings.set(textOf(row, 'Variable_name').toLowerCase(), textOf(row, 'Value'));
  }
  const get = (name: string): string => settings.get(name) ?? '';
  const versionText = get('version');
  const flavour: Flavour = /mariadb/i.test(versionText) || settings.has('gtid_binlog_pos') ? 'mariadb' : 'mysql';
  const version = parseVersion(versionText);
  const [oldest, tooNew] = SUPPORTED[flavour];
  if (version < oldest || version >= tooNew) {
    throw new TidingsError('SERVER_UNSUPPORTED', `the server is ${flavour} ${versionText}`, {
      details: { version: versionText },
    });
  }
  const serverId = Number(get('server_id') || '0');
  const uuid = get('server_uuid') || get('server_uid');
  const lowerCase = Number(get('lower_case_table_names') || '0');
  return {
    flavour,
    versionText,
    version,
    identity: uuid === '' ? `${serverId}@${get('hostname')}:${get('port')}${get('datadir')}` : uuid,
    serverId,
    binlogEnabled: get('log_bin').toUpperCase() === 'ON',
    // MySQL 8.2 renamed the statement, 8.4 dropped the old name; MariaDB keeps it.
    binlogStatusStatement: flavour === 'mysql' && version >= 80_200 ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
    // MySQL 8.0.22 renamed the statement, 8.4 dropped the old name.
    replicaStatusStatement:
      flavour === 'mariadb'
        ? 'SHOW ALL SLAVES STATUS'
        : version >= 80_022
          ? 'SHOW REPLICA STATUS'
          : 'SHOW SLAVE STATUS',
    checksum: get('binlog_checksum').toUpperCase() === 'CRC32' ? 'CRC32' : 'NONE',
    gtid: flavour === 'mariadb' || get('gtid_mode').toUpperCase() === 'ON',
    lowerCaseTableNames: lowerCase === 1 ? 1 : lowerCase === 2 ? 2 : 0,
    explicitDefaultsForTimestamp: settings.has('explicit_defaults_for_timestamp')
      ? get('explicit_defaults_for_timestamp').toUpperCase() === 'ON'
      : null,
    serverCharset: get('character_set_server') || null,
    serverCollation: get('collation_server') || null,
    utf8:
      flavour === 'mariadb' &&
      settings.has('old_mode') &&
      !/utf8_is_utf8mb3/i.test(get('old_mode')) &&
      version >= 100_600
        ? 'utf8mb4'
        : 'utf8mb3',
    defaultCollations: collationOverrides(flavour, settings),
    settings,
  };
}

function collationOverrides(flavour: Flavour, settings: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const overrides = new Map<string, string>();
  if (flavour === 'mysql') {
    const utf8mb4 = settings.get('default_collation_for_utf8mb4');
    if (utf8mb4 !== undefined) overrides.set('utf8mb4', utf8mb4);
    return overrides;
  }
  // MariaDB 11.2: "utf8mb4=uca1400_ai_ci,ucs2=…", the collation without its character set's name.
  for (const pair of (settings.get('character_set_collations') ?? '').split(',')) {
    const [charset, collation] = pair.split('=').map((part) => part.trim());
    if (charset && collation) {
      overrides.set(charset, collation.startsWith(charset) ? collation : `${charset}_${collation}`);
    }
  }
  return overrides;
}

/** The first of the named columns that the row has, as text; '' when it is missing or NULL. */
export function textOf(row: ResultRow, ...names: readonly string[]): string {
  for (const name of names) {
    const value = row[name];
    if (value === undefined || value === null) continue;
    return scalarText(value);
  }
  return '';
}

/** A column of a result: the driver gives numbers, text or bytes. */
function scalarText(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString('utf8') : `${value as string | number | bigint}`;
}

/** A file of the binlog and an offset in it. */
export interface BinlogPlace {
  readonly file: string;
  readonly offset: number;
}

/** Binlog files in the order they are written: by number, as the number outgrows its zeros (`.999999` < `.1000000`). */
export function compareFiles(a: string, b: string): number {
  return a === b ? 0 : fileNumber(a) - fileNumber(b);
}

function fileNumber(file: string): number {
  return Number(file.slice(file.lastIndexOf('.') + 1));
}

export function comparePlaces(a: BinlogPlace, b: BinlogPlace): number {
  return compareFiles(a.file, b.file) || a.offset - b.offset;
}

/** Where the server writes next. @throws TidingsError BINLOG_DISABLED */
export async function currentPlace(
  connection: QueryConnection,
  server: Server,
): Promise<BinlogPlace & { readonly executed: string }> {
  const [row] = await connection.query(server.binlogStatusStatement);
  if (row === undefined) throw new TidingsError('BINLOG_DISABLED', 'the server writes no binary log');
  return {
    file: textOf(row, 'File'),
    offset: Number(textOf(row, 'Position')),
    executed: textOf(row, 'Executed_Gtid_Set').replaceAll(/\s/g, ''),
  };
}

export interface BinlogFile {
  readonly file: string;
  readonly bytes: number;
}

/** The files that the server has, oldest first. */
export async function binlogFiles(connection: QueryConnection): Promise<readonly BinlogFile[]> {
  const rows = await connection.query('SHOW BINARY LOGS');
  return rows.map((row) => ({ file: textOf(row, 'Log_name'), bytes: Number(textOf(row, 'File_size')) }));
}

/** The one value of a query's only row, as text. */
export async function askOne(connection: QueryConnection, sql: string): Promise<string | null> {
  const [row] = await connection.query(sql);
  const value = row === undefined ? null : Object.values(row)[0];
  return value === null || value === undefined ? null : scalarText(value);
}
