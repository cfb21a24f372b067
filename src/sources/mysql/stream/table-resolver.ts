import { isTidingsError, TidingsError } from '../../../core/errors.ts';
import type { TableSchema } from '../../../core/table-schema.ts';
import { CHECKPOINT_TABLE } from '../../../drivers/mysql/checkpoint-table.ts';
import { decodeTableMapEvent } from '../binlog/table-map-event.ts';
import type { SchemaHistory } from '../schema/schema-history.ts';
import { bindTable, hasFullMetadata, isAmbiguous, schemaFromMetadata } from '../schema/table-binding.ts';
import type { BinlogPlace, Server } from '../server.ts';
import type { TableSelection } from '../table-selection.ts';
import { MappedTable } from './table-maps.ts';

/** So many table ids are remembered at most. */
const TABLES_MAX = 10_000;

export interface TableResolverOptions {
  readonly server: Server;
  readonly selection: TableSelection;
  readonly history: SchemaHistory;
  readonly json: 'text' | 'parsed';
}

/**
 * The table ids of a stream, and what their rows are.
 *
 * An id belongs to one definition for as long as the server runs and the table stays open, so a TABLE_MAP that was seen before needs
 * no second look. All of them are forgotten when a new file announces its format, and with every DDL.
 */
export class TableResolver {
  readonly #options: TableResolverOptions;
  readonly #tables = new Map<number, MappedTable>();
  #lastId = -1;
  #last: MappedTable | null = null;

  constructor(options: TableResolverOptions) {
    this.#options = options;
  }

  forget(): void {
    this.#tables.clear();
    this.#lastId = -1;
    this.#last = null;
  }

  /** Between transactions: a server that opens and closes tables all the time gives each a new id every time (I7). */
  trim(): void {
    if (this.#tables.size > TABLES_MAX) this.forget();
  }

  /** Null when no TABLE_MAP gave this id. */
  find(tableId: number): MappedTable | null {
    return tableId === this.#lastId ? this.#last : (this.#tables.get(tableId) ?? null);
  }

  /**
   * Takes in the body of a TABLE_MAP event. Null when that is done; a promise when the definition has to be established first.
   *
   * @param at where the transaction's first event stands
   */
  map(bytes: Buffer, start: number, end: number, at: () => BinlogPlace): Promise<null> | null {
    const eventLength = end - start;
    if (eventLength < 8) throw new TidingsError('BINLOG_TRUNCATED', 'TABLE_MAP event: it ends inside its header');
    const tableId = bytes.readUInt32LE(start) + bytes.readUInt16LE(start + 4) * 0x1_0000_0000;
    const known = this.find(tableId);
    if (known !== null && known.eventLength === eventLength) {
      this.#lastId = tableId;
      this.#last = known;
      return null;
    }
    return this.#resolve(tableId, bytes.subarray(start, end), at);
  }

  #resolve(tableId: number, body: Buffer, at: () => BinlogPlace): Promise<null> | null {
    const { selection, history, server, json } = this.#options;
    const eventLength = body.length;
    const event = decodeTableMapEvent(body, server.flavour);
    if (!selection.watches(event.database, event.table)) {
      const marksOrigin = event.table === CHECKPOINT_TABLE;
      this.#keep(tableId, marksOrigin ? MappedTable.originMark(eventLength) : new MappedTable(eventLength, null, json));
      return null;
    }
    const bind = (schema: TableSchema): null => {
      const selected = (table: TableSchema): readonly boolean[] => selection.columns(table);
      const binding = bindTable(event, schema, { flavour: server.flavour, selected });
      this.#keep(tableId, new MappedTable(eventLength, binding, json));
      return null;
    };
    const full = hasFullMetadata(event);
    const remembered = history.known(event);
    if (full && (remembered !== null || !isAmbiguous(event, server.flavour))) {
      return bind(schemaFromMetadata(event, server.flavour, remembered));
    }
    if (remembered !== null) return bind(remembered);
    return history.establish(event, at()).then(
      (schema) => bind(full ? schemaFromMetadata(event, server.flavour, schema) : schema),
      (error: unknown) => {
        // A statement maps every table that it locks for writing, also those in which it changes nothing: only rows need the
        // definition.
        if (!isTidingsError(error) || (error.code !== 'SCHEMA_UNKNOWN' && error.code !== 'SCHEMA_MISMATCH')) {
          throw error;
        }
        this.#keep(tableId, MappedTable.undecodable(eventLength, error));
        return null;
      },
    );
  }

  #keep(tableId: number, table: MappedTable): void {
    this.#tables.set(tableId, table);
    this.#lastId = tableId;
    this.#last = table;
  }
}
