import type { Row, TransactionInfo, Truncation } from '../core/change.ts';
import type { RowBatch, TransactionPart } from '../core/source.ts';
import { binlogPlace } from './binlog-place.ts';
import { debeziumEncoding } from './debezium-values.ts';
import { jsonString } from './json-text.ts';
import type { LineEncoder, LineEncoderOptions, LineSink } from './line-encoder.ts';
import { TableEncoders } from './row-encoder.ts';

const OPERATIONS = { insert: 'c', upsert: 'c', update: 'u', delete: 'd', truncate: 't' } as const;
const MARIADB_GTID = /^\d+-\d+-\d+$/;

/**
 * The values of Debezium's change events, as its MySQL and MariaDB connectors write them through the JSON converter without
 * schemas. docs/formats/debezium.md names the settings that it corresponds to, and what differs.
 *
 * An update that changes the primary key is a delete of the old key and a create of the new one, as there.
 */
export class DebeziumEncoder implements LineEncoder {
  readonly #nowUs: () => number;
  readonly #version: string;
  readonly #tables: TableEncoders;

  constructor({ warn, nowUs = () => Date.now() * 1000, version = '0' }: LineEncoderOptions) {
    this.#nowUs = nowUs;
    this.#version = version;
    this.#tables = new TableEncoders(debeziumEncoding(warn));
  }

  encode(part: TransactionPart, emit: LineSink): void {
    const processed = timestamps(this.#nowUs());
    for (const entry of part.entries) {
      if (entry.type === 'schema') continue; // include.schema.changes=false
      const source = this.#source(part.transaction, entry);
      if (entry.type === 'rows') this.#rows(entry, { source, processed, emit });
      else emit(envelope('t', { before: null, after: null, source: source(0), processed }));
    }
  }

  #rows(
    batch: RowBatch,
    { source, processed, emit }: { source: (row: number) => string; processed: string; emit: LineSink },
  ): void {
    const encoder = this.#tables.of(batch.table);
    const { before, after, count } = batch.rows();
    const key = (row: Row, fallback: Row): string => (batch.table.key.length === 0 ? '' : encoder.key(row, fallback));
    for (let row = 0; row < count; row++) {
      const old = before?.[row] ?? null;
      const now = after?.[row] ?? null;
      const oldText = old === null ? null : encoder.object(old);
      const nowText = now === null ? null : encoder.object(now);
      const rest = { source: source(row), processed };
      if (old !== null && now !== null && key(old, old) !== key(now, old)) {
        emit(envelope('d', { before: oldText, after: null, ...rest }));
        emit(envelope('c', { before: null, after: nowText, ...rest }));
      } else {
        emit(
          envelope(batch.snapshot === true ? 'r' : OPERATIONS[batch.kind], {
            before: oldText,
            after: nowText,
            ...rest,
          }),
        );
      }
    }
  }

  /** The `source` object by the row's number in its entry. */
  #source(transaction: TransactionInfo, entry: RowBatch | Truncation): (row: number) => string {
    const { id, committedAtUs, serverId, start } = transaction;
    const [database, table] =
      entry.type === 'rows' ? [entry.table.database, entry.table.name] : [entry.database, entry.table];
    const query = entry.type === 'rows' ? entry.statement : entry.sql;
    const isSnapshot = entry.type === 'rows' && entry.snapshot === true;
    const place = binlogPlace(start);
    const connector = id !== null && MARIADB_GTID.test(id) ? 'mariadb' : 'mysql';
    const head =
      `{"version":${jsonString(this.#version)},"connector":"${connector}","name":"tidings",` +
      `"ts_ms":${Math.floor(committedAtUs / 1000)},"snapshot":"${isSnapshot}","db":${jsonString(database)},"sequence":null,` +
      `"ts_us":${committedAtUs},"ts_ns":${committedAtUs}000,"table":${jsonString(table)},"server_id":${serverId},` +
      `"gtid":${orNull(id)},"file":${orNull(place?.file)},"pos":${place?.offset ?? 'null'},"row":`;
    const tail = `,"thread":null,"query":${orNull(query)}}`;
    return (row) => head + row + tail;
  }
}

function orNull(text: string | null | undefined): string {
  return text === null || text === undefined ? 'null' : jsonString(text);
}

interface EnvelopeFields {
  readonly before: string | null;
  readonly after: string | null;
  readonly source: string;
  readonly processed: string;
}

function envelope(op: string, { before, after, source, processed }: EnvelopeFields): string {
  return `{"before":${before},"after":${after},"source":${source},"transaction":null,"op":"${op}",${processed}}`;
}

function timestamps(timeUs: number): string {
  return `"ts_ms":${Math.floor(timeUs / 1000)},"ts_us":${timeUs},"ts_ns":${timeUs}000`;
}
