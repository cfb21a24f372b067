import { type Flavour, parseVersion } from '../../drivers/mysql/server-version.ts';
import type { TargetConnection } from './target-connection.ts';

/** What is known of the target, and everything in which servers differ for a writer. */
export interface TargetServer {
  readonly flavour: Flavour;
  readonly versionText: string;
  /** major * 10000 + minor * 100 + patch. */
  readonly version: number;
  /** The largest statement that it takes. */
  readonly packetBytesMax: number;
  /** Collation → its character set. */
  readonly collations: ReadonlyMap<string, string>;
  /** Names of databases and tables that differ by case alone are one (lower_case_table_names). */
  readonly foldsNames: boolean;
  /** `INSERT … AS name ON DUPLICATE KEY UPDATE`; where it exists, VALUES() is deprecated, with a warning for each statement. */
  readonly hasRowAlias: boolean;
}

export async function readTargetServer(connection: TargetConnection): Promise<TargetServer> {
  const [facts] = await connection.rows(
    'SELECT VERSION() AS version, @@max_allowed_packet AS packet, @@lower_case_table_names AS fold',
  );
  const versionText = String(facts?.['version']);
  const flavour = /mariadb/i.test(versionText) ? 'mariadb' : 'mysql';
  const version = parseVersion(versionText);
  const collations = new Map<string, string>();
  for (const row of await connection.rows('SELECT * FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY')) {
    const charset = String(row['CHARACTER_SET_NAME']);
    // MariaDB's collations of several character sets have a short name, and a full one for each of them.
    collations.set(String(row['FULL_COLLATION_NAME'] ?? row['COLLATION_NAME']), charset);
  }
  return {
    flavour,
    versionText,
    version,
    packetBytesMax: Number(facts?.['packet']),
    collations,
    foldsNames: Number(facts?.['fold']) !== 0,
    hasRowAlias: flavour === 'mysql' && version >= 80_019,
  };
}
