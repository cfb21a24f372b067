import type { TableDefinition } from '../schema/table-definition.ts';
import type { DatabaseKnowledge, SchemaStep, TableKnowledge, TableName } from './effect.ts';

/** What is known where nothing was recorded. */
export interface CatalogFallback {
  lookup(database: string, table: string): TableKnowledge;
  lookupDatabase(database: string): DatabaseKnowledge;
}

const NOTHING_KNOWN: CatalogFallback = { lookup: () => 'unknown', lookupDatabase: () => 'unknown' };

/**
 * The tables and databases as the steps so far have left them, over a fallback for everything that no step named. It is how a
 * statement of many parts sees its own earlier parts, and may serve as a schema history's present.
 */
export class Catalog {
  #fallback: CatalogFallback;
  readonly #tables: Map<string, Map<string, TableKnowledge>> = new Map();
  readonly #databases: Map<string, DatabaseKnowledge> = new Map();
  /** Databases of which the fallback knows no table any more, and what it is to say instead. */
  readonly #reset: Map<string, 'absent' | 'unknown'> = new Map();

  constructor(fallback: CatalogFallback = NOTHING_KNOWN) {
    this.#fallback = fallback;
  }

  lookup(database: string, table: string): TableKnowledge {
    const known = this.#tables.get(database)?.get(table) ?? this.#reset.get(database);
    return known ?? this.#fallback.lookup(database, table);
  }

  lookupDatabase(database: string): DatabaseKnowledge {
    return this.#databases.get(database) ?? this.#fallback.lookupDatabase(database);
  }

  apply(step: SchemaStep): void {
    switch (step.op) {
      case 'define':
        this.#set(step.definition.schema, step.definition);
        break;
      case 'drop':
        this.#set(step.table, 'absent');
        break;
      case 'unknown':
        this.#set(step.table, 'unknown');
        break;
      case 'rename':
        this.#rename(step.from, step.to);
        break;
      case 'truncate':
      case 'replace-rows':
        break;
      case 'define-database':
        if (this.lookupDatabase(step.database) === 'absent') this.#forget(step.database, 'absent');
        this.#databases.set(step.database, step.charset ?? 'unknown');
        break;
      case 'drop-database':
        this.#forget(step.database, 'absent');
        this.#databases.set(step.database, 'absent');
        break;
      case 'unknown-database':
        this.#forget(step.database, 'unknown');
        this.#databases.set(step.database, 'unknown');
        break;
      case 'unknown-all':
        this.#tables.clear();
        this.#databases.clear();
        this.#reset.clear();
        this.#fallback = NOTHING_KNOWN;
        break;
    }
  }

  #rename(from: TableName, to: TableName): void {
    const known = this.lookup(from.database, from.name);
    this.#set(from, 'absent');
    this.#set(to, typeof known === 'string' ? known : renamed(known, to));
  }

  #forget(database: string, instead: 'absent' | 'unknown'): void {
    this.#tables.delete(database);
    this.#reset.set(database, instead);
  }

  #set(table: TableName, known: TableKnowledge): void {
    let tables = this.#tables.get(table.database);
    if (tables === undefined) {
      tables = new Map();
      this.#tables.set(table.database, tables);
    }
    tables.set(table.name, known);
  }
}

/** The same definition under another name. */
export function renamed(definition: TableDefinition, to: TableName): TableDefinition {
  return { ...definition, schema: { ...definition.schema, database: to.database, name: to.name } };
}
