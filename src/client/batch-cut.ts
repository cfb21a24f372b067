import { ROW_HEADER_BYTES } from '../core/rows/row-target.ts';
import { damagedBatch } from '../formats/log/batch-header.ts';
import {
  ENTRY,
  FLAG,
  HEADER,
  RUN_BYTES,
  SAME_STATEMENT,
  SHAPE_ENTRY_BYTES,
  STATEMENT_ENTRY_BYTES,
  TRANSACTION_BYTES,
} from '../formats/log/batch-layout.ts';
import { rowEnd } from '../formats/log/log-row-batch.ts';
import { openStoredBatch, type StoredBatch } from '../formats/log/stored-batch.ts';

export interface BatchCutOptions {
  /** Whether the row with this partition hash and SCN stays. */
  readonly row: (hash: number, scn: number) => boolean;
  /** Whether the schema change or truncation with this SCN stays. */
  readonly statement: (scn: number) => boolean;
}

/**
 * The batch at `start` without some of its changes, as bytes of its own: what is left when a reading begins inside a batch, or when
 * some of a batch's partitions went to another member before anybody saw them. For the rare case only: it copies everything.
 *
 * @returns null when nothing is left
 * @throws TidingsError LOG_DAMAGED
 */
export function cutBatch(
  source: { readonly bytes: Buffer; readonly view: DataView; readonly start: number },
  options: BatchCutOptions,
): Buffer | null {
  const batch = openStoredBatch(source.bytes, source.view, source.start);
  const body = new BodyCut(batch, options);
  body.run();
  if (body.left === 0) return null;
  const head = Buffer.from(batch.bytes.subarray(batch.start, batch.shapesTo));
  const cut = Buffer.concat([head, ...body.pieces]);
  cut.writeUInt8((batch.flags | FLAG.filtered) & ~FLAG.zstd, HEADER.flags);
  cut.writeUInt32LE(cut.length, HEADER.length);
  cut.writeUInt32LE(cut.length - head.length, HEADER.bodyBytes);
  return cut;
}

/** Copies the entries of a body that stay. */
class BodyCut {
  readonly pieces: Buffer[] = [];
  /** Changes kept. */
  left = 0;
  readonly #batch: StoredBatch;
  readonly #options: BatchCutOptions;
  /** The transaction whose first change is still to come. */
  #transaction: Buffer | null = null;
  /** The text of the run at hand, and of the last one that was kept. */
  #statement: Buffer | null = null;
  #told: Buffer | null = null;

  constructor(batch: StoredBatch, options: BatchCutOptions) {
    this.#batch = batch;
    this.#options = options;
  }

  run(): void {
    const { bodyFrom, bodyTo } = this.#batch;
    for (let at = bodyFrom; at < bodyTo;) at = this.#entry(at);
  }

  /** Behind the entry at `at`. */
  #entry(at: number): number {
    const { body, bodyView: view, firstScn } = this.#batch;
    switch (body[at]) {
      case ENTRY.transaction: {
        const end = at + TRANSACTION_BYTES + view.getUint16(at + 2, true);
        this.#transaction = body.subarray(at, end);
        return end;
      }
      case ENTRY.rows:
        return this.#rows(at);
      case ENTRY.shape: {
        const end = at + SHAPE_ENTRY_BYTES + view.getUint32(at + 4, true);
        this.pieces.push(body.subarray(at, end));
        return end;
      }
      case ENTRY.schema:
      case ENTRY.truncate: {
        const names = view.getUint16(at + 2, true) + view.getUint16(at + 8, true);
        const end = at + STATEMENT_ENTRY_BYTES + names + view.getUint32(at + 12, true);
        if (this.#options.statement(firstScn + view.getUint32(at + 4, true))) this.#keep(body.subarray(at, end));
        return end;
      }
      default:
        throw damagedBatch('it has an entry of an unknown kind', { start: at, firstScn });
    }
  }

  /** The rows of a run have consecutive SCNs: what is left is a run for each stretch of rows that stay. */
  #rows(at: number): number {
    const { body, bodyView: view, firstScn } = this.#batch;
    const statementBytes = view.getUint32(at + 16, true);
    const rowsAt = at + RUN_BYTES + (statementBytes === SAME_STATEMENT ? 0 : statementBytes);
    const end = rowsAt + view.getUint32(at + 12, true);
    // The run that it has its text from may not stay.
    if (statementBytes !== SAME_STATEMENT) this.#statement = body.subarray(at + RUN_BYTES, rowsAt);
    const scn = firstScn + view.getUint32(at + 4, true);
    let stretchAt = rowsAt;
    let stretchRows = 0;
    let index = 0;
    for (let p = rowsAt; p < end; index++) {
      const next = end - p < ROW_HEADER_BYTES ? Number.POSITIVE_INFINITY : rowEnd(view, p);
      if (next > end) throw damagedBatch('a run ends inside a row', { start: at, firstScn });
      if (this.#options.row(view.getUint32(p + 4, true), scn + index)) {
        if (stretchRows++ === 0) stretchAt = p;
      } else {
        this.#stretch(at, { from: stretchAt, to: p, first: index - stretchRows, rows: stretchRows });
        stretchRows = 0;
      }
      p = next;
    }
    this.#stretch(at, { from: stretchAt, to: end, first: index - stretchRows, rows: stretchRows });
    return end;
  }

  #stretch(
    runAt: number,
    {
      from,
      to,
      first,
      rows,
    }: { readonly from: number; readonly to: number; readonly first: number; readonly rows: number },
  ): void {
    if (rows === 0) return;
    const { body, bodyView: view } = this.#batch;
    const statement = this.#statement ?? NOTHING;
    const isTold = statement === this.#told && statement.length > 0;
    const head = Buffer.from(body.subarray(runAt, runAt + RUN_BYTES));
    head.writeUInt32LE(view.getUint32(runAt + 4, true) + first, 4);
    head.writeUInt32LE(rows, 8);
    head.writeUInt32LE(to - from, 12);
    head.writeUInt32LE(isTold ? SAME_STATEMENT : statement.length, 16);
    this.#told = statement;
    this.#keep(head, isTold ? NOTHING : statement, body.subarray(from, to));
  }

  #keep(...pieces: Buffer[]): void {
    if (this.#transaction !== null) this.pieces.push(this.#transaction);
    this.#transaction = null;
    this.pieces.push(...pieces);
    this.left++;
  }
}

const NOTHING: Buffer = Buffer.alloc(0);
