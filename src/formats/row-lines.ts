import { TidingsError } from '../core/errors.ts';
import type { SinkTarget } from '../core/sink.ts';
import type { Column, TableSchema } from '../core/table-schema.ts';
import { embeddedJson, isoMicroseconds, jsonString } from './json-text.ts';
import { jsonEncoding } from './json.ts';
import { jsonMembersWriter } from './log/json-members.ts';
import { type ColumnEncoding, TableEncoders } from './row-encoder.ts';
import type { SinkLines } from './sink-lines.ts';
import { documentText, eachRow, type RowOp, type TargetTruncation } from './sink-rows.ts';

/** The columns that rows have beside the target's: what happened, and when. */
export interface MetaNames {
  readonly op: string;
  readonly scn: string;
  readonly time: string;
  readonly absent: string;
  readonly database: string;
  readonly table: string;
}

export function metaNames(prefix: string): MetaNames {
  return {
    op: `${prefix}op`,
    scn: `${prefix}scn`,
    time: `${prefix}time`,
    absent: `${prefix}absent`,
    database: `${prefix}database`,
    table: `${prefix}table`,
  };
}

export interface RowLinesOptions {
  readonly meta: MetaNames;
  /** Whether a line says of which table it is. */
  readonly tellsTable: boolean;
}

/** Rows as lines of JSON: `{"_op":"update","_scn":17,"_time":"…Z","id":1,"name":"a"}`. */
export function rowLines({ meta, tellsTable }: RowLinesOptions): SinkLines {
  const tables = new TableEncoders(rowEncoding);
  const taken = new Set(Object.values(meta));
  const [op, scn, time] = [`{${jsonString(meta.op)}:"`, `",${jsonString(meta.scn)}:`, `,${jsonString(meta.time)}:"`];
  const behindScn = (atUs: number, { table }: SinkTarget): string =>
    time +
    isoMicroseconds(atUs) +
    '"' +
    (tellsTable
      ? `,${jsonString(meta.database)}:${jsonString(table.database)},${jsonString(meta.table)}:${jsonString(table.name)}`
      : '');
  const head = (kind: RowOp, { target, scn: number, atUs }: TargetTruncation): string =>
    op + kind + scn + number + behindScn(atUs, target);
  return {
    check: ({ table: { columns, database, name } }: SinkTarget) => {
      const clash = columns.find((column) => taken.has(column.name));
      if (clash !== undefined) throw columnClash(`${database}.${name}`, clash.name);
    },
    ofRow: (row, emit) => {
      const { target, scn: number, change } = row;
      const encoder = tables.of(target.table);
      const about = { target, scn: number, atUs: change.committedAtUs };
      eachRow(row, (kind, values) => emit(head(kind, about) + encoder.members(values) + '}'));
    },
    ofTruncation: (truncation, emit) => emit(head('truncate', truncation) + '}'),
    stored: (target, shape) => {
      const write = isSameTable(target.table, shape.table) ? jsonMembersWriter(shape, target.table.key) : null;
      if (write === null) return null;
      return {
        write,
        head: (kind) => Buffer.from(op + kind + scn),
        behind: (atUs) => Buffer.from(behindScn(atUs, target)),
      };
    },
  };
}

export function columnClash(table: string, column: string): TidingsError {
  return new TidingsError(
    'SINK_SCHEMA_CONFLICT',
    `the column ${column} of ${table} has the name of a column that the sink adds`,
    { hint: 'Set metaPrefix of the sink to something that no column begins with.', details: { table, column } },
  );
}

/** Whether the columns are the same, as far as their lines are concerned. */
function isSameTable({ columns }: TableSchema, other: TableSchema): boolean {
  const isSame = ({ name, type, unsigned }: Column, index: number): boolean => {
    const column = other.columns[index];
    return column?.name === name && column.type === type && column.unsigned === unsigned;
  };
  return columns.length === other.columns.length && columns.every(isSame);
}

/** As in lines of changes; but every value is looked at, since a mapping may have made it. */
export function rowEncoding(column: Column): ColumnEncoding {
  if (column.type === 'json') {
    return (value) => {
      const text = documentText(value);
      return text === null ? undefined : embeddedJson(text);
    };
  }
  const encode = jsonEncoding(column);
  if (encode === 'digits') {
    return (value) => (Number.isInteger(value) || typeof value === 'bigint' ? '' + (value as number) : undefined);
  }
  if (encode === 'quoted') return (value) => (typeof value === 'string' ? jsonString(value) : undefined);
  const fits = valueCheck(column);
  return (value) => (fits(value) ? encode(value) : undefined);
}

function valueCheck({ type }: Column): (value: unknown) => boolean {
  switch (type) {
    case 'float':
    case 'double':
      return (value) => typeof value === 'number';
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      return (value) => value instanceof Uint8Array;
    case 'vector':
      return (value) => value instanceof Float32Array;
    default:
      return (value) => typeof value === 'string';
  }
}
