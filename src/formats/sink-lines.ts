import type { ChangeKind, Row } from '../core/change.ts';
import type { Logger } from '../core/logger.ts';
import { type PlainRows, plainRowBatch } from '../core/plain-rows.ts';
import type { Position } from '../core/position.ts';
import type { RowShape } from '../core/rows/row-shape.ts';
import type { SinkRow, SinkTarget } from '../core/sink.ts';
import type { Entry, TransactionPart } from '../core/source.ts';
import type { TableSchema } from '../core/table-schema.ts';
import type { LineSink } from './line-encoder.ts';
import type { WriteJsonRow } from './log/json-rows.ts';
import { createLineEncoder, type LineFormat } from './line-formats.ts';
import { metaNames, rowLines } from './row-lines.ts';
import { documentText, type TargetTruncation, unfit } from './sink-rows.ts';

/** Makes lines, without their ends, of the rows that a sink gets. */
export interface SinkLines {
  /** @throws TidingsError SINK_SCHEMA_CONFLICT when the rows of this target have no such lines */
  check(target: SinkTarget): void;
  /** @throws TidingsError when a value has no exact form */
  ofRow(row: SinkRow, emit: LineSink): void;
  ofTruncation(truncation: TargetTruncation, emit: LineSink): void;
  /** How rows of the log's form become lines without an object; null: those of this shape do not. Left out: none do. */
  stored?(target: SinkTarget, shape: RowShape): StoredLines | null;
}

/** A line is `head`, the SCN, `behind`, the members that `write` writes, and a brace. */
export interface StoredLines {
  readonly write: WriteJsonRow;
  head(kind: ChangeKind): Buffer;
  behind(committedAtUs: number): Buffer;
}

/** The formats of lines that tell whole changes. */
export type ChangeLineFormat = Exclude<LineFormat, 'keys'>;

/** `rows`: the row as it stands. Otherwise the change. */
export type SinkLineFormat = 'rows' | ChangeLineFormat;

export const SINK_LINE_FORMATS: readonly ['rows', 'json', 'debezium', 'maxwell', 'canal'] = [
  'rows',
  'json',
  'debezium',
  'maxwell',
  'canal',
];

export interface SinkLinesOptions {
  readonly metaPrefix: string;
  /** Of rows: whether a line says of which table it is. */
  readonly tellsTable: boolean;
  readonly log: Logger;
}

export function sinkLines(format: SinkLineFormat, { metaPrefix, tellsTable, log }: SinkLinesOptions): SinkLines {
  return format === 'rows' ? rowLines({ meta: metaNames(metaPrefix), tellsTable }) : changeLines(format, log);
}

/** A sink does not learn where in the source's log a change stands. */
const UNKNOWN: Position = { toString: () => '' };

/** Lines of one of the formats of changes, with the names and columns that the mapping has left. */
function changeLines(lines: ChangeLineFormat, log: Logger): SinkLines {
  const encoder = createLineEncoder(lines, {
    warn: (fields, message) => log.warn(fields, message),
    transactions: false,
  });
  return {
    check: () => {},
    ofRow: (row, emit) => {
      const part = partOf(rowEntry(row, lines), row.change.committedAtUs);
      if (lines === 'json') encoder.encode(part, (line) => emit(line.slice(0, -1) + relayMembers(row)));
      else encoder.encode(part, emit);
    },
    ofTruncation: ({ target, scn, atUs }, emit) => {
      const part = partOf(truncation(target.table), atUs);
      if (lines === 'json') encoder.encode(part, (line) => emit(`${line.slice(0, -1)},"scn":${scn}}`));
      else encoder.encode(part, emit);
    },
  };
}

/** What a relay adds to a line: docs/formats/change-event.md. */
function relayMembers({ scn, change: { partition, moved, snapshot } }: SinkRow): string {
  return (
    `,"scn":${scn}` +
    (partition === undefined ? '' : `,"partition":${partition}`) +
    (moved === undefined ? '' : `,"moved":"${moved}"`) +
    (snapshot === undefined ? '}' : ',"snapshot":true}')
  );
}

function partOf(entry: Entry, committedAtUs: number): TransactionPart {
  return {
    transaction: { id: null, committedAtUs, serverId: 0, start: UNKNOWN },
    begins: true,
    restarted: false,
    entries: [entry],
    end: UNKNOWN,
  };
}

function rowEntry(row: SinkRow, lines: ChangeLineFormat): Entry {
  const { kind, key, change, target } = row;
  const { table } = target;
  const before = row.before === null ? null : textual(row.before, target);
  const after = row.after === null ? null : textual(row.after, target);
  const plain: PlainRows =
    kind === 'update'
      ? // The key is told even where the images leave it out.
        { table, kind, rows: [{ before: before ?? key ?? {}, after: after ?? {} }] }
      : { table, kind, rows: [(kind === 'delete' ? (before ?? key) : after) ?? {}] };
  // A line of JSON says so behind its SCN.
  const snapshot = change.snapshot === true && lines !== 'json';
  return plainRowBatch({ ...plain, statement: change.statement, snapshot });
}

function truncation({ database, name }: TableSchema): Entry {
  const quoted = [database, name].map((part) => `\`${part.replaceAll('`', '``')}\``).join('.');
  return { type: 'truncate', database, table: name, sql: `TRUNCATE TABLE ${quoted}` };
}

/** Encoders of lines take documents as text. */
function textual(row: Row, target: SinkTarget): Row {
  let made: Record<string, Row[string]> | null = null;
  for (const column of target.table.columns) {
    const value = column.type === 'json' ? (Object.hasOwn(row, column.name) ? row[column.name] : null) : null;
    if (value === null || value === undefined) continue;
    const text = documentText(value);
    if (text === null) throw unfit(target, column, 'a JSON document');
    if (text === value) continue;
    made ??= { ...row };
    made[column.name] = text;
  }
  return made ?? row;
}
