import type { ChangeKind, Value } from '../core/change.ts';
import type { RowBatch, TransactionPart } from '../core/source.ts';
import { base64, jsonNumber, jsonString } from './json-text.ts';
import type { LineEncoder, LineEncoderOptions, LineSink } from './line-encoder.ts';

const ACTIONS: Readonly<Record<ChangeKind, string>> = {
  insert: 'write',
  upsert: 'write',
  update: 'update',
  delete: 'delete',
};

// What can stand without quotes: it has no white space and cannot be mistaken for a quoted string or a list.
const BARE = /^[\p{L}\p{N}_.:@/+=-]+$/u;

/**
 * Meepo's lines: the event's name and the primary key, `orders_update 42`.
 *
 *     line   = name " " key
 *     name   = table "_" ( "write" | "update" | "delete" )     a JSON string when the table's name is not a bare word
 *     key    = value | "[" value *( "," value ) "]"            a list for composite keys, in key order
 *     value  = integer | bare word | JSON string               in a list, text is always a JSON string
 *
 * Only the key's columns are decoded. Tables without a primary key, and statements that change a table as a whole, have no
 * lines: the first of each per table is reported.
 */
export class KeysEncoder implements LineEncoder {
  readonly #warn: LineEncoderOptions['warn'];
  readonly #warned: Set<string> = new Set();
  /** Which database a table's lines come from: the lines themselves do not tell. */
  readonly #databases: Map<string, string> = new Map();

  constructor({ warn }: LineEncoderOptions) {
    this.#warn = warn;
  }

  encode(part: TransactionPart, emit: LineSink): void {
    for (const entry of part.entries) {
      if (entry.type === 'rows') this.#rows(entry, emit);
      else if (entry.type === 'truncate') {
        this.#once('truncate', entry.database, {
          table: entry.table,
          message: 'the table was truncated; the keys format has no line for it',
        });
      }
    }
  }

  #rows(batch: RowBatch, emit: LineSink): void {
    const { database, name } = batch.table;
    const keys = batch.keys();
    if (keys === null) {
      this.#once('no key', database, {
        table: name,
        message: 'the table has no primary key; the keys format has no lines for it',
      });
      return;
    }
    const known = this.#databases.get(name);
    if (known === undefined) this.#databases.set(name, database);
    else if (known !== database) {
      this.#once('same name', database, {
        table: name,
        message: `the lines of this table look like those of ${known}.${name}; select one of them, or another format`,
      });
    }
    const word = BARE.test(name)
      ? `${name}_${ACTIONS[batch.kind]} `
      : `${jsonString(`${name}_${ACTIONS[batch.kind]}`)} `;
    if (batch.table.key.length === 1) {
      for (const key of keys) emit(word + loneValue(key as Value));
    } else {
      for (const key of keys) emit(`${word}[${(key as readonly Value[]).map(listedValue).join(',')}]`);
    }
  }

  #once(reason: string, database: string, { table, message }: { table: string; message: string }): void {
    const id = JSON.stringify([reason, database, table]);
    if (this.#warned.has(id)) return;
    this.#warned.add(id);
    this.#warn({ database, table }, message);
  }
}

function loneValue(value: Value): string {
  return typeof value === 'string' && BARE.test(value) ? value : listedValue(value);
}

function listedValue(value: Value): string {
  if (typeof value === 'string') return jsonString(value);
  if (typeof value === 'number') return jsonNumber(value) ?? 'null';
  if (value instanceof Uint8Array) return jsonString(base64(value));
  return typeof value === 'bigint' ? `${value}` : JSON.stringify(value);
}
