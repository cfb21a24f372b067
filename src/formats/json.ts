import type { Row, SchemaChange, Truncation } from '../core/change.ts';
import type { Position } from '../core/position.ts';
import type { RowBatch, TransactionPart } from '../core/source.ts';
import type { Column } from '../core/table-schema.ts';
import { base64, embeddedJson, isoMicroseconds, jsonNumber, jsonString, vectorText } from './json-text.ts';
import { leftOutKeys } from './left-out-keys.ts';
import { lastLineEntry, type LineEncoder, type LineSink } from './line-encoder.ts';
import { type ColumnEncoding, type TableEncoder, TableEncoders } from './row-encoder.ts';

/**
 * Tidings' own lines. docs/formats/change-event.md is the grammar.
 *
 *     {"op":"update","db":"shop","table":"orders","key":{"id":7},"before":{…},"after":{…},"ts":"…Z","tx":"0-1-42","pos":"…"}
 *     {"op":"schema","db":"shop","table":"orders","sql":"ALTER TABLE …","ts":"…Z","tx":"0-1-43","pos":"…"}
 */
export class JsonEncoder implements LineEncoder {
  readonly #tables: TableEncoders = new TableEncoders(jsonEncoding);

  encode(part: TransactionPart, emit: LineSink): void {
    const tails = new LineTails(part);
    const last = lastLineEntry(part, () => true);
    part.entries.forEach((entry, index) => {
      const isLast = index === last;
      if (entry.type === 'rows') this.#rows(entry, { isLast, tails, emit });
      else emit(statementHead(entry) + (isLast ? tails.last : tails.inside) + '}');
    });
  }

  #rows(batch: RowBatch, { isLast, tails, emit }: { isLast: boolean; tails: LineTails; emit: LineSink }): void {
    const { table } = batch;
    const encoder = this.#tables.of(table);
    const head = `${rowHead(batch)}"key":`;
    const rows = batch.rows();
    const { before, after, count } = rows;
    const keys = leftOutKeys(batch, rows);
    const close = batch.snapshot === true ? ',"snapshot":true}' : '}';
    for (let row = 0; row < count; row++) {
      const old = before?.[row] ?? null;
      const now = after?.[row] ?? null;
      emit(
        head +
          (table.key.length === 0 ? 'null' : keyOf(encoder, keys?.[row] ?? now ?? old ?? {}, { old })) +
          ',"before":' +
          (old === null ? 'null' : encoder.object(old)) +
          ',"after":' +
          (now === null ? 'null' : encoder.object(now)) +
          (isLast && row === count - 1 ? tails.last : tails.inside) +
          close,
      );
    }
  }
}

/** A row's line up to its key. */
export function rowHead({ kind, table: { database, name } }: RowBatch): string {
  return `{"op":"${kind}","db":${jsonString(database)},"table":${jsonString(name)},`;
}

/** A statement's line up to its time. */
export function statementHead({ type, database, table, sql }: SchemaChange | Truncation): string {
  const name = table === null ? 'null' : jsonString(table);
  return `{"op":"${type}","db":${jsonString(database)},"table":${name},"sql":${jsonString(sql)}`;
}

/**
 * How the lines of a part end, but for their brace: when, in which transaction, and where to resume so that nothing after the line is missed (I2).
 * Both forms are made when the first line needs them: a position's text can be long, and most transactions have one line.
 */
export class LineTails {
  readonly #part: TransactionPart;
  readonly #stamp: string;
  #inside: string | null = null;

  constructor(part: TransactionPart) {
    const { committedAtUs, id } = part.transaction;
    this.#part = part;
    this.#stamp = `,"ts":"${isoMicroseconds(committedAtUs)}","tx":${id === null ? 'null' : jsonString(id)},"pos":`;
  }

  get inside(): string {
    this.#inside ??= this.#stamp + positionText(this.#part.transaction.start);
    return this.#inside;
  }

  /** Of the transaction's last line. */
  get last(): string {
    return this.#part.end === null ? this.inside : this.#stamp + positionText(this.#part.end);
  }
}

/** A position whose text is empty is one that nobody knows. */
function positionText(position: Position): string {
  const text = position.toString();
  return text === '' ? 'null' : jsonString(text);
}

/** After the change; a key column that an update did not log in its after image was not changed by it. */
function keyOf(encoder: TableEncoder, row: Row, { old }: { old: Row | null }): string {
  return encoder.key(row, old ?? row);
}

/** The JSON column of the table in docs/concepts/values.md. */
export function jsonEncoding(column: Column): ColumnEncoding {
  switch (column.type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'year':
    case 'bit':
      return 'digits';
    case 'float':
    case 'double':
      // A FLOAT arrives as the double nearest to its shortest decimal, so both print alike.
      return (value) => jsonNumber(value as number);
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      return (value) => '"' + base64(value as Uint8Array) + '"';
    case 'json':
      return (value) => embeddedJson(value as string);
    case 'vector':
      return (value) => vectorText(value as Float32Array);
    case 'decimal':
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return 'quoted';
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
      return (value) => jsonString(value as string);
  }
}
