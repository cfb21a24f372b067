import type { ColumnType, ServerFacts } from './column-spec.ts';
import type { Dice } from './dice.ts';
import { bitColumn, decimalColumn, doubleColumn, floatColumn, integerColumn, yearColumn } from './number-columns.ts';
import {
  geometryColumn,
  inet4Column,
  inet6Column,
  jsonAliasColumn,
  jsonColumn,
  uuidColumn,
  mariadbVectorColumn,
  vectorColumn,
} from './other-columns.ts';
import { dateColumn, datetimeColumn, timeColumn, timestampColumn } from './temporal-columns.ts';
import {
  binaryColumn,
  blobColumn,
  charColumn,
  enumColumn,
  setColumn,
  textColumn,
  varbinaryColumn,
  varcharColumn,
} from './text-columns.ts';
import { quoteName, randomText } from './texts.ts';

/** A column of a random table. */
export interface TableColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** Its expression, for a generated column: nothing is ever written to it. */
  readonly generated: 'stored' | 'virtual' | null;
  /** Everything behind the name in CREATE TABLE. */
  readonly definition: string;
}

/**
 * A random table. Two columns are always there: `row id`, by which the test tells rows apart, and `bump`, which every UPDATE
 * changes, so that none of them is without effect.
 */
export interface RandomTable {
  readonly name: string;
  readonly columns: readonly TableColumn[];
  /** Names in key order; empty without a primary key. */
  readonly key: readonly string[];
  readonly create: string;
}

export const ROW_ID = 'row id';
export const BUMP = 'bump';

const INTEGER: ColumnType = {
  sql: 'INT UNSIGNED',
  value: () => '0',
  select: (column) => column,
  expected: (raw) => Number(raw.toString('latin1')),
  key: 'whole',
  rowBytes: 4,
};
const GENERATED_TEXT: ColumnType = {
  ...INTEGER,
  sql: 'VARCHAR(40)',
  expected: (raw) => raw.toString('utf8'),
  rowBytes: 160,
};

const INVISIBLE_KEY: TableColumn = {
  name: 'my_row_id',
  type: { ...INTEGER, sql: 'BIGINT UNSIGNED' },
  nullable: false,
  generated: 'stored',
  definition: '',
};

export interface TableOptions {
  /** MySQL adds an invisible primary key to tables without one. */
  readonly invisibleKeys?: boolean;
}

export function randomTable(
  dice: Dice,
  facts: ServerFacts,
  name: string,
  { invisibleKeys = false }: TableOptions = {},
): RandomTable {
  const count = dice.oneIn(12) ? dice.pick([64, 65, 255, 256, 300]) : dice.pick([1, 2, 3, 5, 7, 8, 9, 12, 16, 17, 30]);
  let rowBytes = 100;
  let columns: TableColumn[] = [];
  for (let i = 0; i < count; i++) {
    const column = randomColumn(dice, facts, columnName(dice, i));
    // 65,535 bytes a row; and on disk InnoDB wants a dozen for each column, however long.
    if (rowBytes + column.type.rowBytes > (count > 60 ? 7000 : 40_000)) continue;
    rowBytes += column.type.rowBytes;
    columns.push(column);
  }
  if (dice.oneIn(2)) columns.push(...generatedColumns(dice));
  columns.push(plainColumn(ROW_ID, INTEGER), plainColumn(BUMP, INTEGER));
  columns = dice.shuffled(columns);
  const key = dice.oneIn(invisibleKeys ? 2 : 5) ? [] : randomKey(dice, columns);
  const engine = facts.flavour === 'mysql' || !dice.oneIn(6) ? 'InnoDB' : dice.pick(['MyISAM', 'Aria']);
  const parts = columns.map((column) => `${quoteName(column.name)} ${declare(column, key)}`);
  if (key.length > 0) parts.push(`PRIMARY KEY (${key.map(({ part }) => part).join(', ')})`);
  const isAdded = invisibleKeys && key.length === 0;
  if (isAdded) columns = [INVISIBLE_KEY, ...columns];
  return {
    name,
    columns,
    key: isAdded ? [INVISIBLE_KEY.name] : key.map((part) => part.name),
    create: `CREATE TABLE ${quoteName(name)} (\n  ${parts.join(',\n  ')}\n) ENGINE=${engine} ROW_FORMAT=DYNAMIC`,
  };
}

/** A primary key's columns are NOT NULL. */
function declare(column: TableColumn, key: readonly { name: string }[]): string {
  if (!key.some(({ name }) => name === column.name)) return column.definition;
  return column.definition.replace(' NULL', ' NOT NULL').replace(' NOT NOT NULL', ' NOT NULL');
}

export function randomColumn(dice: Dice, facts: ServerFacts, name: string): TableColumn {
  const type = randomType(dice, facts);
  const nullable = type.nullableOnly === true || !dice.oneIn(3);
  const invisible = dice.oneIn(12) ? ' INVISIBLE' : '';
  // An invisible column that is NOT NULL must have a default, which MariaDB insists on.
  const isNullable = nullable || invisible !== '';
  return {
    name,
    type,
    nullable: isNullable,
    generated: null,
    definition: `${type.sql}${isNullable ? ' NULL' : ' NOT NULL'}${invisible}`,
  };
}

function plainColumn(name: string, type: ColumnType): TableColumn {
  return { name, type, nullable: false, generated: null, definition: `${type.sql} NOT NULL` };
}

function generatedColumns(dice: Dice): TableColumn[] {
  const bump = quoteName(BUMP);
  return dice.list(dice.between(1, 3), (i): TableColumn => {
    const kind = dice.pick(['stored', 'virtual'] as const);
    const [type, expression] = dice.pick([
      [INTEGER, `${bump} % 7 + ${i}`],
      [GENERATED_TEXT, `CONCAT('row ', ${quoteName(ROW_ID)}, ':', ${bump})`],
    ] as const);
    return {
      name: `generated ${i}`,
      type,
      nullable: true,
      generated: kind,
      definition: `${type.sql} GENERATED ALWAYS AS (${expression}) ${kind.toUpperCase()}`,
    };
  });
}

function randomKey(dice: Dice, columns: readonly TableColumn[]): { name: string; part: string }[] {
  const able = columns.filter(
    ({ type, generated, definition }) =>
      type.key !== 'no' && generated === null && !definition.includes('INVISIBLE') && type.nullableOnly !== true,
  );
  const some = dice.shuffled(able).slice(0, dice.pick([1, 1, 2, 3, 5]));
  // Without the row id rows may collide, and some of them are never stored: that is fine now and then.
  const chosen =
    dice.oneIn(4) || some.some(({ name }) => name === ROW_ID)
      ? some
      : [...some, ...columns.filter(({ name }) => name === ROW_ID)];
  let bytes = 0;
  const key: { name: string; part: string }[] = [];
  for (const { name, type } of dice.shuffled(chosen)) {
    const length = type.key === 'whole' ? type.rowBytes : Number(type.key) * 5;
    if (bytes + length > 700) continue;
    bytes += length;
    key.push({ name, part: `${quoteName(name)}${type.key === 'whole' ? '' : `(${type.key})`}` });
  }
  return key;
}

function columnName(dice: Dice, index: number): string {
  if (index === 0 && dice.oneIn(10)) return '__proto__';
  const odd = dice.pick([
    '',
    '',
    '',
    '',
    'a`b',
    "it's",
    '"q"',
    'back\\slash',
    'with space ',
    '名',
    'constructor',
    randomText(dice, 3).replaceAll(/[\p{Cc}\u{10000}-\u{10ffff}\ufeff\u2028]/gu, ''),
  ]);
  return `${odd}c${index}`;
}

function randomType(dice: Dice, facts: ServerFacts): ColumnType {
  const common: readonly (() => ColumnType)[] = [
    () => integerColumn(dice),
    () => integerColumn(dice),
    () => bitColumn(dice),
    () => yearColumn(),
    () => decimalColumn(dice),
    () => floatColumn(dice),
    () => doubleColumn(dice),
    () => dateColumn(),
    () => datetimeColumn(dice),
    () => timestampColumn(dice, facts),
    () => timeColumn(dice),
    () => charColumn(dice, facts),
    () => varcharColumn(dice, facts),
    () => textColumn(dice, facts),
    () => binaryColumn(dice),
    () => varbinaryColumn(dice),
    () => blobColumn(dice),
    () => enumColumn(dice, facts),
    () => setColumn(dice, facts),
    () => geometryColumn(dice),
  ];
  const mysql: readonly (() => ColumnType)[] = [jsonColumn, jsonColumn, () => vectorColumn(dice, facts)];
  const mariadb: readonly (() => ColumnType)[] = [
    uuidColumn,
    inet4Column,
    inet6Column,
    jsonAliasColumn,
    () => varcharColumn(dice, facts, { compressed: true }),
    () => textColumn(dice, facts, { compressed: true }),
    () => varbinaryColumn(dice, { compressed: true }),
    () => blobColumn(dice, { compressed: true }),
    ...(facts.version >= 110_700 ? [() => mariadbVectorColumn(dice)] : []),
  ];
  return dice.pick([...common, ...(facts.flavour === 'mysql' ? mysql : mariadb)])();
}

/** The same table with a column more, or less. */
export function withColumns(
  dice: Dice,
  table: RandomTable,
  make: (name: string) => TableColumn,
  name: string,
): { sql: string; result: RandomTable } {
  const alter = `ALTER TABLE ${quoteName(table.name)}`;
  const droppable = table.columns.filter(
    (column) => !table.key.includes(column.name) && column.name !== ROW_ID && column.name !== BUMP,
  );
  if (dice.oneIn(3) && droppable.length > 1) {
    const gone = dice.pick(droppable);
    return {
      sql: `${alter} DROP COLUMN ${quoteName(gone.name)}`,
      result: { ...table, columns: table.columns.filter((column) => column !== gone) },
    };
  }
  const added = make(name);
  // In front of a generated key nobody knows what FIRST means.
  const behind = dice.oneIn(3) && table.columns[0]?.name !== INVISIBLE_KEY.name ? null : dice.pick(table.columns);
  const where = dice.oneIn(3) ? '' : behind === null ? ' FIRST' : ` AFTER ${quoteName(behind.name)}`;
  return {
    sql: `${alter} ADD COLUMN ${quoteName(name)} ${added.definition}${where}`,
    result: { ...table, columns: [...table.columns, added] },
  };
}
