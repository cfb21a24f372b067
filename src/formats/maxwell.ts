import type { RowBatch, TransactionPart } from '../core/source.ts';
import { binlogPlace } from './binlog-place.ts';
import { changedColumns } from './changed-columns.ts';
import { jsonString } from './json-text.ts';
import { jsonEncoding } from './json.ts';
import { lastLineEntry, type LineEncoder, type LineEncoderOptions, type LineSink } from './line-encoder.ts';
import { type ChooseEncoding, TableEncoders } from './row-encoder.ts';
import { wkt } from './wkt.ts';

/**
 * Maxwell's JSON, with `output_commit_info`, `output_xoffset`, `output_binlog_position`, `output_gtid_position` and
 * `output_server_id` on. docs/formats/maxwell.md says what differs.
 *
 * `data` is the whole row (the row that went, for a delete), `old` the former values of the columns that an update changed.
 */
export class MaxwellEncoder implements LineEncoder {
  readonly #warn: LineEncoderOptions['warn'];
  readonly #transactions: boolean;
  readonly #tables: TableEncoders = new TableEncoders(maxwellEncoding);
  readonly #truncated: Set<string> = new Set();
  /** Lines of the current transaction so far. */
  #offset = 0;

  constructor({ warn, transactions = true }: LineEncoderOptions) {
    this.#warn = warn;
    this.#transactions = transactions;
  }

  encode(part: TransactionPart, emit: LineSink): void {
    if (part.begins) this.#offset = 0;
    const last = lastLineEntry(part, (entry) => entry.type === 'rows');
    part.entries.forEach((entry, index) => {
      if (entry.type === 'rows') this.#rows(entry, { part, commits: index === last, emit });
      else if (entry.type === 'truncate') this.#reportTruncation(entry.database, entry.table);
    });
  }

  #rows(batch: RowBatch, { part, commits, emit }: { part: TransactionPart; commits: boolean; emit: LineSink }): void {
    const { table } = batch;
    const { id, committedAtUs, serverId, start } = part.transaction;
    const encoder = this.#tables.of(table);
    const type = batch.kind === 'upsert' ? (batch.snapshot === true ? 'bootstrap-insert' : 'insert') : batch.kind;
    const head =
      `{"database":${jsonString(table.database)},"table":${jsonString(table.name)},"type":"${type}",` +
      `"ts":${Math.floor(committedAtUs / 1_000_000)},"xid":null,`;
    const inside = placeText(binlogPlace(start));
    const atEnd = part.end === null ? inside : placeText(binlogPlace(part.end));
    const tail = `,"gtid":${id === null ? 'null' : jsonString(id)},"server_id":${serverId},"data":`;
    const { before, after, count } = batch.rows();
    for (let row = 0; row < count; row++) {
      const old = before?.[row] ?? null;
      const now = after?.[row] ?? null;
      const commit = commits && row === count - 1;
      const marks = !this.#transactions
        ? `"position":${inside}`
        : commit
          ? `"commit":true,"position":${atEnd}`
          : `"xoffset":${this.#offset},"position":${inside}`;
      this.#offset++;
      // What a partial after image leaves out was not changed, so the before image has its value.
      const data = encoder.object(old !== null && now !== null ? { ...old, ...now } : (now ?? old ?? {}));
      const changed = old === null || now === null ? null : changedColumns(old, now);
      emit(head + marks + tail + data + (changed === null ? '}' : `,"old":${encoder.object(changed)}}`));
    }
  }

  #reportTruncation(database: string, table: string): void {
    const id = JSON.stringify([database, table]);
    if (this.#truncated.has(id)) return;
    this.#truncated.add(id);
    this.#warn({ database, table }, 'the table was truncated; the maxwell format has no line for it');
  }
}

function placeText(place: { file: string; offset: number } | null): string {
  return place === null ? 'null' : jsonString(`${place.file}:${place.offset}`);
}

const LEADING_ZEROS = /^(-?)0+(?=\d)/;

const maxwellEncoding: ChooseEncoding = (column) => {
  switch (column.type) {
    case 'decimal':
      return (value) => (value as string).replace(LEADING_ZEROS, '$1');
    case 'timestamp':
      return (value) => jsonString((value as string).replace('T', ' ').replace('Z', ''));
    case 'set':
      return (value) => (value === '' ? '[]' : `[${(value as string).split(',').map(jsonString).join(',')}]`);
    case 'geometry':
      return (value) => {
        const text = wkt(value as Uint8Array);
        return text === undefined ? undefined : jsonString(text);
      };
    default:
      return jsonEncoding(column);
  }
};
