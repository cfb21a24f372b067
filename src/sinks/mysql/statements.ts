import type { Row } from '../../core/change.ts';
import type { SinkRow } from '../../core/sink.ts';
import { ValueUnfit } from './literals.ts';
import { RowUnfit } from './row-unfit.ts';
import { isIn, sqlOf, type TablePlan, type WriteColumn } from './table-plan.ts';
import { LENIENT_MODE, STRICT_MODE } from './target-connection.ts';

export interface Statement {
  readonly sql: string;
  /**
   * What must come of it for its rows to have been written as they are.
   *
   * - `exact`: no warning: any of them tells of a value that was bent.
   * - `one-row`: nor may it match no row: the row's other columns are known nowhere else.
   * - `setting`: nothing, it is about the session.
   * - a set: SHOW WARNINGS, which may be about these columns only; their error values were written on purpose.
   */
  readonly expects: 'exact' | 'one-row' | 'setting' | 'any' | ReadonlySet<string>;
}

/** A row to be written under a key. */
export interface KeyedRow {
  readonly key: readonly string[];
  readonly after: Row;
  readonly row: SinkRow;
}

/** The servers look at long lists of keys in ways that get slow. */
const SINGLE_KEYS_MAX = 900;
const COMPOSITE_KEYS_MAX = 300;
const ALIAS = '`_tidings_row`';

/** Multi-row upserts: rows with the same columns together. */
export function upsertRows(plan: TablePlan, rows: readonly KeyedRow[], bytesMax: number): readonly Statement[] {
  return multiRow(plan, rows, {
    bytesMax,
    tailOf(columns) {
      // Equal keys of a text column may differ in case.
      const update = columns.filter((column) => column.isText || !plan.key.includes(column));
      const set = (update.length === 0 ? plan.key : update).map(({ quoted }) =>
        plan.hasRowAlias ? `${quoted}=${ALIAS}.${quoted}` : `${quoted}=VALUES(${quoted})`,
      );
      return `${plan.hasRowAlias ? ` AS ${ALIAS}` : ''} ON DUPLICATE KEY UPDATE ${set.join(',')}`;
    },
  });
}

/** Multi-row inserts: another row with the same unique values is an error. */
export function insertRows(plan: TablePlan, rows: readonly KeyedRow[], bytesMax: number): readonly Statement[] {
  return multiRow(plan, rows, { bytesMax, tailOf: () => '' });
}

function multiRow(
  plan: TablePlan,
  rows: readonly KeyedRow[],
  { bytesMax, tailOf }: { readonly bytesMax: number; readonly tailOf: (columns: readonly WriteColumn[]) => string },
): readonly Statement[] {
  const statements: Statement[] = [];
  for (const [columns, alike] of bySignature(plan, rows)) {
    const head = `INSERT INTO ${plan.table} (${columns.map(({ quoted }) => quoted).join(',')}) VALUES `;
    const tail = tailOf(columns);
    let text = '';
    for (const { after, row } of alike) {
      const tuple = tupleOf(columns, after, row);
      if (text !== '' && text.length + tuple.length > bytesMax) {
        statements.push({ sql: head + text + tail, expects: 'exact' });
        text = '';
      }
      text += text === '' ? tuple : `,${tuple}`;
    }
    if (text !== '') statements.push({ sql: head + text + tail, expects: 'exact' });
  }
  return statements;
}

/** Rows by the columns that they have: nearly always one group. */
function bySignature(
  { columns }: TablePlan,
  rows: readonly KeyedRow[],
): Iterable<readonly [readonly WriteColumn[], readonly KeyedRow[]]> {
  if (haveAll(columns, rows)) return rows.length === 0 ? [] : [[columns, rows]];
  const groups = new Map<string, readonly [readonly WriteColumn[], KeyedRow[]]>();
  for (const row of rows) {
    const own = columns.filter((column) => isIn(row.after, column));
    const signature = own.map(({ name }) => name).join('\0');
    const group = groups.get(signature);
    if (group === undefined) groups.set(signature, [own, [row]]);
    else group[1].push(row);
  }
  return groups.values();
}

function haveAll(columns: readonly WriteColumn[], rows: readonly KeyedRow[]): boolean {
  for (const { after } of rows) for (const column of columns) if (!isIn(after, column)) return false;
  return true;
}

function tupleOf(columns: readonly WriteColumn[], after: Row, row: SinkRow): string {
  let text = '(';
  for (const column of columns) {
    if (text.length > 1) text += ',';
    text += valueOf(column, after, row);
  }
  return `${text})`;
}

/** @throws RowUnfit */
function valueOf(column: WriteColumn, after: Row, row: SinkRow): string {
  try {
    return sqlOf(column, after[column.name] ?? null);
  } catch (error) {
    throw error instanceof ValueUnfit ? new RowUnfit(row, `column ${column.name}: ${error.message}`) : error;
  }
}

/** What has these keys goes. With `withForeignKeys` the target's foreign keys do their part. */
export function deleteRows(
  plan: TablePlan,
  keys: readonly (readonly string[])[],
  { bytesMax, withForeignKeys }: { readonly bytesMax: number; readonly withForeignKeys: boolean },
): readonly Statement[] {
  const statements: Statement[] = [];
  const [single, ...more] = plan.key;
  const isSingle = single !== undefined && more.length === 0;
  const most = isSingle ? SINGLE_KEYS_MAX : COMPOSITE_KEYS_MAX;
  let texts: string[] = [];
  let length = 0;
  const finish = (): void => {
    if (texts.length === 0) return;
    const where = isSingle ? `${single.quoted} IN (${texts.join(',')})` : texts.join(' OR ');
    statements.push({ sql: `DELETE FROM ${plan.table} WHERE ${where}`, expects: 'exact' });
    texts = [];
    length = 0;
  };
  for (const key of keys) {
    const text = isSingle ? (key[0] ?? 'NULL') : `(${whereKey(plan, key)})`;
    if (texts.length >= most || length + text.length > bytesMax) finish();
    texts.push(text);
    length += text.length;
  }
  finish();
  return withForeignKeys ? checkingForeignKeys(statements) : statements;
}

/** An update of the columns that there are, where the row is. */
export function patchRow(
  plan: TablePlan,
  { key, after, row }: KeyedRow,
  { withForeignKeys }: { readonly withForeignKeys: boolean },
): readonly Statement[] {
  const statement = updateStatement(plan, { after, row, where: whereKey(plan, key) });
  return withForeignKeys ? checkingForeignKeys([statement]) : [statement];
}

function updateStatement(
  plan: TablePlan,
  { after, row, where }: { after: Row; row: SinkRow; where: string },
): Statement {
  const columns = plan.columns.filter((column) => isIn(after, column));
  const set = columns.map((column) => `${column.quoted}=${valueOf(column, after, row)}`);
  // What would change by itself stays as it is unless the row says otherwise.
  const kept = [...plan.updatesItself].filter(
    ([name]) => !columns.some((column) => column.name.toLowerCase() === name),
  );
  const assignments = [...set, ...kept.map(([, sql]) => sql)];
  // Nothing to set: whether the row is there is asked all the same.
  const [first] = plan.columns;
  if (assignments.length === 0 && first !== undefined) assignments.push(`${first.quoted}=${first.quoted}`);
  return { sql: `UPDATE ${plan.table} SET ${assignments.join(',')} WHERE ${where}`, expects: 'one-row' };
}

/** Updated where the row is, under its old key; inserted where it is not. */
export function writeInPlace(
  plan: TablePlan,
  { key, after, row }: KeyedRow,
  oldKey: readonly string[],
): readonly Statement[] {
  const columns = plan.columns.filter((column) => isIn(after, column));
  const values = columns.map((column) => valueOf(column, after, row));
  const where = whereKey(plan, key);
  return [
    { ...updateStatement(plan, { after, row, where: whereKey(plan, oldKey) }), expects: 'exact' },
    {
      sql:
        `INSERT INTO ${plan.table} (${columns.map(({ quoted }) => quoted).join(',')}) SELECT ${values.join(',')} FROM DUAL ` +
        `WHERE NOT EXISTS (SELECT * FROM ${plan.table} WHERE ${where})`,
      expects: 'exact',
    },
  ];
}

/** A table without a key: one of the rows that have exactly these values. */
export function deleteWholeRow(plan: TablePlan, row: SinkRow, before: Row): Statement {
  return { sql: `DELETE FROM ${plan.table} WHERE ${whereWhole(plan, row, before)} LIMIT 1`, expects: 'exact' };
}

export function patchWholeRow(
  plan: TablePlan,
  row: SinkRow,
  { before, after }: { before: Row; after: Row },
): Statement {
  return updateStatement(plan, { after, row, where: `${whereWhole(plan, row, before)} LIMIT 1` });
}

/** The same statements in a session that lets error values of ENUMs pass, each with a look at what else it has let pass. */
export function leniently(statements: readonly Statement[], columns: ReadonlySet<string>): readonly Statement[] {
  return [
    { sql: `SET SESSION sql_mode='${LENIENT_MODE}'`, expects: 'setting' },
    ...statements.flatMap(({ sql }): Statement[] => [
      { sql, expects: 'any' },
      { sql: 'SHOW WARNINGS', expects: columns },
    ]),
    { sql: `SET SESSION sql_mode='${STRICT_MODE}'`, expects: 'setting' },
  ];
}

function checkingForeignKeys(statements: readonly Statement[]): readonly Statement[] {
  return [
    { sql: 'SET SESSION foreign_key_checks=1', expects: 'setting' },
    ...statements,
    { sql: 'SET SESSION foreign_key_checks=0', expects: 'setting' },
  ];
}

function whereKey({ key }: TablePlan, values: readonly string[]): string {
  return key.map(({ quoted }, i) => `${quoted}=${values[i]}`).join(' AND ');
}

function whereWhole({ columns }: TablePlan, row: SinkRow, before: Row): string {
  return columns
    .filter((column) => isIn(before, column))
    .map((column) => {
      const value = before[column.name] ?? null;
      if (value === null) return `${column.quoted} IS NULL`;
      try {
        const sql = column.compared(value);
        if (column.isOpaque) return `HEX(${column.quoted})=HEX(${sql})`;
        // By their bytes: with every collation of both servers, spaces at the end may count for nothing.
        if (column.isText) return `CAST(CONVERT(${column.quoted} USING utf8mb4) AS BINARY)=CAST(${sql} AS BINARY)`;
        return column.isJson ? `${column.quoted}=CAST(${sql} AS JSON)` : `${column.quoted}=${sql}`;
      } catch (error) {
        throw error instanceof ValueUnfit ? new RowUnfit(row, `column ${column.name}: ${error.message}`) : error;
      }
    })
    .join(' AND ');
}
