import type { TargetConnection } from './target-connection.ts';

/** What the target's foreign keys do to a table. */
export interface ForeignKeyRole {
  /**
   * It is linked, over any number of constraints, with one that changes rows by itself (CASCADE, SET NULL, SET DEFAULT): rows of all these
   * tables must be written in commit order.
   */
  readonly ordered: boolean;
  /** Deleting its rows changes rows of other tables. */
  readonly actsOnDelete: boolean;
  /** Changing these of its columns changes rows of other tables. */
  readonly actsOnUpdate: ReadonlySet<string>;
}

interface Constraint {
  readonly child: string;
  readonly parent: string;
  readonly parentColumns: readonly string[];
  readonly actsOnDelete: boolean;
  readonly actsOnUpdate: boolean;
}

const NO_ROLE: ForeignKeyRole = { ordered: false, actsOnDelete: false, actsOnUpdate: new Set() };
const ACTIONS: ReadonlySet<unknown> = new Set(['CASCADE', 'SET NULL', 'SET DEFAULT']);

/** All foreign keys that the account can see. */
export class ForeignKeys {
  readonly #constraints: readonly Constraint[];

  constructor(constraints: readonly Constraint[]) {
    this.#constraints = constraints;
  }

  static async read(connection: TargetConnection): Promise<ForeignKeys> {
    const rules = await connection.rows(
      'SELECT CONSTRAINT_SCHEMA AS db, CONSTRAINT_NAME AS name, TABLE_NAME AS tbl, UPDATE_RULE AS upd, DELETE_RULE AS del ' +
        'FROM information_schema.REFERENTIAL_CONSTRAINTS',
    );
    if (rules.length === 0) return new ForeignKeys([]);
    const columns = await connection.rows(
      'SELECT CONSTRAINT_SCHEMA AS db, CONSTRAINT_NAME AS name, TABLE_NAME AS tbl, REFERENCED_TABLE_SCHEMA AS rdb, REFERENCED_TABLE_NAME AS rtbl, ' +
        'REFERENCED_COLUMN_NAME AS col FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL',
    );
    const keyOf = (row: Readonly<Record<string, unknown>>): string =>
      JSON.stringify([row['db'], row['tbl'], row['name']]);
    const used = Map.groupBy(columns, keyOf);
    return new ForeignKeys(
      rules.flatMap((rule) => {
        const [first, ...rest] = used.get(keyOf(rule)) ?? [];
        if (first === undefined) return [];
        return {
          child: nameOf(String(rule['db']), String(rule['tbl'])),
          parent: nameOf(String(first['rdb']), String(first['rtbl'])),
          parentColumns: [first, ...rest].map((row) => String(row['col'])),
          actsOnDelete: ACTIONS.has(rule['del']),
          actsOnUpdate: ACTIONS.has(rule['upd']),
        };
      }),
    );
  }

  roleOf(database: string, table: string): ForeignKeyRole {
    const name = nameOf(database, table);
    const linked = this.#linkedWith(name);
    if (!linked.some(({ actsOnDelete, actsOnUpdate }) => actsOnDelete || actsOnUpdate)) return NO_ROLE;
    const own = linked.filter(({ parent }) => parent === name);
    return {
      ordered: true,
      actsOnDelete: own.some(({ actsOnDelete }) => actsOnDelete),
      actsOnUpdate: new Set(
        own.filter(({ actsOnUpdate }) => actsOnUpdate).flatMap(({ parentColumns }) => parentColumns),
      ),
    };
  }

  /** The constraints of all tables that can be reached from this one. */
  #linkedWith(name: string): readonly Constraint[] {
    const reached = new Set([name]);
    const linked = new Set<Constraint>();
    for (let size = -1; size !== linked.size;) {
      size = linked.size;
      for (const constraint of this.#constraints) {
        if (!reached.has(constraint.child) && !reached.has(constraint.parent)) continue;
        linked.add(constraint);
        reached.add(constraint.child).add(constraint.parent);
      }
    }
    return [...linked];
  }
}

/** Names of tables may differ in case between the two views of information_schema where the server does not tell them apart. */
function nameOf(database: string, table: string): string {
  return JSON.stringify([database.toLowerCase(), table.toLowerCase()]);
}
