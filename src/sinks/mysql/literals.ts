import { float32 } from '../../base/float32.ts';
import type { Value } from '../../core/change.ts';
import type { Column, ColumnType } from '../../core/table-schema.ts';
import type { Flavour } from '../../drivers/mysql/server-version.ts';
import { jsonLiteral } from './json-literal.ts';

/** Why a value has no exact form in the target. Says nothing of the value itself (I10). */
export class ValueUnfit extends Error {
  override readonly name: string = 'ValueUnfit';
}

/** SQL text for a column's value; never for null. @throws ValueUnfit */
export type Literal = (value: Value) => string;

/** Of a column as the rows have it, for the column of the target; the latter's type is null when it is not known. */
export interface LiteralPlace {
  readonly column: Column;
  readonly targetType: ColumnType | null;
  readonly flavour: Flavour;
}

/** From here on base64 stands for bytes: a third longer than they are, where hexadecimal digits are twice as long. */
const BASE64_FROM_BYTES = 65_536;
const FLOAT_LARGE = 3.4e38;
const INSTANTS: ReadonlySet<ColumnType | null> = new Set(['timestamp', 'datetime', 'date', 'time']);
const TEXTS: ReadonlySet<ColumnType | null> = new Set(['char', 'varchar', 'text']);
const NUMBERS: ReadonlySet<ColumnType> = new Set([
  'tinyint',
  'smallint',
  'mediumint',
  'int',
  'bigint',
  'decimal',
  'year',
  'bit',
]);
const BYTES: ReadonlySet<ColumnType | null> = new Set(['binary', 'varbinary', 'blob', 'vector']);

/**
 * How values of a column are written in a statement. Statements are read in UTC, as utf8mb4, with NO_BACKSLASH_ESCAPES: within quotes only
 * the quote itself means anything.
 */
export function literalFor({ column, targetType, flavour }: LiteralPlace): Literal {
  switch (column.type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'year':
    case 'bit':
      return wholeNumber;
    case 'decimal':
      return decimal;
    case 'float':
      return targetType === 'float' ? largeFloat : realNumber;
    case 'double':
      return realNumber;
    case 'timestamp':
      return INSTANTS.has(targetType) ? instant : quoted;
    case 'date':
    case 'datetime':
    case 'time':
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return quoted;
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      return bytes;
    case 'json':
      return flavour === 'mysql' && targetType === 'json' ? exactDocument : document;
    case 'vector':
      return BYTES.has(targetType) ? vector : vectorText;
  }
}

/**
 * The same for a comparison. A FLOAT column is compared as the double that it is, which is not the one that its shortest decimal means; a text with a
 * number would be read as one.
 */
export function comparedLiteralFor(place: LiteralPlace): Literal {
  const literal = literalFor(place);
  if (TEXTS.has(place.targetType) && NUMBERS.has(place.column.type)) return (value) => `'${literal(value)}'`;
  if (place.column.type !== 'float' || place.targetType !== 'float') return literal;
  return (value) => realNumber(typeof value === 'number' ? Math.fround(value) : value);
}

function wholeNumber(value: Value): string {
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) return value.toString();
  throw new ValueUnfit('the value is no whole number');
}

function decimal(value: Value): string {
  if (typeof value === 'string' && /^-?\d+(?:\.\d+)?$/.test(value)) return value;
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) return value.toString();
  throw new ValueUnfit('the value is no decimal number');
}

/** With an exponent, so that the server reads a double, and −0 as one. */
function realNumber(value: Value): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new ValueUnfit('the value is no finite number');
  if (Object.is(value, -0)) return '-0e0';
  const text = String(value);
  return text.includes('e') ? text : `${text}e0`;
}

/** The shortest decimals of the largest floats lie beyond the largest one, and the servers compare before they round. */
function largeFloat(value: Value): string {
  const isLarge = typeof value === 'number' && Math.abs(value) > FLOAT_LARGE;
  return realNumber(isLarge ? Math.fround(value) : value);
}

function quoted(value: Value): string {
  if (typeof value !== 'string') throw new ValueUnfit('the value is no text');
  if (!value.isWellFormed()) throw new ValueUnfit('the text holds half a character (a lone surrogate)');
  return value.includes("'") ? `'${value.replaceAll("'", "''")}'` : `'${value}'`;
}

/** `2026-11-20T09:15:02.5Z` as the server writes it in a session whose time zone is UTC. */
function instant(value: Value): string {
  if (typeof value !== 'string' || !/^[-\d]+T[\d:.]+Z$/.test(value)) throw new ValueUnfit('the value is no instant');
  return `'${value.slice(0, -1).replace('T', ' ')}'`;
}

function bytes(value: Value): string {
  if (!(value instanceof Uint8Array)) throw new ValueUnfit('the value is no bytes');
  const buffer = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return value.length < BASE64_FROM_BYTES
    ? `x'${buffer.toString('hex')}'`
    : `FROM_BASE64('${buffer.toString('base64')}')`;
}

function vector(value: Value): string {
  if (!(value instanceof Float32Array)) throw new ValueUnfit('the value is no vector');
  // Little-endian, as the servers keep it, whatever the machine.
  const buffer = Buffer.alloc(value.length * 4);
  value.forEach((element, i) => buffer.writeFloatLE(element, i * 4));
  return bytes(buffer);
}

function vectorText(value: Value): string {
  if (!(value instanceof Float32Array)) throw new ValueUnfit('the value is no vector');
  return `'[${Array.from(value, (element) => (Object.is(element, -0) ? '-0' : String(float32(element)))).join(',')}]'`;
}

/** A document's text is passed on as it is; what a mapping has nested is an object. */
function document(value: Value): string {
  return quoted(typeof value === 'string' ? value : nestedText(value));
}

function exactDocument(value: Value): string {
  return jsonLiteral(typeof value === 'string' ? value : nestedText(value), quoted);
}

/** What a mapping has nested, as JSON. @throws ValueUnfit */
export function nestedText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(nestedText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (ArrayBuffer.isView(value)) throw new ValueUnfit('bytes have no form in a document');
  return `{${Object.entries(value)
    .map(([name, part]) => `${JSON.stringify(name)}:${nestedText(part)}`)
    .join(',')}}`;
}
