import type { Row, Value } from '../../core/change.ts';
import { TidingsError } from '../../core/errors.ts';
import { keyNames } from '../../core/plain-rows.ts';
import type { SinkTarget } from '../../core/sink.ts';
import type { Column } from '../../core/table-schema.ts';
import { checked, exactnessOf } from './exact-values.ts';
import type { ForeignKeyRole } from './foreign-keys.ts';
import { comparedLiteralFor, type Literal, literalFor, ValueUnfit } from './literals.ts';
import { quoteName, tableName } from './sql-text.ts';
import type { TargetColumn, TargetTable, UniqueKey } from './target-table.ts';
import type { TargetServer } from './target-server.ts';

/**
 * How whole rows are written.
 *
 * - `upsert`: `INSERT … ON DUPLICATE KEY UPDATE`; the key is the only unique one, so that no other row can be hit.
 * - `replace`: what has the key is deleted, then the row inserted: a conflict with another row is an error, never an update. Also for a key of which only the
 *   beginning is unique.
 * - `in-place`: as `replace`, for tables that have columns which the rows do not have: updated where it is, inserted where it is not.
 * - `append`: the table has no key: an insert is an insert.
 */
export type WriteStyle = 'upsert' | 'replace' | 'in-place' | 'append';

/** A column that is written. */
export interface WriteColumn {
  readonly name: string;
  readonly quoted: string;
  readonly literal: Literal;
  /** For comparisons. */
  readonly compared: Literal;
  /** Every object has something of this name, which is no value of the row. */
  readonly inherited: boolean;
  readonly nullable: boolean;
  /** Not in every row: the source computes it. */
  readonly optional: boolean;
  /** The values that only a lenient session can write: the error value of an ENUM. */
  readonly lenientValue: Value | undefined;
  readonly isText: boolean;
  /** Nothing compares with it. */
  readonly isOpaque: boolean;
  /** MySQL's JSON, which text does not compare with. */
  readonly isJson: boolean;
}

/** What is made of a target: everything that writing rows takes. */
export interface TablePlan {
  readonly target: SinkTarget;
  /** `database.table`, for messages. */
  readonly label: string;
  readonly table: string;
  readonly columns: readonly WriteColumn[];
  readonly key: readonly WriteColumn[];
  readonly style: WriteStyle;
  readonly foreignKeys: ForeignKeyRole;
  /** `t`=`t` for each column that would change by itself. */
  readonly updatesItself: ReadonlyMap<string, string>;
  /** Names that may stand in messages: of columns and unique keys. */
  readonly names: ReadonlySet<string>;
  readonly hasRowAlias: boolean;
  /** Whether some column has a lenient value. */
  readonly hasLenient: boolean;
}

const TEXT: ReadonlySet<string | undefined> = new Set(['char', 'varchar', 'text', 'enum', 'set']);

/** @throws TidingsError SINK_SCHEMA_CONFLICT when the rows have a key that the table does not have */
export function planTable(
  target: SinkTarget,
  { table, server, foreignKeys }: { table: TargetTable; server: TargetServer; foreignKeys: ForeignKeyRole },
): TablePlan {
  const schema = target.table;
  const label = `${schema.database}.${schema.name}`;
  const inTarget = new Map(table.columns.map((column) => [column.name.toLowerCase(), column]));
  const columns = schema.columns.flatMap((column) => {
    const own = inTarget.get(column.name.toLowerCase());
    return own === undefined || own.generated ? [] : writeColumn(column, own, server);
  });
  const written = new Set(columns.map(({ name }) => name.toLowerCase()));
  const names = keyNames(schema);
  const key = names.map((name) => {
    const column = columns.find((each) => each.name === name);
    if (column !== undefined) return column;
    const own = inTarget.get(name.toLowerCase());
    throw conflict(
      label,
      own === undefined
        ? `the target has no column ${name}, which is part of the key`
        : `column ${name} is generated in the target, and part of the key`,
    );
  });
  const keyIndex = names.length === 0 ? null : findKey(table, names);
  if (keyIndex === undefined) {
    throw conflict(label, `the target has no unique key over ${names.join(', ')} whose columns are NOT NULL`);
  }
  if (keyIndex === null && target.patched !== undefined) {
    throw conflict(label, 'parts of its documents are changed, and without a key nobody knows in which row');
  }
  const others = table.uniqueKeys.filter((each) => each !== keyIndex && canConflict(each, written, table));
  const hasMore = table.columns.some(({ name, generated }) => !generated && !written.has(name.toLowerCase()));
  return {
    target,
    label,
    table: tableName(schema.database, schema.name),
    columns,
    key,
    style:
      keyIndex === null
        ? 'append'
        : others.length === 0 && !keyIndex.hasPrefix
          ? 'upsert'
          : hasMore
            ? 'in-place'
            : 'replace',
    foreignKeys,
    updatesItself: new Map(
      table.columns
        .filter(({ updatesItself }) => updatesItself)
        .map(({ name }) => [name.toLowerCase(), `${quoteName(name)}=${quoteName(name)}`]),
    ),
    names: new Set([...table.columns.map(({ name }) => name), ...table.uniqueKeys.map(({ name }) => name)]),
    hasRowAlias: server.hasRowAlias,
    hasLenient: columns.some(({ lenientValue }) => lenientValue !== undefined),
  };
}

/** Whether rows of the table must come in commit order across its keys. */
export function isSerial({ style, foreignKeys }: TablePlan): boolean {
  return style !== 'upsert' || foreignKeys.ordered;
}

export function conflict(label: string, message: string): TidingsError {
  return new TidingsError('SINK_SCHEMA_CONFLICT', `${label}: ${message}`, { details: { target: label } });
}

/** Whether the row says anything of the column. */
export function isIn(row: Row, { name, inherited }: WriteColumn): boolean {
  return row[name] !== undefined && (!inherited || Object.hasOwn(row, name));
}

/** A column's value as SQL. @throws ValueUnfit */
export function sqlOf(column: WriteColumn, value: Value): string {
  if (value !== null) return column.literal(value);
  // Servers put a number of their own, or the present time, into some NOT NULL columns instead of refusing NULL.
  if (!column.nullable) throw new ValueUnfit("the value is NULL, and the target's column is NOT NULL");
  return 'NULL';
}

/** The values of a row's key as SQL; what tells rows of a table apart. @throws ValueUnfit */
export function keySql({ key }: TablePlan, row: Row): readonly string[] {
  return key.map((column) => {
    const { name, compared } = column;
    const value = isIn(row, column) ? row[name] : null;
    if (value === undefined || value === null) throw new ValueUnfit(`the row has no value for ${name} of its key`);
    return compared(value);
  });
}

function writeColumn(column: Column, own: TargetColumn, server: TargetServer): WriteColumn {
  const place = { column, targetType: own.definition?.type ?? null, flavour: server.flavour };
  const members = own.definition?.type === 'enum' ? own.definition.members : null;
  const hasError = column.type === 'enum' && members !== null && !members.includes('');
  const isExact = own.definition === null ? null : exactnessOf(column, own.definition);
  const literal = checked(isExact, literalFor(place));
  return {
    name: column.name,
    quoted: quoteName(own.name),
    inherited: column.name in Object.prototype,
    literal: hasError ? (value) => (value === '' ? '0' : literal(value)) : literal,
    compared: checked(isExact, comparedLiteralFor(place)),
    nullable: own.nullable,
    optional: column.generated !== null,
    lenientValue: hasError ? '' : undefined,
    isText: TEXT.has(own.definition?.type),
    isOpaque: own.definition?.type === 'vector' || own.definition?.type === 'geometry',
    isJson: server.flavour === 'mysql' && own.definition?.type === 'json',
  };
}

/** Undefined when there is none. */
function findKey({ uniqueKeys, columns }: TargetTable, names: readonly string[]): UniqueKey | undefined {
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const nullable = new Set(columns.filter((column) => column.nullable).map(({ name }) => name));
  return uniqueKeys.find(
    (key) =>
      key.columns.length === wanted.size &&
      key.columns.every((column) => column !== null && wanted.has(column.toLowerCase()) && !nullable.has(column)),
  );
}

/** A key over columns that nobody writes has values of the target's own, which do not meet. */
function canConflict(key: UniqueKey, written: ReadonlySet<string>, { columns }: TargetTable): boolean {
  const generated = new Set(columns.filter((column) => column.generated).map(({ name }) => name));
  return key.columns.some((column) => column === null || generated.has(column) || written.has(column.toLowerCase()));
}
