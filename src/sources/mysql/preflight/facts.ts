import type { Server } from '../server.ts';
import type { Grants } from './grants.ts';

/** What the checks look at: read from the server once, so that each check is a pure function. */
export interface ServerFacts {
  readonly server: Server;
  /** `'user'@'host'` as the server knows it, to be put into a GRANT. */
  readonly account: string;
  /** Null when the server did not show them. */
  readonly grants: Grants | null;
  /** Questions that the server refused to answer for lack of a privilege. */
  readonly refusals: readonly Refusal[];
  readonly connection: ConnectionFacts;
  /** The largest event that this source accepts. */
  readonly eventBytesMax: number;
  readonly serverId: ServerIdFacts;
  /** binlog_do_db and binlog_ignore_db; null when not asked or refused. */
  readonly filters: BinlogFilters | null;
  /** Replication channels through which this server receives changes; null when not asked or refused. */
  readonly upstreams: number | null;
  /** Null when not asked. */
  readonly tables: TableFacts | null;
  /** Settings that open sessions have chosen for themselves; null where the server does not show them. */
  readonly sessions: readonly SessionFacts[] | null;
}

export interface Refusal {
  /** The statement that was refused. */
  readonly question: string;
  /** What it takes, as GRANT wants it. */
  readonly privilege: string;
  /** The object of the GRANT: `*.*`, `performance_schema.*`. */
  readonly target: string;
  /** What is not known now, or does not work. */
  readonly consequence: string;
  readonly level: 'error' | 'warning' | 'ok';
}

export interface ConnectionFacts {
  /** The TLS cipher; null when the connection is not encrypted. */
  readonly cipher: string | null;
  /** The server's certificate was checked. */
  readonly verified: boolean;
  /** Over a Unix socket or the loopback interface: nobody can listen on the way. */
  readonly local: boolean;
}

export interface ServerIdFacts {
  /** The server said whether another reader has it. */
  readonly asked: boolean;
  /** What keeps it from being used; null: nothing that is known. */
  readonly problem: string | null;
}

export interface BinlogFilters {
  readonly doDatabases: readonly string[];
  readonly ignoreDatabases: readonly string[];
}

export interface TableFacts {
  /** The watched tables that the account can see. */
  readonly watched: readonly WatchedTable[];
  readonly patterns: readonly PatternFacts[];
  /** Foreign keys of watched tables that change or delete rows by themselves. */
  readonly cascades: readonly Cascade[];
}

export interface WatchedTable {
  readonly database: string;
  readonly name: string;
  readonly engine: string;
  /** Null when it is not known. */
  readonly transactional: boolean | null;
  /** Null when the definition cannot be read. */
  readonly hasPrimaryKey: boolean | null;
  /** How it could get a primary key; null when it has one, or when nobody asked. */
  readonly keyProposal: string | null;
  readonly hasJson: boolean;
  /** Columns that the server logs with inserted rows only. */
  readonly insertedOnly: readonly string[];
  /** Why the definition cannot be read exactly; null when it can. */
  readonly unreadable: string | null;
  /** The account's grants give SELECT on the whole table. */
  readonly selectable: boolean;
}

export interface PatternFacts {
  readonly text: string;
  /** The object that SELECT must be granted on for everything the pattern may match: `*.*`, `shop`.*, `shop`.`orders`. */
  readonly target: string;
  /** The database that it names; null when it may match in any. */
  readonly database: string | null;
  /** The account's grants give SELECT on all of that. */
  readonly selectable: boolean;
  /** How many visible tables it matches, those left out by `exclude` not counted. */
  readonly matches: number;
}

export interface Cascade {
  readonly database: string;
  readonly table: string;
  readonly constraint: string;
  /** `ON DELETE CASCADE`, `ON UPDATE SET NULL`, … */
  readonly actions: readonly string[];
  /** `FOREIGN KEY (…) REFERENCES …`, without actions. */
  readonly definition: string;
}

export interface SessionFacts {
  /** As KILL takes it. */
  readonly id: number;
  readonly binlogFormat: string;
  readonly binlogRowImage: string;
  /** False: what the session changes is not written to the binlog at all. */
  readonly logged: boolean;
}

/** A setting as the server shows it; '' when it has no such variable. */
export function setting({ settings }: Server, ...names: readonly string[]): string {
  for (const name of names) {
    const value = settings.get(name);
    if (value !== undefined) return value;
  }
  return '';
}

export function isOn(value: string): boolean {
  return /^(ON|1|YES|TRUE)$/i.test(value);
}
