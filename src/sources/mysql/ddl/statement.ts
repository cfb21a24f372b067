import { Catalog } from './catalog.ts';
import type { DatabaseKnowledge, DdlContext, SchemaStep, TableKnowledge, TableName } from './effect.ts';
import type { TokenReader } from './token-reader.ts';

/** A statement while it is being understood: its tokens, and the steps so far. Lookups see the steps. */
export class Statement {
  readonly reader: TokenReader;
  readonly context: DdlContext;
  readonly steps: SchemaStep[] = [];
  readonly #catalog: Catalog;

  constructor(reader: TokenReader, context: DdlContext) {
    this.reader = reader;
    this.context = context;
    this.#catalog = new Catalog(context);
  }

  add(step: SchemaStep): void {
    this.steps.push(step);
    this.#catalog.apply(step);
  }

  lookup(table: TableName): TableKnowledge {
    return this.#catalog.lookup(table.database, table.name);
  }

  lookupDatabase(database: string): DatabaseKnowledge {
    return this.#catalog.lookupDatabase(database);
  }
}
