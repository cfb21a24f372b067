import { createHash } from 'node:crypto';
import type { TableSchema } from '../table-schema.ts';

/**
 * What the bytes of a row mean: a table's definition, and which of its columns each image holds. Together with the bytes it is all
 * that decoding takes. Docs: docs/formats/relay-log.md.
 */
export interface RowShape {
  readonly table: TableSchema;
  /** Indexes into the table's columns, ascending, of the image before the change; null when there is none (an insert). */
  readonly before: readonly number[] | null;
  /** The same of the image after the change; null for a delete. */
  readonly after: readonly number[] | null;
  /** The shape as JSON, always the same for the same shape: what is stored. */
  readonly text: string;
  /** 16 hexadecimal digits: the first 8 bytes of the text's SHA-256. Names the shape in every log and on every wire. */
  readonly fingerprint: string;
}

export interface RowShapeParts {
  readonly table: TableSchema;
  readonly before: readonly number[] | null;
  readonly after: readonly number[] | null;
}

export function rowShape({ table, before, after }: RowShapeParts): RowShape {
  const text = JSON.stringify({ before, after, table: canonicalTable(table) });
  return { table, before, after, text, fingerprint: fingerprintOf(text) };
}

/** The shape that `rowShape` wrote. The text is trusted: it lies under a checksum. */
export function parseRowShape(text: string): RowShape {
  const { before, after, table } = JSON.parse(text) as RowShapeParts;
  return { table, before, after, text, fingerprint: fingerprintOf(text) };
}

export function fingerprintOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** With its properties in one order, and no others. */
function canonicalTable({ database, name, columns, key }: TableSchema): TableSchema {
  return {
    database,
    name,
    columns: columns.map((column) => ({
      name: column.name,
      type: column.type,
      nullable: column.nullable,
      unsigned: column.unsigned,
      length: column.length,
      scale: column.scale,
      charset: column.charset,
      collation: column.collation,
      members: column.members,
      generated: column.generated,
      invisible: column.invisible,
    })),
    key,
  };
}
