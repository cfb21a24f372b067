import { zstdCompressSync } from 'node:zlib';
import type { SchemaChange, Truncation } from '../../src/core/change.ts';
import type { RowShape } from '../../src/core/rows/row-shape.ts';
import type { Entry, RowBatch, TransactionPart } from '../../src/core/source.ts';
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

/** What a batch is to hold, for tests of whatever reads batches: written field by field, without the log. */
export interface BatchSketch {
  readonly firstScn: number;
  /** @default 'p' */
  readonly position?: string;
  /** Bytes of the source's log that it covers. @default 100 */
  readonly sourceBytes?: number;
  readonly transactions: readonly TransactionSketch[];
  /** See FLAG; zstd compresses the body. @default 0 */
  readonly flags?: number;
  /** Whether the shapes are described in the batch. @default true */
  readonly describeShapes?: boolean;
}

export interface TransactionSketch {
  /** @default null */
  readonly id?: string | null;
  readonly committedAtUs?: number;
  readonly serverId?: number;
  /** It began in an earlier batch. @default false */
  readonly continued?: boolean;
  readonly entries: readonly Entry[];
  /** Further bits of its rows' op: see ROW_OP. @default 0 */
  readonly op?: number;
}

export interface StoredBatch {
  readonly bytes: Buffer;
  /** SCNs that it covers. */
  readonly count: number;
  readonly shapes: readonly RowShape[];
}

const COMMITTED_AT_US = 1_700_000_000_000_000;

/** The batch as the log stores it. */
export function storedBatch(sketch: BatchSketch): StoredBatch {
  const { firstScn, position = 'p', sourceBytes = 100, transactions, flags = 0, describeShapes = true } = sketch;
  const body: Buffer[] = [];
  const shapes: RowShape[] = [];
  let count = 0;
  for (const transaction of transactions) {
    body.push(transactionEntry(transaction));
    for (const entry of transaction.entries) {
      if (entry.type !== 'rows') {
        body.push(statementEntry(entry, count));
        count++;
        continue;
      }
      let index = shapes.findIndex(({ fingerprint }) => fingerprint === entry.shape.fingerprint);
      if (index < 0) {
        index = shapes.push(entry.shape) - 1;
        if (describeShapes) body.push(shapeEntry(entry.shape));
      }
      const { bytes, rows } = runEntry(entry, { shape: index, offset: count, op: transaction.op ?? 0 });
      body.push(bytes);
      count += rows;
    }
  }
  const times = transactions.map(({ committedAtUs = COMMITTED_AT_US }) => committedAtUs);
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
    sourceBytes,
    position: Buffer.from(position),
    shapes: shapes.map(({ fingerprint }) => fingerprint),
  };
  const bytes = Buffer.alloc(headBytes(head.position.length, shapes.length) + stored.length);
  stored.copy(bytes, writeBatchHead(bytes, viewOf(bytes), { start: 0, head }));
  sealBatch(bytes, viewOf(bytes), { start: 0, end: bytes.length });
  return { bytes, count, shapes };
}

export interface StoredPartsOptions {
  readonly firstScn: number;
  /** @default 'mysql-bin.000003:484' */
  readonly position?: string;
  /** Further bits of all rows' op: see ROW_OP. @default 0 */
  readonly op?: number;
}

/** What a source hands over, as the log stores it. */
export function storedParts(
  parts: readonly TransactionPart[],
  { firstScn, position = 'mysql-bin.000003:484', op = 0 }: StoredPartsOptions,
): StoredBatch {
  return storedBatch({
    firstScn,
    position,
    transactions: parts.map(({ transaction: { id, committedAtUs, serverId }, begins, entries }) => {
      return { id, committedAtUs, serverId, continued: !begins, entries, op };
    }),
    flags: (parts[0]?.begins === false ? FLAG.continues : 0) | (parts.at(-1)?.end === null ? FLAG.open : 0),
  });
}

function transactionEntry(transaction: TransactionSketch): Buffer {
  const { id = null, committedAtUs = COMMITTED_AT_US, serverId = 1, continued = false } = transaction;
  const text = Buffer.from(id ?? '');
  const entry = Buffer.alloc(TRANSACTION_BYTES);
  entry.writeUInt8(ENTRY.transaction, 0);
  entry.writeUInt8(continued ? 1 : 0, 1);
  entry.writeUInt16LE(text.length, 2);
  entry.writeUInt32LE(serverId, 4);
  writeLong(viewOf(entry), 8, committedAtUs);
  return Buffer.concat([entry, text]);
}

function shapeEntry({ text }: RowShape): Buffer {
  const entry = Buffer.alloc(SHAPE_ENTRY_BYTES);
  entry.writeUInt8(ENTRY.shape, 0);
  entry.writeUInt32LE(Buffer.byteLength(text), 4);
  return Buffer.concat([entry, Buffer.from(text)]);
}

function runEntry(
  batch: RowBatch,
  { shape, offset, op }: { readonly shape: number; readonly offset: number; readonly op: number },
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
