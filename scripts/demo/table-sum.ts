import { createHash } from 'node:crypto';
import type { Connection, RowDataPacket } from 'mysql2/promise';

/** The rows of a table as a server's answer to SELECT has them, in a form that is the same on every server. */
export interface TableContent {
  /** In the order of their names: a column that was added in the middle may stand at the end elsewhere. */
  readonly columns: readonly string[];
  /** Each row's values behind one another, each with its length. Sorted as bytes: servers sort text each in their own way. */
  readonly rows: readonly Buffer[];
  /** SHA-256 of all of it. */
  readonly sum: string;
}

/** What the copy of a table has, beside the table itself. */
export interface CopyComparison {
  readonly table: string;
  readonly here: TableContent;
  readonly there: TableContent;
  readonly isEqual: boolean;
  /** Rows that are only in the table, or there more often. */
  readonly missing: number;
  /** Rows that are only in the copy, or there more often. */
  readonly surplus: number;
}

/** No value is as long as that. */
const NULL_LENGTH = 0xffff_ffff;

/** Reads a table, each value as the bytes that the server sends for it. */
export async function readTable(connection: Connection, table: string): Promise<TableContent> {
  const [rows, fields] = await connection.query<RowDataPacket[][]>({
    sql: `SELECT * FROM ${table}`,
    rowsAsArray: true,
    typeCast: (field) => field.buffer(),
  });
  return tableContent(
    fields.map(({ name }) => name),
    rows as unknown as readonly (readonly (Buffer | null)[])[],
  );
}

/** @param rows values in the order of the columns */
export function tableContent(columns: readonly string[], rows: readonly (readonly (Buffer | null)[])[]): TableContent {
  const order = columns.map((name, at) => ({ name, at })).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const names = order.map(({ name }) => name);
  const encoded = rows
    .map((row) => encode(order.map(({ at }) => row[at] ?? null)))
    .toSorted((a, b) => Buffer.compare(a, b));
  const hash = createHash('sha256').update(JSON.stringify(names));
  for (const row of encoded) hash.update(row);
  return { columns: names, rows: encoded, sum: hash.digest('hex') };
}

export function compareCopy(
  table: string,
  { here, there }: { readonly here: TableContent; readonly there: TableContent },
): CopyComparison {
  let missing = 0;
  let surplus = 0;
  for (let i = 0, j = 0; i < here.rows.length || j < there.rows.length;) {
    const [own, other] = [here.rows[i], there.rows[j]];
    const order = own === undefined ? 1 : other === undefined ? -1 : Buffer.compare(own, other);
    if (order < 0) missing++;
    if (order > 0) surplus++;
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return { table, here, there, isEqual: here.sum === there.sum, missing, surplus };
}

function encode(values: readonly (Buffer | null)[]): Buffer {
  return Buffer.concat(
    values.flatMap((value) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(value === null ? NULL_LENGTH : value.length);
      return value === null ? [length] : [length, value];
    }),
  );
}
