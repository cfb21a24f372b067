import { TidingsError } from '../../core/errors.ts';
import { parseTablePattern, type TablePattern } from '../../core/table-pattern.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import { CHECKPOINT_TABLE } from '../../drivers/mysql/checkpoint-table.ts';

/** Schemas of the servers themselves: watched only when a pattern names one of them literally. */
const SYSTEM_DATABASES: ReadonlySet<string> = new Set(['mysql', 'information_schema', 'performance_schema', 'sys']);

export interface SelectionOptions {
  /** `shop.orders`, `shop.*`, `orders_*` (in the URL's database, or in any when it names none), `/regular expression/` over `database.table`. */
  readonly tables?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  /** Columns by table pattern; tables that no pattern matches keep all their columns. */
  readonly columns?: Readonly<Record<string, readonly string[]>> | undefined;
  /** The URL's database: bare table names belong to it, and without `tables` all of its tables are watched. */
  readonly database: string | null;
}

/** Which tables and columns are watched. */
export class TableSelection {
  readonly #include: readonly TablePattern[];
  readonly #exclude: readonly TablePattern[];
  readonly #columns: readonly { readonly pattern: TablePattern; readonly names: ReadonlySet<string> }[];
  /** Answers by `database.table`: asked for every table map. */
  readonly #known = new Map<string, boolean>();

  /** @throws TidingsError CONFIG_INVALID naming the pattern */
  constructor({ tables, exclude, columns, database }: SelectionOptions) {
    const parse = (text: string): TablePattern => parseTablePattern(text, { database });
    const everything = database === null ? ['*.*'] : [`${quoted(database)}.*`];
    this.#include = (tables === undefined || tables.length === 0 ? everything : tables).map(parse);
    this.#exclude = (exclude ?? []).map(parse);
    this.#columns = Object.entries(columns ?? {}).map(([text, names]) => ({
      pattern: parse(text),
      names: new Set(names),
    }));
  }

  watches(database: string, table: string): boolean {
    const name = `${database}.${table}`;
    let answer = this.#known.get(name);
    if (answer === undefined) {
      answer = this.#decide(database, table);
      if (this.#known.size > 100_000) this.#known.clear();
      this.#known.set(name, answer);
    }
    return answer;
  }

  /** Whether any table of this database can be watched. */
  touches(database: string): boolean {
    return this.#include.some((pattern) => pattern.database === null || pattern.database === database);
  }

  /**
   * The columns that are decoded, by index.
   *
   * @throws TidingsError CONFIG_INVALID when a column that was asked for by name does not exist
   */
  columns({ database, name, columns }: TableSchema): readonly boolean[] {
    const matching = this.#columns.filter(({ pattern }) => pattern.matches(database, name));
    if (matching.length === 0) return columns.map(() => true);
    const wanted = new Set(matching.flatMap(({ names }) => [...names]));
    const missing = [...wanted].filter((column) => !columns.some((known) => known.name === column));
    if (missing.length > 0) {
      throw new TidingsError('CONFIG_INVALID', `${database}.${name} has no column ${missing.join(', ')}`, {
        hint: `Its columns are ${columns.map((column) => column.name).join(', ')}.`,
        details: { table: `${database}.${name}` },
      });
    }
    return columns.map((column) => wanted.has(column.name));
  }

  #decide(database: string, table: string): boolean {
    // The sinks' own: in a sink's target it would meet the one that is there.
    if (table === CHECKPOINT_TABLE) return false;
    const included = this.#include.some(
      (pattern) =>
        pattern.matches(database, table) &&
        (!SYSTEM_DATABASES.has(database.toLowerCase()) || pattern.database === database),
    );
    return included && !this.#exclude.some((pattern) => pattern.matches(database, table));
  }
}

/** A database name as a pattern that means it literally. */
function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
