import { resolve } from 'node:path';
import type { z } from 'zod';
import { TidingsError } from './core/errors.ts';
import type { Finding } from './core/finding.ts';
import type { Logger } from './core/logger.ts';
import type { Sink } from './core/sink.ts';
import type { Source } from './core/source.ts';
import type { MappingConfig } from './mapping/mapping-config.ts';
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
  /** The tables that it would watch, as they are defined now. Left out where they are not known without reading. */
  tables?(request: SourceRequest): Promise<readonly TableSchema[]>;
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
  async tables(request) {
    const { readWatchedTables } = await import('./sources/mysql/watched-tables.ts');
    const { settings, ...options } = request;
    return readWatchedTables({ ...settings, ...options });
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

export interface SinkRequest {
  /** What the type's schema has yielded. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Where relative paths begin. */
  readonly directory: string;
  /** Prints a text to the process's standard output; resolves when the reader has taken it. Left out: this process has none to give. */
  readonly print?: (text: string) => Promise<void>;
}

export interface SinkType {
  /** The type name, as configuration files give it. */
  readonly type: string;
  /** What a configuration file may say of such a sink, besides what is said of all sinks. */
  configSchema(): Promise<z.ZodObject>;
  /** How many rows are written at a time, in each lane, where the configuration does not say. */
  readonly batchRows: number;
  /** Whether such a sink can change parts of documents (`SinkRow.patches`): mappings that need it are refused for others. */
  takesPatches(settings: Readonly<Record<string, unknown>>): boolean;
  /** A sink that is not open yet. @throws TidingsError CONFIG_INVALID */
  make(request: SinkRequest): Promise<Sink>;
}

const BATCH_ROWS = 2000;

/** By the name of the type. */
export type SinkTypes = ReadonlyMap<string, SinkType>;

const mysqlSink: SinkType = {
  type: 'mysql',
  batchRows: BATCH_ROWS,
  takesPatches: () => true,
  async configSchema() {
    const { mysqlSinkConfigSchema } = await import('./sinks/mysql/config.ts');
    return mysqlSinkConfigSchema;
  },
  async make({ settings }) {
    const { MysqlSink } = await import('./sinks/mysql/mysql-sink.ts');
    return new MysqlSink(settings as unknown as ConstructorParameters<typeof MysqlSink>[0]);
  },
};

const fileSink: SinkType = {
  type: 'file',
  // Bytes at the end of a file cost next to nothing, making them durable costs the same however many they are.
  batchRows: 10_000,
  takesPatches: () => false,
  async configSchema() {
    const { fileSinkConfigSchema } = await import('./sinks/file/config.ts');
    return fileSinkConfigSchema;
  },
  async make({ settings, directory }) {
    const { FileSink } = await import('./sinks/file/file-sink.ts');
    const options = settings as unknown as ConstructorParameters<typeof FileSink>[0];
    return new FileSink({ ...options, path: resolve(directory, options.path) });
  },
};

const execSink: SinkType = {
  type: 'exec',
  batchRows: BATCH_ROWS,
  takesPatches: () => false,
  async configSchema() {
    const { execSinkConfigSchema } = await import('./sinks/exec/config.ts');
    return execSinkConfigSchema;
  },
  async make({ settings }) {
    const { ExecSink } = await import('./sinks/exec/exec-sink.ts');
    return new ExecSink(settings as unknown as ConstructorParameters<typeof ExecSink>[0]);
  },
};

const stdoutSink: SinkType = {
  type: 'stdout',
  batchRows: BATCH_ROWS,
  takesPatches: () => false,
  async configSchema() {
    const { stdoutSinkConfigSchema } = await import('./sinks/stdout/config.ts');
    return stdoutSinkConfigSchema;
  },
  async make({ settings, print }) {
    const { StdoutSink } = await import('./sinks/stdout/stdout-sink.ts');
    if (print === undefined) {
      throw new TidingsError('CONFIG_INVALID', 'a sink of type stdout prints for `tidings run` alone');
    }
    return new StdoutSink({ ...settings, write: print });
  },
};

const moduleSink: SinkType = {
  type: 'module',
  batchRows: BATCH_ROWS,
  takesPatches: (settings) => settings['takesPatches'] === true,
  async configSchema() {
    const { moduleSinkConfigSchema } = await import('./sinks/module/config.ts');
    return moduleSinkConfigSchema;
  },
  async make({ settings, directory }) {
    const { loadSinkModule } = await import('./sinks/module/load-sink-module.ts');
    return loadSinkModule(settings, directory);
  },
};

export const sinkTypes: SinkTypes = new Map(
  [mysqlSink, fileSink, execSink, stdoutSink, moduleSink].map((type) => [type.type, type]),
);

/** How a configuration says what becomes of rows: its keys, and what contradicts itself among their values. */
export interface MappingSchema {
  readonly shape: z.core.$ZodLooseShape;
  readonly mistakes: (
    config: unknown,
  ) => readonly { readonly path: readonly (string | number)[]; readonly message: string }[];
}

/** What configuration files may say of each type of source and sink. */
export async function connectorSchemas({
  sources,
  sinks,
}: {
  readonly sources: SourceTypes;
  readonly sinks: SinkTypes;
}): Promise<{
  readonly sources: ReadonlyMap<string, z.ZodObject>;
  readonly sinks: ReadonlyMap<string, z.ZodObject>;
  readonly mapping: MappingSchema;
}> {
  const [{ mappingSchema }, { parseRules }] = await Promise.all([
    import('./mapping/config.ts'),
    import('./mapping/rules.ts'),
  ]);
  const mapping: MappingSchema = {
    shape: mappingSchema().shape,
    mistakes: (config) => parseRules(config as MappingConfig).mistakes,
  };
  return { sources: await schemasOf(sources), sinks: await schemasOf(sinks), mapping };
}

async function schemasOf(
  types: ReadonlyMap<string, { readonly type: string; configSchema(): Promise<z.ZodObject> }>,
): Promise<ReadonlyMap<string, z.ZodObject>> {
  const byName = new Map([...types.values()].map((type) => [type.type, type]));
  return new Map(
    await Promise.all([...byName].map(async ([name, type]) => [name, await type.configSchema()] as const)),
  );
}

/** The type of that name. */
export function sourceTypeNamed(name: string, types: SourceTypes): SourceType | undefined {
  return [...types.values()].find(({ type }) => type === name);
}
