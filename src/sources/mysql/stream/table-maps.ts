import type { TidingsError } from '../../../core/errors.ts';
import { rowsAction, type RowsAction, type RowsEvent } from '../binlog/rows-event.ts';
import { corrupt } from '../binlog/frame-errors.ts';
import { EVENT } from '../binlog/event-types.ts';
import { RowViews } from '../row-batch.ts';
import type { TableBinding } from '../schema/table-binding.ts';

/** A table id of the stream: what its rows are, and the functions generated for them. */
export class MappedTable {
  /** Length of the TABLE_MAP event. The same id with another length is another table, or the same with other metadata. */
  readonly eventLength: number;
  /** Null for a table that nobody watches. */
  readonly binding: TableBinding | null;
  /** Why rows of this table cannot be decoded; thrown with the first of them. */
  readonly failure: TidingsError | null;
  /** A transaction whose first row is of this table was written by a sink. */
  readonly marksOrigin: boolean;
  readonly #json: 'text' | 'parsed';
  /** Views of rows that hold all columns, the usual case, by action. */
  readonly #whole: Partial<Record<RowsAction, RowViews>> = {};
  /** Views by event kind and bitmaps. */
  readonly #partial = new Map<string, RowViews>();

  /** A watched table whose definition cannot be established. */
  static undecodable(eventLength: number, failure: TidingsError): MappedTable {
    return new MappedTable(eventLength, null, 'text', failure);
  }

  /** The table of the sinks' checkpoints, whose rows nobody gets. */
  static originMark(eventLength: number): MappedTable {
    return new MappedTable(eventLength, null, 'text', null, true);
  }

  // oxlint-disable-next-line max-params -- the last ones are for the factories above
  constructor(
    eventLength: number,
    binding: TableBinding | null,
    json: 'text' | 'parsed',
    failure: TidingsError | null = null,
    marksOrigin = false,
  ) {
    this.failure = failure;
    this.marksOrigin = marksOrigin;
    this.eventLength = eventLength;
    this.binding = binding;
    this.#json = json;
  }

  views(bytes: Buffer, eventType: number, event: RowsEvent): RowViews {
    const binding = this.binding as TableBinding;
    const action = rowsAction(eventType) as RowsAction;
    const { columnCount, firstBitmap, secondBitmap } = event;
    if (columnCount !== binding.columns.length) throw wrongCount(binding, columnCount);
    const whole =
      eventType !== EVENT.PARTIAL_UPDATE_ROWS &&
      isWhole(bytes, firstBitmap, columnCount) &&
      (secondBitmap === firstBitmap || isWhole(bytes, secondBitmap, columnCount));
    if (whole) {
      const known = this.#whole[action];
      if (known !== undefined) return known;
      return (this.#whole[action] = this.#make(bytes, eventType, event));
    }
    const key = `${eventType}:${bytes.toString('latin1', firstBitmap, event.rowsStart)}`;
    const known = this.#partial.get(key);
    if (known !== undefined) return known;
    const views = this.#make(bytes, eventType, event);
    this.#partial.set(key, views);
    return views;
  }

  #make(bytes: Buffer, eventType: number, { columnCount, firstBitmap, secondBitmap }: RowsEvent): RowViews {
    const action = rowsAction(eventType) as RowsAction;
    const first = bits(bytes, firstBitmap, columnCount);
    return new RowViews(this.binding as TableBinding, action, {
      json: this.#json,
      layout: {
        before: action === 'insert' ? null : first,
        after: action === 'delete' ? null : action === 'insert' ? first : bits(bytes, secondBitmap, columnCount),
        partial: eventType === EVENT.PARTIAL_UPDATE_ROWS,
      },
    });
  }
}

function wrongCount({ schema }: TableBinding, columnCount: number): TidingsError {
  const table = `${schema.database}.${schema.name}`;
  return corrupt(`${table}: a rows event has ${columnCount} columns, its TABLE_MAP ${schema.columns.length}`, {
    table,
  });
}

function isWhole(bytes: Buffer, offset: number, count: number): boolean {
  let at = offset;
  let rest = count;
  for (; rest >= 8; rest -= 8) if (bytes[at++] !== 0xff) return false;
  const mask = (1 << rest) - 1;
  return ((bytes[at] ?? 0) & mask) === mask;
}

function bits(bytes: Buffer, offset: number, count: number): boolean[] {
  return Array.from({ length: count }, (_, i) => ((bytes.readUInt8(offset + (i >> 3)) >> (i & 7)) & 1) === 1);
}
