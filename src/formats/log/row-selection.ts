import type { ChangeKind } from '../../core/change.ts';
import { isTidingsError, TidingsError, withDetails } from '../../core/errors.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import { parseTablePattern, type TablePattern } from '../../core/table-pattern.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import { ROW_OP } from './batch-layout.ts';
import type { FilterOptions } from './batch-filter.ts';
import { ShapePlan } from './shape-plan.ts';
import { type Condition, parseWhere } from './where-parser.ts';
import { compilePredicate } from './row-predicate.ts';
import { checkCondition, unknownColumn } from './where-values.ts';

const KIND_BITS: Readonly<Record<ChangeKind, number>> = {
  insert: 1 << ROW_OP.insert,
  update: 1 << ROW_OP.update,
  delete: 1 << ROW_OP.delete,
  upsert: 1 << ROW_OP.upsert,
};
const ALL_KINDS = 15;

/** A reader's filter as it was asked for, to be applied to one table or shape after the other. */
export class RowSelection {
  /** By the low two bits of a run's op: whether such changes are wanted. */
  readonly kinds: number;
  /** Nothing is left out. */
  readonly selectsAll: boolean;
  readonly #tables: readonly TablePattern[] | null;
  readonly #columns: readonly { readonly pattern: TablePattern; readonly names: ReadonlySet<string> }[];
  readonly #where: readonly { readonly pattern: TablePattern; readonly condition: Condition }[];

  /** @throws TidingsError CONFIG_INVALID, in its details the `field` that is wrong */
  constructor({ tables, ops, columns, where }: FilterOptions) {
    this.#tables = inField('tables', () =>
      tables === undefined || tables.length === 0 ? null : tables.map((text) => parseTablePattern(text)),
    );
    this.kinds = inField('ops', () => kindsOf(ops ?? []));
    this.#columns = inField('columns', () =>
      Object.entries(columns ?? {}).map(([text, names]) => ({
        pattern: parseTablePattern(text),
        names: new Set(names),
      })),
    );
    this.#where = inField('where', () =>
      Object.entries(where ?? {}).map(([text, expression]) => ({
        pattern: parseTablePattern(text),
        condition: parseWhere(expression),
      })),
    );
    this.selectsAll =
      this.#tables === null && this.kinds === ALL_KINDS && this.#columns.length === 0 && this.#where.length === 0;
  }

  get selectsAllTables(): boolean {
    return this.#tables === null;
  }

  /** Whether changes of this table are wanted. */
  watches(database: string, table: string): boolean {
    return this.#tables === null || this.#tables.some((pattern) => pattern.matches(database, table));
  }

  /** Whether any table of this database can be watched. */
  touches(database: string): boolean {
    return this.#tables === null || this.#tables.some((pattern) => pattern.touches(database));
  }

  /**
   * Reports what is wrong with the filter as far as these tables show it.
   *
   * @throws TidingsError CONFIG_INVALID, in its details the `field` that is wrong
   */
  validate(tables: readonly TableSchema[]): void {
    for (const table of tables) {
      const { database, name } = table;
      if (!inField('tables', () => this.watches(database, name))) continue;
      inField('columns', () => {
        for (const column of this.#wanted(table) ?? []) {
          if (!table.columns.some((known) => known.name === column)) throw unknownColumn(table, column);
        }
      });
      inField('where', () => {
        for (const condition of this.#conditions(table)) checkCondition(condition, table);
      });
    }
  }

  /** Null: not a row of this shape is wanted. */
  plan(shape: RowShape): ShapePlan | null {
    const { table } = shape;
    if (!this.watches(table.database, table.name)) return null;
    const names = this.#wanted(table);
    const kept = (image: readonly number[]): readonly number[] =>
      names === null
        ? image
        : image.filter((index) => table.key.includes(index) || names.has(table.columns[index]?.name ?? ''));
    const conditions = this.#conditions(table);
    return new ShapePlan(shape, {
      kept,
      matches: conditions.length === 0 ? null : compilePredicate(shape, conditions),
    });
  }

  /** Null: all columns. */
  #wanted({ database, name }: TableSchema): ReadonlySet<string> | null {
    const matching = this.#columns.filter(({ pattern }) => pattern.matches(database, name));
    if (matching.length === 0) return null;
    return new Set(matching.flatMap(({ names }) => [...names]));
  }

  #conditions({ database, name }: TableSchema): Condition[] {
    return this.#where.filter(({ pattern }) => pattern.matches(database, name)).map(({ condition }) => condition);
  }
}

/** Names the filter that is wrong: the same pattern may stand in several. */
function inField<T>(field: keyof FilterOptions, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw isTidingsError(error) ? withDetails(error, { field }) : error;
  }
}

function kindsOf(ops: readonly ChangeKind[]): number {
  if (ops.length === 0) return ALL_KINDS;
  let kinds = 0;
  for (const op of ops) {
    if (!Object.hasOwn(KIND_BITS, op)) {
      throw new TidingsError('CONFIG_INVALID', `"${op}" is no kind of change`, {
        hint: `The kinds are ${Object.keys(KIND_BITS).join(', ')}.`,
      });
    }
    kinds |= KIND_BITS[op];
  }
  return kinds;
}
