import type { TransactionPart } from '../../src/core/source.ts';
import type { RowShape } from '../../src/core/rows/row-shape.ts';
import type { RowTarget } from '../../src/core/rows/row-target.ts';
import { sealBatch, writeBatchHead } from '../../src/formats/log/batch-builder.ts';
import { writeLong } from '../../src/formats/log/batch-header.ts';
import {
  ENTRY,
  FLAG,
  ROW_OP,
  RUN_BYTES,
  SHAPE_ENTRY_BYTES,
  STATEMENT_ENTRY_BYTES,
  TRANSACTION_BYTES,
} from '../../src/formats/log/batch-layout.ts';

export interface BatchOptions {
  readonly firstScn: number;
  readonly position?: string;
  /** ROW_OP flags of all runs. */
  readonly rowFlags?: number;
}

export interface BuiltBatch {
  readonly bytes: Buffer;
  readonly count: number;
  readonly shapes: readonly RowShape[];
}

/** A stored batch of some transactions, with the shapes that it uses in it. For tests: the log writes its own. */
export function buildBatch(
  parts: readonly TransactionPart[],
  { firstScn, position = 'mysql-bin.000003:484', rowFlags = 0 }: BatchOptions,
): BuiltBatch {
  const shapes: RowShape[] = [];
  const body: Buffer[] = [];
  let count = 0;
  for (const part of parts) {
    body.push(transactionEntry(part));
    for (const entry of part.entries) {
      if (entry.type !== 'rows') {
        body.push(statementEntry(entry, count));
        count++;
        continue;
      }
      let index = shapes.findIndex(({ fingerprint }) => fingerprint === entry.shape.fingerprint);
      if (index < 0) {
        index = shapes.push(entry.shape) - 1;
        body.push(shapeEntry(entry.shape));
      }
      const target = new RowCollector();
      entry.writeTo(target);
      const rows = target.bytes.subarray(0, target.at);
      const statement = Buffer.from(entry.statement ?? '');
      const head = Buffer.alloc(RUN_BYTES);
      head.writeUInt8(ENTRY.rows, 0);
      head.writeUInt8(ROW_OP[entry.kind] | rowFlags, 1);
      head.writeUInt16LE(index, 2);
      head.writeUInt32LE(count, 4);
      head.writeUInt32LE(target.rows, 8);
      head.writeUInt32LE(rows.length, 12);
      head.writeUInt32LE(statement.length, 16);
      body.push(head, statement, rows);
      count += target.rows;
    }
  }
  const bodyBytes = Buffer.concat(body);
  const text = Buffer.from(position);
  const bytes = Buffer.alloc(64 + text.length + shapes.length * 8 + bodyBytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const ends = parts.filter(({ end }) => end !== null);
  const flags = (parts[0]?.begins === false ? FLAG.continues : 0) | (parts.at(-1)?.end === null ? FLAG.open : 0);
  const at = writeBatchHead(bytes, view, {
    start: 0,
    head: {
      flags,
      firstScn,
      count,
      transactions: ends.length,
      firstCommitUs: parts[0]?.transaction.committedAtUs ?? 0,
      maxCommitUs: Math.max(0, ...parts.map(({ transaction }) => transaction.committedAtUs)),
      bodyBytes: bodyBytes.length,
      sourceBytes: 100,
      position: text,
      shapes: shapes.map(({ fingerprint }) => fingerprint),
    },
  });
  bodyBytes.copy(bytes, at);
  sealBatch(bytes, view, { start: 0, end: bytes.length });
  return { bytes, count, shapes };
}

function transactionEntry({ transaction, begins }: TransactionPart): Buffer {
  const id = Buffer.from(transaction.id ?? '');
  const entry = Buffer.alloc(TRANSACTION_BYTES + id.length);
  entry.writeUInt8(ENTRY.transaction, 0);
  entry.writeUInt8(begins ? 0 : 1, 1);
  entry.writeUInt16LE(id.length, 2);
  entry.writeUInt32LE(transaction.serverId, 4);
  writeLong(new DataView(entry.buffer, entry.byteOffset, entry.length), 8, transaction.committedAtUs);
  id.copy(entry, TRANSACTION_BYTES);
  return entry;
}

function statementEntry(
  { type, database, table, sql }: { type: 'schema' | 'truncate'; database: string; table: string | null; sql: string },
  offset: number,
): Buffer {
  const texts = [database, table ?? '', sql].map((text) => Buffer.from(text));
  const [db, name, statement] = texts.map(({ length }) => length);
  const entry = Buffer.alloc(STATEMENT_ENTRY_BYTES);
  entry.writeUInt8(type === 'schema' ? ENTRY.schema : ENTRY.truncate, 0);
  entry.writeUInt8(table === null ? 0 : 1, 1);
  entry.writeUInt16LE(db ?? 0, 2);
  entry.writeUInt32LE(offset, 4);
  entry.writeUInt16LE(name ?? 0, 8);
  entry.writeUInt32LE(statement ?? 0, 12);
  return Buffer.concat([entry, ...texts]);
}

function shapeEntry({ text }: RowShape): Buffer {
  const json = Buffer.from(text);
  const entry = Buffer.alloc(SHAPE_ENTRY_BYTES);
  entry.writeUInt8(ENTRY.shape, 0);
  entry.writeUInt32LE(json.length, 4);
  return Buffer.concat([entry, json]);
}

/** Collects rows in one buffer that grows. */
class RowCollector implements RowTarget {
  bytes: Buffer = Buffer.alloc(4096);
  view: DataView = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  at = 0;
  end: number = this.bytes.length;
  rows = 0;

  room(size: number): void {
    this.grow(this.at, size);
  }

  grow(offset: number, size: number): number {
    if (size <= this.end - offset) return offset;
    const bytes = Buffer.alloc(Math.max(this.end * 2, offset + size));
    this.bytes.copy(bytes);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.end = bytes.length;
    return offset;
  }
}
