import type { z } from 'zod';
import type { Finding } from './core/finding.ts';
import type { Logger } from './core/logger.ts';
import type { Source } from './core/source.ts';
import type { TableSchema } from './core/table-schema.ts';

/** What can be asked of a source by text: on the command line, in a configuration file. */
export interface SourceRequest {
  /** With its credentials; never logged as it is. */
  readonly url: string;
  /** Patterns: `shop.orders`, `shop.*`, `/regular expression/`. */
  readonly tables?: readonly string[];
  readonly exclude?: readonly string[];
  /** Columns by table pattern. Columns that are not asked for are not decoded, and absent from the rows. */
  readonly columns?: Readonly<Record<string, readonly string[]>>;
  /** `now`, `earliest`, a position, or a time. */
  readonly from?: string;
  /** `now` or a position: where the iteration ends by itself. */
  readonly until?: string;
  readonly json?: 'text' | 'parsed';
  readonly serverId?: number;
  /** Ask for the SQL statements behind the rows, where the server sends them on request only. */
  readonly statements?: boolean;
  readonly log?: Logger;
  /** Table definitions as of the position in `from`, when somebody has kept them. */
  readonly knownTables?: readonly TableSchema[];
  /** Retry the very first connection, too. */
  readonly waitForServer?: boolean;
  /** What `configSchema` has yielded and nothing above says. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface SourceType {
  /** The type name, as configuration files give it. */
  readonly type: string;
  open(request: SourceRequest): Promise<Source>;
  /** What a configuration file may say of such a source, besides its `type`. */
  configSchema(): Promise<z.ZodObject>;
  /** Looks at everything that reading needs, and reports all that is wrong at once. */
  preflight(request: SourceRequest): Promise<readonly Finding[]>;
  /**
   * Loads the order of this source's positions: whether position `a` is at or before position `b`, both as text. Left out where
   * positions cannot be compared without the server.
   */
  positionOrder?(): Promise<(a: string, b: string) => boolean>;
}

/** Source types by the scheme of their URLs, without the colon. */
export type SourceTypes = ReadonlyMap<string, SourceType>;

// Connectors are loaded when they are asked for: a driver that nobody needs costs nothing.
const mysql: SourceType = {
  type: 'mysql',
  async open(request) {
    const { MysqlSource } = await import('./sources/mysql/mysql-source.ts');
    const { settings, ...options } = request;
    return new MysqlSource({ ...settings, ...options });
  },
  async configSchema() {
    const { mysqlConfigSchema } = await import('./sources/mysql/config.ts');
    return mysqlConfigSchema;
  },
  async preflight(request) {
    const { runPreflight } = await import('./sources/mysql/preflight.ts');
    const { settings, ...options } = request;
    return runPreflight({ ...settings, ...options });
  },
  async positionOrder() {
    const { covers } = await import('./sources/mysql/position-order.ts');
    return covers;
  },
};

export const sourceTypes: SourceTypes = new Map([
  ['mysql', mysql],
  ['mariadb', mysql],
]);

/** What configuration files may say of each type of source. */
export async function sourceSchemas(types: SourceTypes): Promise<ReadonlyMap<string, z.ZodObject>> {
  const byName = new Map([...types.values()].map((type) => [type.type, type]));
  return new Map(
    await Promise.all([...byName].map(async ([name, type]) => [name, await type.configSchema()] as const)),
  );
}

/** The type of that name. */
export function sourceTypeNamed(name: string, types: SourceTypes): SourceType | undefined {
  return [...types.values()].find(({ type }) => type === name);
}
