import { TidingsError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/logger.ts';
import type { TableSchema } from '../../../core/table-schema.ts';
import type { TableMapEvent } from '../binlog/table-map-event.ts';
import { Catalog } from '../ddl/catalog.ts';
import type { SchemaStep, TableKnowledge, TableName } from '../ddl/effect.ts';
import type { QueryConnection } from '../../../drivers/mysql/connect.ts';
import { type BinlogPlace, comparePlaces, currentPlace, type Server } from '../server.ts';
import type { TableSelection } from '../table-selection.ts';
import { keptDefinition } from './known-tables.ts';
import { readDatabaseCharsets, readTableDefinitions } from './read-table-schemas.ts';
import type { CharsetAndCollation, TableDefinition } from './table-definition.ts';
import { wireMismatch } from './wire-check.ts';

/** What the DDL between two places of the binlog may have changed. */
export interface TouchedTables {
  /** `database.table` */
  readonly tables: ReadonlySet<string>;
  readonly databases: ReadonlySet<string>;
  /** A statement that nobody understands lies between: nothing is certain. */
  readonly everything: boolean;
}

export interface SchemaHistoryOptions {
  readonly server: Server;
  readonly selection: TableSelection;
  readonly log: Logger;
  /** A connection for questions; the history closes it. */
  readonly openQueries: () => Promise<QueryConnection>;
  /** Reads the DDL between two places of the binlog. */
  readonly scanDdl: (from: BinlogPlace, to: BinlogPlace) => Promise<TouchedTables>;
}

/**
 * The definitions in force at the position that the stream has reached (I9).
 *
 * They come from three places: DDL in the stream, which is followed statement by statement; full metadata in the TABLE_MAP, which
 * needs no history; and the server, whose present definitions are those of the stream's position only if no DDL lies in
 * between. That is proved, not assumed: the binlog from the position to the moment of the reading is scanned for DDL, and a
 * table that any of it may touch stays unknown. A table that is unknown stops the source before its first row. A fourth, for a stream
 * that is resumed by somebody who has kept the definitions of the rows before it, is `begin`.
 */
export class SchemaHistory {
  readonly catalog: Catalog = new Catalog();
  #options: SchemaHistoryOptions;
  /** Definitions that the stream began with. */
  readonly #kept = new Set<TableKnowledge>();
  /** All watched tables were read once; from then on only single ones are. */
  #readAll = false;

  constructor(options: SchemaHistoryOptions) {
    this.#options = options;
  }

  /** After a reconnect: possibly another server of the group, with other connections. What is known stays known. */
  continueWith(options: SchemaHistoryOptions): void {
    this.#options = options;
  }

  /**
   * Takes definitions that hold where the stream begins, as somebody has kept them. They are worth less than what the server says: a
   * definition of it that is proved to hold replaces them, and one that does not fit its rows is forgotten.
   */
  begin(tables: readonly TableSchema[]): void {
    const { server, selection } = this.#options;
    for (const schema of tables) {
      const { database, name } = schema;
      if (!selection.watches(database, name) || this.catalog.lookup(database, name) !== 'unknown') continue;
      const definition = keptDefinition(schema, server.flavour);
      this.#kept.add(definition);
      this.catalog.apply({ op: 'define', definition });
    }
  }

  apply(steps: readonly SchemaStep[]): void {
    for (const step of steps) this.catalog.apply(step);
  }

  /** The definition, when it is known without asking anyone and fits the event. */
  known(event: TableMapEvent): TableSchema | null {
    const found = this.catalog.lookup(event.database, event.table);
    if (typeof found === 'string') return null;
    const fits = wireMismatch(event, found.schema, this.#options.server.flavour) === null;
    if (fits && this.#doubtful(found, event).length === 0) return found.schema;
    if (this.#kept.delete(found)) {
      this.catalog.apply({ op: 'unknown', table: { database: event.database, name: event.table } });
    }
    return null;
  }

  /**
   * Reads what the server knows now, for a stream that begins at `at`: when nothing much lies between, the tables are known before
   * the first DDL comes, and whatever is changed from then on is followed.
   */
  async readAhead(at: BinlogPlace): Promise<void> {
    if (!this.#readAll) await this.#read(null, at);
  }

  /**
   * The definition that rows at `at` were written with, from the server if it can be proved to be the right one.
   *
   * @throws TidingsError SCHEMA_UNKNOWN, SCHEMA_MISMATCH
   */
  async establish(event: TableMapEvent, at: BinlogPlace): Promise<TableSchema> {
    const table = `${event.database}.${event.table}`;
    const { server, log } = this.#options;
    const {
      visible,
      touched,
      reason: unreadable,
    } = await this.#read({ database: event.database, name: event.table }, at);
    const found = this.catalog.lookup(event.database, event.table);
    if (typeof found !== 'string') {
      const mismatch = wireMismatch(event, found.schema, server.flavour);
      const doubtful = this.#doubtful(found, event);
      if (mismatch === null && doubtful.length > 0) throw doubtfulMembers(table, doubtful);
      if (mismatch === null) {
        log.debug({ table, position: `${at.file}:${at.offset}` }, 'table definition read from the server');
        return found.schema;
      }
      throw new TidingsError('SCHEMA_MISMATCH', `${table}: ${mismatch}`, {
        details: { table, position: `${at.file}:${at.offset}` },
      });
    }
    const reason = touched
      ? 'it was changed after this position by DDL that is still ahead in the binlog, and the binlog does not describe its rows'
      : visible || unreadable !== null
        ? `its definition could not be read from the server${unreadable === null ? '' : `: ${unreadable}`}`
        : 'the server shows no such table to this account: it was dropped or renamed since, or SELECT is not granted';
    throw new TidingsError(
      'SCHEMA_UNKNOWN',
      `the definition of ${table} at ${at.file}:${at.offset} is not known: ${reason}`,
      {
        details: { table, position: `${at.file}:${at.offset}` },
      },
    );
  }

  /** Columns to be decoded whose members the server could not show without loss, nor does the event have them. */
  #doubtful({ schema, doubtfulMembers }: TableDefinition, { metadata }: TableMapEvent): string[] {
    const tellsMembers = (metadata?.names ?? null) !== null;
    if (doubtfulMembers.length === 0 || tellsMembers) return [];
    const wanted = this.#options.selection.columns(schema);
    return schema.columns
      .filter(({ name }, i) => wanted[i] === true && doubtfulMembers.includes(name))
      .map(({ name }) => name);
  }

  /** All watched tables the first time, or when no table is asked for; then only the one that is. */
  async #read(
    asked: TableName | null,
    at: BinlogPlace,
  ): Promise<{ visible: boolean; touched: boolean; reason: string | null }> {
    const { server, selection, openQueries, scanDdl } = this.#options;
    const queries = await openQueries();
    try {
      const ask = (sql: string): Promise<readonly Record<string, unknown>[]> => queries.query(sql);
      const tables = this.#readAll && asked !== null ? [{ database: asked.database, table: asked.name }] : null;
      const { definitions, unreadable } = await readTableDefinitions(ask, { flavour: server.flavour, tables });
      const databases = this.#readAll ? new Map<string, CharsetAndCollation>() : await readDatabaseCharsets(ask);
      // After the reading, never before: what was read is at most as new as this place.
      const place = await currentPlace(queries, server);
      const between: TouchedTables =
        comparePlaces(at, place) < 0
          ? await scanDdl(at, place)
          : { tables: new Set(), databases: new Set(), everything: false };
      this.#readAll = true;
      const isTouched = (database: string, name: string): boolean =>
        between.everything || between.databases.has(database) || between.tables.has(`${database}.${name}`);
      for (const [database, charset] of databases) {
        if (between.everything || between.databases.has(database)) continue;
        if (this.catalog.lookupDatabase(database) === 'unknown') {
          this.catalog.apply({ op: 'define-database', database, charset });
        }
      }
      let visible = false;
      for (const definition of definitions) {
        const { database, name } = definition.schema;
        const isAsked = database === asked?.database && name === asked.name;
        if (isAsked) visible = true;
        if (isTouched(database, name) || !selection.watches(database, name)) continue;
        // What the stream's DDL says stands, unless this very table is in doubt.
        const known = this.catalog.lookup(database, name);
        if (isAsked || known === 'unknown' || this.#kept.delete(known)) {
          this.catalog.apply({ op: 'define', definition });
        }
      }
      const reason = unreadable.find(
        ({ database, table }) => database === asked?.database && table === asked.name,
      )?.reason;
      return { visible, touched: asked !== null && isTouched(asked.database, asked.name), reason: reason ?? null };
    } finally {
      queries.close();
    }
  }
}

function doubtfulMembers(table: string, columns: readonly string[]): TidingsError {
  return new TidingsError(
    'SCHEMA_UNKNOWN',
    `the definition of ${table} is not known: a member of ${columns.join(', ')} holds a question mark, as which information_schema also shows every character beyond U+FFFF`,
    {
      hint: 'SET GLOBAL binlog_row_metadata = FULL, so that the binlog has the members themselves, and resume behind the rows written before; or leave the columns out.',
      details: { table, columns: columns.join(', ') },
    },
  );
}
