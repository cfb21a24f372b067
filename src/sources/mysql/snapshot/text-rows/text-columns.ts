import { TidingsError } from '../../../../core/errors.ts';
import type { Column, TableSchema } from '../../../../core/table-schema.ts';
import { charsetByName, type Charset } from '../../charset/charset.ts';
import { isHashColumn } from '../../schema/table-definition.ts';
import type { Flavour } from '../../../../drivers/mysql/server-version.ts';

/** A column of a result set: which column of the table it shows, and how. */
export interface TextColumn {
  readonly column: Column;
  /** Among the table's columns. */
  readonly index: number;
  /** Of its text; null for columns without text. */
  readonly charset: Charset | null;
  /** Whether rows hold it; else it is there for a key only. */
  readonly selected: boolean;
  /** What is selected: see `expressionOf`. */
  readonly expression: string;
}

export interface ResultColumns {
  readonly columns: readonly TextColumn[];
  /**
   * The numbers of ENUM and SET columns of the chunk key, behind all others: their order is that of the numbers, which the text does not tell.
   * Column of the table → column of the result.
   */
  readonly numbers: ReadonlyMap<number, number>;
  /** Columns of the result behind `columns`. */
  readonly more: number;
  readonly selectList: string;
}

/**
 * Columns of the table that every row of a snapshot holds.
 *
 * MariaDB's hidden columns behind long UNIQUE keys (`DB_ROW_HASH_n`) have no name that a statement may use: rows of the stream hold them, rows of
 * a snapshot cannot.
 */
function isSelectable({ name, generated, invisible }: Column): boolean {
  return !(invisible && generated === 'virtual' && isHashColumn(name));
}

export function resultColumns(
  table: TableSchema,
  {
    selected,
    keyColumns,
    flavour,
  }: { readonly selected: readonly boolean[]; readonly keyColumns: readonly number[]; readonly flavour: Flavour },
): ResultColumns {
  const bound = (index: number, isSelected: boolean): TextColumn => {
    const column = table.columns[index] as Column;
    const charset = column.charset === null ? null : charsetByName(column.charset, flavour);
    if (column.charset !== null && charset === null) {
      throw new TidingsError(
        'COLUMN_TYPE_UNSUPPORTED',
        `${table.database}.${table.name}.${column.name} has character set ${column.charset}, which is not known`,
        { details: { table: `${table.database}.${table.name}`, column: column.name, charset: column.charset } },
      );
    }
    return { column, index, charset, selected: isSelected, expression: expressionOf(column) };
  };
  const chosen = [...table.columns.keys()].filter(
    (index) => selected[index] === true && isSelectable(table.columns[index] as Column),
  );
  const keys = [...new Set([...keyColumns, ...table.key])].filter((index) => !chosen.includes(index));
  const columns = [...chosen.map((index) => bound(index, true)), ...keys.map((index) => bound(index, false))];
  const numbered = [...new Set(keyColumns)].filter((index) => hasNumber(table.columns[index] as Column));
  const expressions = [
    ...columns.map(({ expression }) => expression),
    ...numbered.map((index) => `CAST(${quoteName(table.columns[index]?.name ?? '')} AS UNSIGNED)`),
  ];
  return {
    columns,
    numbers: new Map(numbered.map((index, at) => [index, columns.length + at])),
    // A table of which no column is wanted has rows all the same.
    more: expressions.length === 0 ? 1 : numbered.length,
    selectList: expressions.length === 0 ? 'NULL' : expressions.join(', '),
  };
}

/** What has the order of its number, and shows a text. */
function hasNumber({ type }: Column): boolean {
  return type === 'enum' || type === 'set';
}

/** A name as any sql_mode understands it. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/**
 * FLOAT by itself is shown with six digits, FLOAT(m, d) and DOUBLE(m, d) with d decimals, and all of them padded with ZEROFILL; an
 * expression is shown as the shortest decimal that is the same double. Not `+ 0e0`: it would make -0 a 0.
 */
function expressionOf({ name, type }: Column): string {
  const quoted = quoteName(name);
  return type === 'float' || type === 'double' ? `${quoted} * 1e0` : quoted;
}
