import { numberText } from '../base/exact-json.ts';
import { float32 } from '../base/float32.ts';
import type { Row, Value } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { Column, TableSchema } from '../core/table-schema.ts';
import { jsonEncoding } from './json.ts';
import { isoMicroseconds, jsonString } from './json-text.ts';
import { TableEncoders } from './row-encoder.ts';

const encoders = new TableEncoders(jsonEncoding);

/** A change as one JSON object, in the form of docs/formats/change-event.md. JSON columns hold the document's text. */
export function changeJson(change: StreamChange): string {
  const { kind, table, key, before, after, scn, partition, moved, snapshot, committedAtUs } = change;
  const encoder = encoders.of(table);
  const row = (image: Row | null): string => (image === null ? 'null' : encoder.object(image));
  return (
    `{"op":"${kind}","db":${jsonString(table.database)},"table":${jsonString(table.name)}` +
    `,"key":${row(key)},"before":${row(before)},"after":${row(after)},"ts":"${isoMicroseconds(committedAtUs)}","scn":${scn}` +
    (partition === undefined ? '' : `,"partition":${partition}`) +
    (moved === undefined ? '' : `,"moved":"${moved}"`) +
    (snapshot === true ? ',"snapshot":true}' : '}')
  );
}

/**
 * A row, or a part of one, from what JSON says of it: the inverse of what `changeJson` writes. Integers may be texts of their digits, too. Numbers beyond what a
 * double holds have all their digits when `parseJsonDigits` has read them.
 *
 * @param place where it stands, for the message: `after`
 * @throws TidingsError REQUEST_INVALID naming the column
 */
export function rowOfJson(table: TableSchema, json: Readonly<Record<string, unknown>>, place: string): Row {
  const row = {};
  for (const [name, value] of Object.entries(json)) {
    const column = table.columns.find((each) => each.name === name);
    if (column === undefined) throw wrong(`${place}.${name}`, `the table has no column "${name}"`);
    const taken = valueOf(column, value);
    if (taken === undefined) throw wrong(`${place}.${name}`, `"${name}" takes ${WANTED[column.type]}`);
    Object.defineProperty(row, name, { value: taken, enumerable: true, configurable: true, writable: true });
  }
  return row;
}

function wrong(field: string, message: string): TidingsError {
  return new TidingsError('REQUEST_INVALID', message, { details: { field } });
}

const TEXT = 'a text';
const INTEGER = 'an integer, or the text of its digits';
const BYTES = 'bytes as base64 text';

const WANTED: Readonly<Record<Column['type'], string>> = {
  tinyint: INTEGER,
  smallint: INTEGER,
  mediumint: INTEGER,
  int: INTEGER,
  bigint: INTEGER,
  year: INTEGER,
  bit: INTEGER,
  decimal: 'a decimal number, or its text',
  float: 'a number',
  double: 'a number',
  date: TEXT,
  datetime: TEXT,
  timestamp: TEXT,
  time: TEXT,
  char: TEXT,
  varchar: TEXT,
  text: TEXT,
  binary: BYTES,
  varbinary: BYTES,
  blob: BYTES,
  enum: TEXT,
  set: TEXT,
  json: 'a document',
  geometry: BYTES,
  vector: 'a list of numbers',
  uuid: TEXT,
  inet4: TEXT,
  inet6: TEXT,
};

/** Undefined when the column cannot have it. */
function valueOf(column: Column, value: unknown): Value | undefined {
  if (value === null && column.type !== 'json') return column.nullable ? null : undefined;
  switch (WANTED[column.type]) {
    case INTEGER:
      return integerOf(value);
    case BYTES:
      return typeof value === 'string' ? bytesOf(value) : undefined;
    case TEXT:
      return typeof value === 'string' ? value : undefined;
    default:
      break;
  }
  switch (column.type) {
    case 'decimal': {
      const text = typeof value === 'string' ? value : (numberText(value) ?? '');
      return /^-?\d+(?:\.\d+)?$/.test(text) ? text : undefined;
    }
    case 'float': {
      const number = realNumber(value);
      return number === undefined || !Number.isFinite(Math.fround(number)) ? undefined : float32(number);
    }
    case 'double':
      return realNumber(value);
    case 'vector': {
      const elements = Array.isArray(value) ? value.map(realNumber) : [undefined];
      const isVector = elements.every((each) => each !== undefined && Number.isFinite(Math.fround(each)));
      return isVector ? Float32Array.from(elements as number[]) : undefined;
    }
    case 'json':
      return value === null && column.nullable ? null : JSON.stringify(value);
    default:
      return undefined;
  }
}

/** Undefined also for what a double cannot come near. */
function realNumber(value: unknown): number | undefined {
  const text = numberText(value);
  if (text === null) return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

function integerOf(value: unknown): number | bigint | undefined {
  if (Number.isSafeInteger(value)) return value as number;
  const text = typeof value === 'string' ? value : numberText(value);
  if (text === null || !/^-?\d{1,20}$/.test(text)) return undefined;
  const big = BigInt(text);
  return Number.isSafeInteger(Number(big)) ? Number(big) : big;
}

function bytesOf(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
