import { zstdCompressSync } from 'node:zlib';
import type { RowBatch } from '../../src/core/source.ts';
import { sealBatch, writeBatchHead } from '../../src/formats/log/batch-builder.ts';
import { ENTRY, FLAG } from '../../src/formats/log/batch-layout.ts';
import { writeLong } from '../../src/formats/log/batch-header.ts';
import { GrowingRowTarget, viewOf } from './row-target.ts';

/** What a batch of a log is to hold. */
export interface BatchSketch {
  readonly firstScn: number;
  readonly transactions: readonly TransactionSketch[];
  /** Of FLAG; zstd is seen to. */
  readonly flags?: number;
  readonly position?: string;
}

export interface TransactionSketch {
  readonly id: string;
  readonly beganEarlier?: boolean;
  readonly entries: readonly EntrySketch[];
}

export type EntrySketch =
  | { readonly type: 'rows'; readonly batch: RowBatch; readonly snapshot?: boolean }
  | {
      readonly type: 'schema' | 'truncate';
      readonly database: string;
      readonly table: string | null;
      readonly sql: string;
    };

const OPS = { insert: 0, update: 1, delete: 2, upsert: 3 } as const;

/** The batch as the log stores it, and how many SCNs it covers. */
export function storedBatch({ firstScn, transactions, flags = 0, position = 'p' }: BatchSketch): {
  bytes: Buffer;
  count: number;
} {
  const shapes: string[] = [];
  const pieces: Buffer[] = [];
  let count = 0;
  for (const { id, beganEarlier = false, entries } of transactions) {
    const head = Buffer.alloc(16);
    head[0] = ENTRY.transaction;
    head[1] = beganEarlier ? 1 : 0;
    head.writeUInt16LE(Buffer.byteLength(id), 2);
    head.writeUInt32LE(7, 4);
    writeLong(viewOf(head), 8, 1_700_000_000_000_000);
    pieces.push(head, Buffer.from(id));
    for (const entry of entries) {
      if (entry.type !== 'rows') {
        pieces.push(statementEntry(entry, count));
        count += 1;
        continue;
      }
      const { batch, snapshot = false } = entry;
      if (!shapes.includes(batch.shape.fingerprint)) {
        const text = Buffer.from(batch.shape.text);
        const shape = Buffer.alloc(8);
        shape[0] = ENTRY.shape;
        shape.writeUInt32LE(text.length, 4);
        pieces.push(shape, text);
        shapes.push(batch.shape.fingerprint);
      }
      const target = new GrowingRowTarget();
      batch.writeTo(target);
      const rows = target.written();
      const statement = Buffer.from(batch.statement ?? '');
      const run = Buffer.alloc(20);
      run[0] = ENTRY.rows;
      run[1] = OPS[batch.kind] | (snapshot ? 4 : 0);
      run.writeUInt16LE(shapes.indexOf(batch.shape.fingerprint), 2);
      run.writeUInt32LE(count, 4);
      run.writeUInt32LE(target.rows, 8);
      run.writeUInt32LE(rows.length, 12);
      run.writeUInt32LE(statement.length, 16);
      pieces.push(run, statement, rows);
      count += target.rows;
    }
  }
  const plain = Buffer.concat(pieces);
  const body = (flags & FLAG.zstd) === 0 ? plain : zstdCompressSync(plain);
  const bytes = Buffer.alloc(64 + Buffer.byteLength(position) + shapes.length * 8 + body.length);
  const view = viewOf(bytes);
  const bodyStart = writeBatchHead(bytes, view, {
    start: 0,
    head: {
      flags,
      firstScn,
      count,
      transactions: transactions.length - ((flags & FLAG.open) === 0 ? 0 : 1),
      firstCommitUs: 1_700_000_000_000_000,
      maxCommitUs: 1_700_000_000_000_000,
      bodyBytes: plain.length,
      sourceBytes: 99,
      position: Buffer.from(position),
      shapes,
    },
  });
  body.copy(bytes, bodyStart);
  sealBatch(bytes, view, { start: 0, end: bytes.length });
  return { bytes, count };
}

function statementEntry(
  { type, database, table, sql }: Exclude<EntrySketch, { type: 'rows' }>,
  scnOffset: number,
): Buffer {
  const entry = Buffer.alloc(16);
  entry[0] = type === 'schema' ? ENTRY.schema : ENTRY.truncate;
  entry[1] = table === null ? 0 : 1;
  entry.writeUInt16LE(Buffer.byteLength(database), 2);
  entry.writeUInt32LE(scnOffset, 4);
  entry.writeUInt16LE(Buffer.byteLength(table ?? ''), 8);
  entry.writeUInt32LE(Buffer.byteLength(sql), 12);
  return Buffer.concat([entry, Buffer.from(`${database}${table ?? ''}${sql}`)]);
}
