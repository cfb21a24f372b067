import { TidingsError } from '../../core/errors.ts';
import { KEY_MOVED, MOVED_ROW_HEADER_BYTES, ROW_HEADER_BYTES } from '../../core/rows/row-target.ts';
import { ENTRY, FLAG, HEADER, HEADER_BYTES, ROW_OP, RUN_BYTES, SAME_STATEMENT } from './batch-layout.ts';
import { encodeControl } from './control-frame.ts';
import { copyBytes } from './copy-bytes.ts';
import type { FilterOutput } from './filter-output.ts';
import { projectionRuntime } from './row-projection.ts';
import type { OutputShape, ShapeList } from './shape-plan.ts';
import type { StoredBatch } from './stored-batch.ts';

/** The fields of a stored rows entry. One object, used again for every entry. */
export interface StoredRun {
  op: number;
  scnOffset: number;
  count: number;
  statementFrom: number;
  statementBytes: number;
  rowsFrom: number;
  rowsTo: number;
  /** Its statement stands already in the batch that is written, with the entry written last. */
  told: boolean;
}

/** Some rows of a run that follow each other: bytes `from` to `to` of the stored body. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  /** The first of them, counted within the run. */
  readonly first: number;
  readonly count: number;
}

/** Bit 0 of a transaction entry's flags: it began in an earlier batch. */
const BEGAN_EARLIER = 1;

/** Writes one filtered batch, entry by entry, in the order of the stored one. */
export class FilteredBatch {
  readonly #stored: StoredBatch;
  readonly #output: FilterOutput;
  readonly #list: ShapeList;
  readonly #start: number;
  /** Of the output: where the body begins. */
  #bodyFrom: number;
  /** The transaction entry that is written as soon as something of the transaction is. -1: none. */
  #pendingFrom = -1;
  #pendingTo = -1;
  #transactions = 0;
  readonly #clearBegan: boolean;

  /** @param clearBegan of a transaction that began earlier nothing was written: it begins here for the receiver */
  constructor(
    stored: StoredBatch,
    list: ShapeList,
    { output, clearBegan }: { output: FilterOutput; clearBegan: boolean },
  ) {
    this.#stored = stored;
    this.#list = list;
    this.#output = output;
    this.#clearBegan = clearBegan;
    this.#start = output.at;
    const { bytes, view, start, positionFrom, shapesFrom } = stored;
    const head = shapesFrom - start;
    output.reserve(head + list.outputs.length * 8);
    copyBytes(bytes, view, start, positionFrom, output.bytes, output.view, output.at);
    bytes.copy(output.bytes, output.at + HEADER_BYTES, positionFrom, shapesFrom);
    let at = output.at + head;
    for (const { fingerprint } of list.outputs) {
      output.bytes.set(fingerprint, at);
      at += 8;
    }
    output.at = at;
    this.#bodyFrom = at;
  }

  get isEmpty(): boolean {
    return this.#output.at === this.#bodyFrom;
  }

  /** A transaction begins: bytes `from` to `to` of the stored body are its entry. */
  transaction(from: number, to: number): void {
    this.#pendingFrom = from;
    this.#pendingTo = to;
  }

  /** An entry as it is. */
  entry(from: number, to: number): void {
    this.#writeTransaction();
    this.#copy(from, to);
  }

  /** All rows of a run, as they are. */
  wholeRun(entryFrom: number, run: StoredRun, output: OutputShape): void {
    this.#writeTransaction();
    const at = this.#output.at;
    this.#copy(entryFrom, run.rowsTo);
    this.#output.view.setUint16(at + 2, this.#list.indexOf(output), true);
  }

  /** Rows of a run that follow each other, with the shape they get. */
  rows(run: StoredRun, output: OutputShape, { from, to, first, count }: Stretch): void {
    this.#writeTransaction();
    const at = this.#runHeader(run, output, { op: run.op, first, count, rowBytes: to - from });
    const target = this.#output;
    if (output.project === null) {
      const { body, bodyView } = this.#stored;
      target.at = copyBytes(body, bodyView, from, to, target.bytes, target.view, target.at);
      return;
    }
    const rowsFrom = target.at;
    this.#projectRows(output, from, to);
    target.view.setUint32(at + 12, target.at - rowsFrom, true);
  }

  /** One half of an update that moved the key, as a run of its own: bytes `from` to `to` of the stored body are the row's images. */
  half(
    run: StoredRun,
    output: OutputShape,
    { from, to, hash, first, kind }: { from: number; to: number; hash: number; first: number; kind: 'from' | 'to' },
  ): void {
    this.#writeTransaction();
    this.#includeShape(output);
    const change = kind === 'from' ? ROW_OP.delete | ROW_OP.movedFrom : ROW_OP.insert | ROW_OP.movedTo;
    const op = change | (run.op & ROW_OP.snapshot);
    const size = ROW_HEADER_BYTES + to - from;
    const at = this.#runHeader(run, output, { op, first, count: 1, rowBytes: size });
    const target = this.#output;
    const row = target.at;
    target.view.setUint32(row + 4, hash, true);
    const { body, bodyView } = this.#stored;
    const project = output.project ?? copyBytes;
    target.at = project(body, bodyView, from, to, target.bytes, target.view, row + ROW_HEADER_BYTES);
    target.view.setUint32(row, target.at - row - ROW_HEADER_BYTES, true);
    target.view.setUint32(at + 12, target.at - row, true);
  }

  /** The transaction's entry, also when nothing of it is in the batch: the receiver must learn where it ends. */
  writeTransaction(): void {
    this.#writeTransaction();
  }

  /** Undoes everything: there is nothing in the batch. */
  discard(): void {
    this.#output.at = this.#start;
  }

  /** @param told fingerprints of the shapes that the receiver knows; the others go before the batch in a control frame. Null: it is told otherwise */
  finish(told: Set<string> | null): void {
    const { view, bytes, at } = this.#output;
    const start = this.#start;
    let flags = (this.#stored.flags & ~FLAG.zstd) | FLAG.filtered;
    if (this.#clearBegan) flags &= ~FLAG.continues;
    bytes[start + HEADER.flags] = flags;
    view.setUint16(start + HEADER.bodyStart, this.#bodyFrom - start, true);
    view.setUint32(start + HEADER.length, at - start, true);
    view.setUint32(start + HEADER.crc, 0, true);
    view.setUint32(start + HEADER.unsynced, 0, true);
    view.setUint32(start + HEADER.transactions, this.#transactions - ((flags & FLAG.open) === 0 ? 0 : 1), true);
    view.setUint32(start + HEADER.bodyBytes, at - this.#bodyFrom, true);
    view.setUint16(start + HEADER.shapeCount, this.#list.outputs.length, true);
    if (told !== null) this.#tell(told);
  }

  #tell(told: Set<string>): void {
    const untold = this.#list.outputs.filter(({ shape }) => !told.has(shape.fingerprint));
    if (untold.length === 0) return;
    if (told.size > TOLD_MAX) told.clear();
    for (const { shape } of untold) told.add(shape.fingerprint);
    const frame = encodeControl({ kind: 'shapes', shapes: untold.map(({ shape }) => shape.text) });
    this.#insert(this.#start, frame);
  }

  #insert(at: number, bytes: Buffer): void {
    const output = this.#output;
    output.reserve(bytes.length);
    output.bytes.copyWithin(at + bytes.length, at, output.at);
    output.bytes.set(bytes, at);
    output.at += bytes.length;
  }

  /** The shapes of halves are put into the list when the first key moves; the bytes written so far make way. */
  #includeShape(output: OutputShape): void {
    const known = this.#list.outputs.length;
    this.#list.indexOf(output);
    if (this.#list.outputs.length === known) return;
    this.#insert(this.#bodyFrom, output.fingerprint);
    this.#bodyFrom += 8;
    if (this.#bodyFrom - this.#start > HEAD_BYTES_MAX) {
      throw new TidingsError('LOG_DAMAGED', 'a batch changes more tables than its filtered form can name', {
        hint: 'Report it: keys of thousands of tables moved in one batch. Reading without partitions or a group passes it.',
      });
    }
  }

  #writeTransaction(): void {
    if (this.#pendingFrom < 0) return;
    const at = this.#output.at;
    this.#copy(this.#pendingFrom, this.#pendingTo);
    if (this.#clearBegan) this.#output.bytes[at + 1] = (this.#output.bytes[at + 1] as number) & ~BEGAN_EARLIER;
    this.#pendingFrom = -1;
    this.#transactions += 1;
  }

  #copy(from: number, to: number): void {
    const output = this.#output;
    output.reserve(to - from);
    const { body, bodyView } = this.#stored;
    output.at = copyBytes(body, bodyView, from, to, output.bytes, output.view, output.at);
  }

  /** Makes room for the rows, too. Returns where the entry begins. */
  #runHeader(
    run: StoredRun,
    shape: OutputShape,
    { op, first, count, rowBytes }: { op: number; first: number; count: number; rowBytes: number },
  ): number {
    const output = this.#output;
    const statementBytes = run.told ? 0 : run.statementBytes;
    output.reserve(RUN_BYTES + statementBytes + rowBytes);
    const { at, bytes, view } = output;
    bytes[at] = ENTRY.rows;
    bytes[at + 1] = op;
    view.setUint16(at + 2, this.#list.indexOf(shape), true);
    view.setUint32(at + 4, run.scnOffset + first, true);
    view.setUint32(at + 8, count, true);
    view.setUint32(at + 12, rowBytes, true);
    output.at = at + RUN_BYTES;
    if (run.statementBytes === 0) view.setUint32(at + 16, 0, true);
    else if (run.told) view.setUint32(at + 16, SAME_STATEMENT, true);
    else {
      view.setUint32(at + 16, statementBytes, true);
      this.#stored.body.copy(bytes, output.at, run.statementFrom, run.statementFrom + statementBytes);
      output.at += statementBytes;
      run.told = true;
    }
    return at;
  }

  /** A projected row is never larger than it was: the room is there. */
  #projectRows({ project }: OutputShape, from: number, to: number): void {
    if (project === null) return;
    const { body, bodyView } = this.#stored;
    const output = this.#output;
    const { bytes, view } = output;
    let p = from;
    let q = output.at;
    while (p < to) {
      const length = bodyView.getInt32(p, true);
      const header = length < 0 ? MOVED_ROW_HEADER_BYTES : ROW_HEADER_BYTES;
      const end = p + header + (length & 0x7fff_ffff);
      const images = q + header;
      const projected = project(body, bodyView, p + header, end, bytes, view, images);
      view.setUint32(q, (projected - images) | (length < 0 ? KEY_MOVED : 0), true);
      view.setInt32(q + 4, bodyView.getInt32(p + 4, true), true);
      if (length < 0) {
        view.setInt32(q + 8, bodyView.getInt32(p + 8, true), true);
        view.setUint32(q + 12, projectionRuntime.beforeEnd - images, true);
      }
      p = end;
      q = projected;
    }
    output.at = q;
  }
}

/** What a header can say of the bytes before the body. */
const HEAD_BYTES_MAX = 0xffff;

/** The receiver is told again when it was told of more. */
const TOLD_MAX = 65_536;
