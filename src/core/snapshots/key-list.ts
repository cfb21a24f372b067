import { parseExactJson } from '../../base/exact-json.ts';
import { TidingsError } from '../errors.ts';
import type { Key } from '../plain-rows.ts';
import { parseTablePattern } from '../table-pattern.ts';
import { SNAPSHOT_BOUNDS } from './request-bounds.ts';

/** A value of a key: as `RowBatch.keys()` gives it, or as JSON has it, where bytes are base64 text. */
export type KeyValue = string | number | bigint | Uint8Array;
/** The key of one row: the bare value of a single-column key, a tuple in key order of a composite one. */
export type RowKey = KeyValue | readonly KeyValue[];

/** The keys of the rows that a snapshot is to bring, each once. */
export interface KeyList {
  readonly count: number;
  /** All of them as one JSON array, integers with all their digits: in this form they are kept for as long as the snapshot is. */
  readonly json: string;
}

/** What of a request decides whether it can be one of keys. */
export interface KeyRequest {
  readonly keys: readonly unknown[] | null;
  readonly tables: readonly string[] | null;
  readonly where: string | null;
  readonly truncate: boolean;
}

/** As many as a key of either server can have. */
export const KEY_COLUMNS_MAX: number = 32;

/**
 * The keys of a request that is one of keys; null: it is none. Whether they are keys of the table only the table can tell.
 *
 * @throws TidingsError SNAPSHOT_KEYS_INVALID naming the field
 */
export function requestedKeys({ keys, tables, where, truncate }: KeyRequest): KeyList | null {
  if (keys === null) return null;
  const [pattern = '', ...others] = tables ?? [];
  const { database, table } = pattern === '' ? NO_TABLE : parseTablePattern(pattern);
  if (others.length > 0 || database === null || table === null) {
    throw invalid('keys are those of one table, which has to be named', 'tables', 'Name it as database.table.');
  }
  if (where !== null) {
    throw invalid('rows are asked for by their keys or by a condition, not by both', 'where');
  }
  if (truncate) {
    throw invalid('a snapshot of some rows cannot empty the table of its consumers', 'truncate');
  }
  return keyListOf(keys);
}

const NO_TABLE = { database: null, table: null } as const;

/** @throws TidingsError SNAPSHOT_KEYS_INVALID naming the first key that can be none */
export function keyListOf(keys: readonly unknown[]): KeyList {
  if (keys.length === 0) throw invalid('the list of keys is empty', 'keys');
  if (keys.length > SNAPSHOT_BOUNDS.keys) {
    throw invalid(
      `the list has ${keys.length} keys, and ${SNAPSHOT_BOUNDS.keys} are the most`,
      'keys',
      'Ask for the others by further snapshots, or for the rows by a condition.',
    );
  }
  const texts = new Set(keys.map((key, index) => keyJson(key, index)));
  const json = `[${[...texts].join()}]`;
  const bytes = Buffer.byteLength(json);
  if (bytes > SNAPSHOT_BOUNDS.keyBytes) {
    throw invalid(
      `the list of keys has ${bytes} bytes, and ${SNAPSHOT_BOUNDS.keyBytes} are the most`,
      'keys',
      'Ask for the others by further snapshots, or for the rows by a condition.',
    );
  }
  return { count: texts.size, json };
}

/** Bytes are base64 text in them. */
export function keysOf({ json }: KeyList): readonly Key[] {
  return parseExactJson(json) as readonly Key[];
}

function keyJson(key: unknown, index: number): string {
  const values: readonly unknown[] = Array.isArray(key) ? key : [key];
  const texts = values.map((value) => valueJson(value));
  if (texts.length === 0 || texts.length > KEY_COLUMNS_MAX || texts.includes(null)) {
    throw invalid(
      `key ${index + 1} of the list is none`,
      `keys.${index}`,
      'A key is a number or a text, or the list of them that a key of several columns has.',
    );
  }
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join()}]`;
}

function valueJson(value: unknown): string | null {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
      return value.toString();
    case 'number':
      return Number.isFinite(value) ? JSON.stringify(value) : null;
    default:
      if (!(value instanceof Uint8Array)) return null;
      return `"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}"`;
  }
}

function invalid(message: string, field: string, hint?: string): TidingsError {
  return new TidingsError('SNAPSHOT_KEYS_INVALID', message, {
    details: { field },
    ...(hint === undefined ? {} : { hint }),
  });
}
