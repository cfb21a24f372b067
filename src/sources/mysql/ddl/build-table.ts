import type { Column } from '../../../core/table-schema.ts';
import { doubtfulMembers, type TableDefinition } from '../schema/table-definition.ts';
import { resolveCharset } from './charsets.ts';
import type { DdlContext, TableName } from './effect.ts';
import { refuseLongUnique } from './long-unique.ts';
import { notNull, requireColumn, resolveKey } from './primary-key.ts';
import { resolveColumn } from './resolve-column.ts';
import type { TableElement } from './table-elements.ts';
import type { TableOptions } from './table-options.ts';
import { NotUnderstood } from './token-reader.ts';

const FRACTION_DIGITS = 6;

/** The two columns of a system-versioned table that names none itself. */
export const IMPLICIT_ROW_PERIOD: readonly Column[] = ['row_start', 'row_end'].map((name) => ({
  name,
  type: 'timestamp',
  nullable: false,
  unsigned: false,
  length: FRACTION_DIGITS,
  scale: null,
  charset: null,
  collation: null,
  members: null,
  generated: 'stored',
  invisible: true,
}));

/** The table that the server makes of CREATE TABLE's elements and options. */
export function buildTable(
  table: TableName,
  elements: readonly TableElement[],
  options: TableOptions,
  context: DdlContext,
): TableDefinition {
  const database = context.lookupDatabase(table.database);
  const defaultCharset = tableCharset(
    options,
    database === 'absent' || database === 'unknown' ? null : database,
    context,
  );
  const written = elements.flatMap((element) => (element.kind === 'column' ? [element.column] : []));
  if (written.length === 0) throw new NotUnderstood('the storage engine finds the columns');
  const visible = written.map((column) => resolveColumn(column, defaultCharset, context));

  const rowEnd = rowEndColumn(elements, options);
  const hidden = rowEnd === 'row_end' && !elements.some((element) => element.kind === 'system-period');
  const columns = hidden ? [...visible, ...IMPLICIT_ROW_PERIOD] : visible;
  const key = primaryKey(columns, elements);
  if (rowEnd !== null && key.length > 0) key.push(requireColumn(columns, rowEnd));
  for (const element of uniqueKeys(elements)) refuseLongUnique(columns, element, context);
  return {
    schema: {
      database: table.database,
      name: table.name,
      columns: notNull(columns, [...key, ...periodColumns(columns, elements)]),
      key,
    },
    defaultCharset,
    rowEnd,
    hiddenColumns: hidden ? IMPLICIT_ROW_PERIOD.length : 0,
    doubtfulMembers: doubtfulMembers(columns),
    uniqueColumns: uniqueColumns(columns, elements),
  };
}

/** A default that nobody knows is no obstacle while no column needs it. */
export function tableCharset(
  options: TableOptions,
  inherited: TableDefinition['defaultCharset'],
  context: DdlContext,
): TableDefinition['defaultCharset'] {
  const { charset, collation, binary } = options.charset;
  if (charset === null && collation === null && !binary) return inherited;
  return resolveCharset(options.charset, inherited, context);
}

function primaryKey(columns: readonly Column[], elements: readonly TableElement[]): number[] {
  const keys = elements.flatMap((element) => {
    if (element.kind === 'primary-key') return [resolveKey(columns, element.parts, elements)];
    if (element.kind === 'column' && element.column.primaryKey) return [[requireColumn(columns, element.column.name)]];
    return [];
  });
  if (keys.length > 1) throw new NotUnderstood('two primary keys');
  return keys[0] ?? [];
}

/** UNIQUE keys, those that stand at a column too. */
export function uniqueKeys(elements: readonly TableElement[]): TableElement[] {
  return elements.flatMap((element): TableElement[] => {
    if (element.kind === 'unique') return [element];
    if (element.kind !== 'column' || !element.column.unique) return [];
    const parts = [{ column: element.column.name, prefix: null, period: false }];
    return [{ kind: 'unique', parts, hash: false }];
  });
}

/** The names of the columns in UNIQUE keys, as the columns spell them. */
export function uniqueColumns(columns: readonly Column[], elements: readonly TableElement[]): string[] {
  const indexes = uniqueKeys(elements).flatMap((element) =>
    element.kind === 'unique'
      ? (element.parts ?? []).filter((part) => !part.period).map((part) => requireColumn(columns, part.column))
      : [],
  );
  return columns.filter((_column, index) => indexes.includes(index)).map((column) => column.name);
}

export function periodColumns(columns: readonly Column[], elements: readonly TableElement[]): number[] {
  return elements.flatMap((element) =>
    element.kind === 'period' ? [requireColumn(columns, element.from), requireColumn(columns, element.to)] : [],
  );
}

/** The ROW END column; null when the table is not system-versioned. */
function rowEndColumn(elements: readonly TableElement[], options: TableOptions): string | null {
  const versioned =
    options.versioned || elements.some((element) => element.kind === 'column' && element.column.versioned);
  const period = elements.find((element) => element.kind === 'system-period');
  const named = elements.some((element) => element.kind === 'column' && element.column.rowPeriod !== null);
  if (!versioned) {
    if (period !== undefined || named) throw new NotUnderstood('a row period without versioning');
    return null;
  }
  if (period?.kind === 'system-period') return period.to;
  if (named) throw new NotUnderstood('a row period without PERIOD FOR SYSTEM_TIME');
  return 'row_end';
}
