import { zstdCompressSync } from 'node:zlib';
import type { SchemaChange, Truncation } from '../../src/core/change.ts';
import type { RowBatch } from '../../src/core/source.ts';
import { headBytes, sealBatch, writeBatchHead } from '../../src/formats/log/batch-builder.ts';
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
import { GrowingRowTarget, viewOf } from './row-target.ts';

/** What a batch is to hold, for tests that read batches: written field by field, without the log. */
export interface BatchSketch {
  readonly firstScn: number;
  readonly position: string;
  readonly transactions: readonly TransactionSketch[];
  /** See FLAG; zstd compresses the body. @default 0 */
  readonly flags?: number;
  /** Whether the shapes are described in the batch. @default true */
  readonly describeShapes?: boolean;
}

export interface TransactionSketch {
  readonly id?: string | null;
  readonly committedAtUs?: number;
  readonly serverId?: number;
  /** It began in an earlier batch. @default false */
  readonly continued?: boolean;
  readonly entries: readonly (RowBatch | SchemaChange | Truncation)[];
  /** Further bits of the rows' op: see ROW_OP. */
  readonly op?: number;
}

export function logBatch({ firstScn, position, transactions, flags = 0, describeShapes = true }: BatchSketch): Buffer {
  const body: Buffer[] = [];
  const shapes: string[] = [];
  let count = 0;
  for (const transaction of transactions) {
    body.push(transactionEntry(transaction));
    for (const entry of transaction.entries) {
      if (entry.type !== 'rows') {
        body.push(statementEntry(entry, count));
        count++;
        continue;
      }
      const { text, fingerprint } = entry.shape;
      if (!shapes.includes(fingerprint)) {
        shapes.push(fingerprint);
        if (describeShapes) body.push(shapeEntry(text));
      }
      const { bytes, rows } = runEntry(entry, {
        shape: shapes.indexOf(fingerprint),
        offset: count,
        op: transaction.op,
      });
      body.push(bytes);
      count += rows;
    }
  }
  const times = transactions.map(({ committedAtUs = 0 }) => committedAtUs);
  const plain = Buffer.concat(body);
  const stored = (flags & FLAG.zstd) === 0 ? plain : zstdCompressSync(plain);
  const head = {
    flags,
    firstScn,
    count,
    transactions: transactions.length - ((flags & FLAG.open) === 0 ? 0 : 1),
    firstCommitUs: times[0] ?? 0,
    maxCommitUs: Math.max(0, ...times),
    bodyBytes: plain.length,
    sourceBytes: 1234,
    position: Buffer.from(position),
    shapes,
  };
  const bytes = Buffer.alloc(headBytes(head.position.length, shapes.length) + stored.length);
  stored.copy(bytes, writeBatchHead(bytes, viewOf(bytes), { start: 0, head }));
  sealBatch(bytes, viewOf(bytes), { start: 0, end: bytes.length });
  return bytes;
}

function transactionEntry({
  id = null,
  committedAtUs = 0,
  serverId = 1,
  continued = false,
}: TransactionSketch): Buffer {
  const text = Buffer.from(id ?? '');
  const entry = Buffer.alloc(TRANSACTION_BYTES);
  entry.writeUInt8(ENTRY.transaction, 0);
  entry.writeUInt8(continued ? 1 : 0, 1);
  entry.writeUInt16LE(text.length, 2);
  entry.writeUInt32LE(serverId, 4);
  writeLong(viewOf(entry), 8, committedAtUs);
  return Buffer.concat([entry, text]);
}

function shapeEntry(text: string): Buffer {
  const entry = Buffer.alloc(SHAPE_ENTRY_BYTES);
  entry.writeUInt8(ENTRY.shape, 0);
  entry.writeUInt32LE(Buffer.byteLength(text), 4);
  return Buffer.concat([entry, Buffer.from(text)]);
}

function runEntry(
  batch: RowBatch,
  { shape, offset, op = 0 }: { readonly shape: number; readonly offset: number; readonly op?: number | undefined },
): { readonly bytes: Buffer; readonly rows: number } {
  const target = new GrowingRowTarget();
  batch.writeTo(target);
  const rows = target.written();
  const statement = Buffer.from(batch.statement ?? '');
  const entry = Buffer.alloc(RUN_BYTES);
  entry.writeUInt8(ENTRY.rows, 0);
  entry.writeUInt8(ROW_OP[batch.kind] | op, 1);
  entry.writeUInt16LE(shape, 2);
  entry.writeUInt32LE(offset, 4);
  entry.writeUInt32LE(target.rows, 8);
  entry.writeUInt32LE(rows.length, 12);
  entry.writeUInt32LE(statement.length, 16);
  return { bytes: Buffer.concat([entry, statement, rows]), rows: target.rows };
}

function statementEntry({ type, database, table, sql }: SchemaChange | Truncation, offset: number): Buffer {
  const texts = [database, table ?? '', sql].map((text) => Buffer.from(text));
  const entry = Buffer.alloc(STATEMENT_ENTRY_BYTES);
  entry.writeUInt8(ENTRY[type], 0);
  entry.writeUInt8(table === null ? 0 : 1, 1);
  entry.writeUInt16LE(texts[0]?.length ?? 0, 2);
  entry.writeUInt32LE(offset, 4);
  entry.writeUInt16LE(texts[1]?.length ?? 0, 8);
  entry.writeUInt32LE(texts[2]?.length ?? 0, 12);
  return Buffer.concat([entry, ...texts]);
}
