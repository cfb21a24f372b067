import type { Column, ColumnType, TableSchema } from '../core/table-schema.ts';

/** What of a column matters to a test; the rest is filled in. */
export type ColumnSketch = ColumnType | (Partial<Omit<Column, 'name'>> & { readonly type: ColumnType });

/**
 * A table's definition, written short: `tableOf('shop.orders', { id: 'int', note: 'varchar' }, ['id'])`.
 * The key is given by column names, in key order.
 */
export function tableOf(
  name: string,
  columns: Readonly<Record<string, ColumnSketch>>,
  key: readonly string[] = [],
): TableSchema {
  const names = Object.keys(columns);
  const point = name.indexOf('.');
  return {
    database: name.slice(0, point),
    name: name.slice(point + 1),
    columns: Object.entries(columns).map(([column, sketch]) => columnOf(column, sketch)),
    key: key.map((column) => {
      const index = names.indexOf(column);
      if (index < 0) throw new RangeError(`key column "${column}" is none of ${names.join(', ')}`);
      return index;
    }),
  };
}

function columnOf(name: string, sketch: ColumnSketch): Column {
  const given = typeof sketch === 'string' ? { type: sketch } : sketch;
  const isText = given.type === 'char' || given.type === 'varchar' || given.type === 'text';
  return {
    nullable: true,
    unsigned: false,
    length: null,
    scale: null,
    charset: isText ? 'utf8mb4' : null,
    collation: isText ? 'utf8mb4_general_ci' : null,
    members: null,
    generated: null,
    invisible: false,
    ...given,
    name,
  };
}
