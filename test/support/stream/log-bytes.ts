import { plainRowBatch, type PlainRows } from '../../../src/core/plain-rows.ts';
import { keyHash } from '../../../src/core/rows/key-hash.ts';
import { type RowShape } from '../../../src/core/rows/row-shape.ts';
import type { RowTarget } from '../../../src/core/rows/row-target.ts';
import type { Column, TableSchema } from '../../../src/core/table-schema.ts';
import { headBytes, sealBatch, writeBatchHead } from '../../../src/formats/log/batch-builder.ts';
import {
  ENTRY,
  FLAG,
  ROW_OP,
  RUN_BYTES,
  SAME_STATEMENT,
  SHAPE_ENTRY_BYTES,
  STATEMENT_ENTRY_BYTES,
  TRANSACTION_BYTES,
} from '../../../src/formats/log/batch-layout.ts';

const INT: Omit<Column, 'name'> = {
  type: 'int',
  nullable: false,
  unsigned: false,
  length: null,
  scale: null,
  charset: null,
  collation: null,
  members: null,
  generated: null,
  invisible: false,
};

/** What the tests' streams hold: each id goes through states 1, 2, 3, … */
export const STATES: TableSchema = {
  database: 'shop',
  name: 'states',
  columns: [
    { ...INT, name: 'id' },
    { ...INT, name: 'state' },
  ],
  key: [0],
};

export interface StateChange {
  readonly scn: number;
  readonly id: number;
  readonly state: number;
}

export interface StatesTransaction {
  readonly committedAtUs: number;
  /** Consecutive SCNs. */
  readonly changes: readonly StateChange[];
  /** It began in an earlier batch. */
  readonly continues?: boolean;
  /** A schema change in front of the changes, with an SCN of its own. */
  readonly schemaScn?: number;
}

export interface EncodeOptions {
  readonly firstScn: number;
  readonly count: number;
  /** The last transaction goes on in the next batch. */
  readonly open?: boolean;
  /** Only these changes; the batch covers the same SCNs. */
  readonly only?: (change: StateChange) => boolean;
  /** The SQL of all runs; in a filtered batch only the first one holds it. */
  readonly statement?: string;
}

export function partitionOf(id: number, partitions: number): number {
  return keyHash(STATES, [id]) % partitions;
}

/** A stored batch, or, with `only`, what a filter leaves of one. */
export function encodeStates(
  transactions: readonly StatesTransaction[],
  { firstScn, count, open = false, only, statement = '' }: EncodeOptions,
): Buffer {
  const pieces: Buffer[] = [];
  const shape = plainRowBatch(inserts([{ id: 0, state: 0 }])).shape;
  pieces.push(shapeEntry(shape));
  let told = false;
  const end = (run: readonly StateChange[]): void => {
    if (run.length === 0) return;
    pieces.push(...runEntry(run, firstScn, told && only !== undefined && statement !== '' ? null : statement));
    told = true;
  };
  for (const { committedAtUs, changes, continues = false, schemaScn } of transactions) {
    pieces.push(transactionEntry(committedAtUs, continues));
    if (schemaScn !== undefined) pieces.push(schemaEntry(schemaScn - firstScn));
    let run: StateChange[] = [];
    for (const change of changes) {
      if (only !== undefined && !only(change)) {
        end(run);
        run = [];
      } else run.push(change);
    }
    end(run);
  }
  const body = Buffer.concat(pieces);
  const position = Buffer.from(`after-${firstScn + count - 1}`);
  const bodyStart = headBytes(position.length, 1);
  const bytes = Buffer.alloc(bodyStart + body.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const times = transactions.map(({ committedAtUs }) => committedAtUs);
  const flags =
    (transactions[0]?.continues === true ? FLAG.continues : 0) |
    (open ? FLAG.open : 0) |
    (only === undefined ? 0 : FLAG.filtered);
  writeBatchHead(bytes, view, {
    start: 0,
    head: {
      flags,
      firstScn,
      count,
      transactions: transactions.length - (open ? 1 : 0),
      firstCommitUs: times[0] ?? 0,
      maxCommitUs: Math.max(0, ...times),
      bodyBytes: body.length,
      sourceBytes: 0,
      position,
      shapes: [shape.fingerprint],
    },
  });
  body.copy(bytes, bodyStart);
  sealBatch(bytes, view, { start: 0, end: bytes.length });
  return bytes;
}

function inserts(rows: readonly { readonly id: number; readonly state: number }[]): PlainRows {
  return { table: STATES, kind: 'insert', rows: rows.map(({ id, state }) => ({ id, state })) };
}

function transactionEntry(committedAtUs: number, continues: boolean): Buffer {
  const entry = Buffer.alloc(TRANSACTION_BYTES);
  entry.writeUInt8(ENTRY.transaction, 0);
  entry.writeUInt8(continues ? 1 : 0, 1);
  entry.writeBigInt64LE(BigInt(committedAtUs), 8);
  return entry;
}

/** @param statement null: that of the run before */
function runEntry(run: readonly StateChange[], firstScn: number, statement: string | null): Buffer[] {
  const [first] = run;
  if (first === undefined) return [];
  const target = new FlatTarget();
  plainRowBatch(inserts(run)).writeTo(target);
  const rows = target.bytes.subarray(0, target.at);
  const head = Buffer.alloc(RUN_BYTES);
  head.writeUInt8(ENTRY.rows, 0);
  head.writeUInt8(ROW_OP.insert, 1);
  head.writeUInt16LE(0, 2);
  head.writeUInt32LE(first.scn - firstScn, 4);
  head.writeUInt32LE(run.length, 8);
  head.writeUInt32LE(rows.length, 12);
  const text = Buffer.from(statement ?? '');
  head.writeUInt32LE(statement === null ? SAME_STATEMENT : text.length, 16);
  return [head, text, rows];
}

function schemaEntry(offset: number): Buffer {
  const texts = [STATES.database, STATES.name, 'ALTER TABLE states ENGINE=InnoDB'] as const;
  const head = Buffer.alloc(STATEMENT_ENTRY_BYTES);
  head.writeUInt8(ENTRY.schema, 0);
  head.writeUInt8(1, 1);
  head.writeUInt16LE(texts[0].length, 2);
  head.writeUInt32LE(offset, 4);
  head.writeUInt16LE(texts[1].length, 8);
  head.writeUInt32LE(texts[2].length, 12);
  return Buffer.concat([head, Buffer.from(texts.join(''))]);
}

function shapeEntry({ text }: RowShape): Buffer {
  const bytes = Buffer.from(text);
  const head = Buffer.alloc(SHAPE_ENTRY_BYTES);
  head.writeUInt8(ENTRY.shape, 0);
  head.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([head, bytes]);
}

/** Rows into one buffer, large enough for a few thousand of them. */
class FlatTarget implements RowTarget {
  bytes: Buffer = Buffer.allocUnsafe(64 * 1024);
  view: DataView = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  at = 0;
  end: number = this.bytes.length;
  rows = 0;

  room(): void {}

  grow(offset: number): number {
    return offset;
  }
}
