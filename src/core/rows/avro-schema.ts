import type { Column } from '../table-schema.ts';
import type { RowShape } from './row-shape.ts';

/**
 * The Avro schema of a shape's rows (Avro 1.12, https://avro.apache.org/docs/1.12.0/specification/): what a reader without this code
 * decodes them with. One record per image, one field per column that the image holds, in the table's order. A nullable column is a
 * union whose first branch is null; see `avroKind` for the types.
 *
 * Text is the form that SELECT prints, DECIMAL, dates and times included: docs/adr/0013-values-as-text.md has the figures.
 */
export type AvroKind =
  | 'int' // zig-zag varint
  | 'long'
  | 'unsigned' // a union of long and string: above 2^63 - 1 the digits as text
  | 'float'
  | 'double'
  | 'string' // UTF-8
  | 'bytes'
  | 'floats'; // array of float, in one block

export function avroKind(column: Column): AvroKind {
  switch (column.type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'year':
      return 'int';
    case 'int':
      return column.unsigned ? 'long' : 'int';
    case 'bigint':
      return column.unsigned ? 'unsigned' : 'long';
    case 'bit':
      return (column.length ?? 64) > 63 ? 'unsigned' : 'long';
    case 'float':
      return 'float';
    case 'double':
      return 'double';
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      return 'bytes';
    case 'vector':
      return 'floats';
    case 'decimal':
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'json':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return 'string';
  }
}

/** Whether the texts of a column are ASCII whatever its values: readers need not look for other characters. */
export function isAsciiText({ type }: Column): boolean {
  switch (type) {
    case 'decimal':
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return true;
    default:
      return false;
  }
}

export type AvroType = string | readonly AvroType[] | { readonly [property: string]: unknown };

export function avroSchema(shape: RowShape): AvroType {
  const namespace = [shape.table.database, shape.table.name].map(avroName).join('.');
  const image = (name: 'before' | 'after'): AvroType[] => {
    const columns = shape[name];
    if (columns === null) return [];
    const used = new Set<string>();
    const fields = columns.map((index) => avroField(shape.table.columns[index] as Column, used));
    return [{ name, type: { type: 'record', name: name === 'before' ? 'Before' : 'After', namespace, fields } }];
  };
  return { type: 'record', name: 'Change', namespace, fields: [...image('before'), ...image('after')] };
}

function avroField(column: Column, used: Set<string>): AvroType {
  let name = avroName(column.name);
  while (used.has(name)) name += '_';
  used.add(name);
  const type = avroType(column);
  const branches = Array.isArray(type) ? (type as AvroType[]) : [type];
  return {
    name,
    type: column.nullable ? ['null', ...branches] : type,
    // What the name was before it was made one that Avro allows, and what the bytes are.
    column: column.name,
    columnType: column.type,
  };
}

function avroType(column: Column): AvroType {
  const kind = avroKind(column);
  if (kind === 'unsigned') return ['long', 'string'];
  if (kind === 'floats') return { type: 'array', items: 'float' };
  return kind;
}

/** Avro's names are letters, digits and underscores. */
export function avroName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_]/gu, (character) => `_u${character.codePointAt(0)?.toString(16)}_`);
  // Readers written in JavaScript lose a field called __proto__.
  return /^[A-Za-z_]/.test(plain) && plain !== '__proto__' ? plain : `_${plain}`;
}
