import type { RowShape } from '../core/rows/row-shape.ts';
import { TidingsError } from '../core/errors.ts';
import { type JsonOutput, jsonRuntime, NoJsonForm, OVERSHOOT } from './json-bytes.ts';
import { LineTails, rowHead, statementHead } from './json.ts';
import { lastLineEntry } from './line-encoder.ts';
import type { LogTransactionPart } from './log/batch-reader.ts';
import { copyBytes } from './log/copy-bytes.ts';
import { jsonRowWriter, type WriteJsonRow } from './log/json-rows.ts';
import { LogRowBatch } from './log/log-row-batch.ts';

export interface RelayLinesOptions {
  /** Lines of JSON, or server-sent events with one line each. */
  readonly framing: 'lines' | 'events';
  /** JSON columns as documents, or as strings that hold their text. */
  readonly json: 'embedded' | 'text';
  /** Into how many slices the stream is shared: lines of rows say theirs. Null: they do not. */
  readonly partitions: number | null;
}

/** A text that is written again and again. */
interface Constant {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** What the rows of one shape, changed in one way, have in common. */
interface RunPlan {
  readonly write: WriteJsonRow;
  /** Of an event: between `id: <scn>` and the line. Of a line: nothing. */
  readonly event: Constant;
  readonly head: Constant;
}

/** So many rows are written before the caller is asked whether to go on. */
const ROWS_AT_ONCE = 32;
const MOVED_HEADER_BYTES = 16;
const HEADER_BYTES = 8;
/** Digits of SCN and partition, and `id: `. */
const NUMBERS_BYTES = 80;

/**
 * The lines of `JsonEncoder` for batches of a log, with what a relay knows beside: `scn`, and where they apply `partition`, `moved` and
 * `snapshot`. They are written as bytes straight from the batch's bytes, which costs a fifth of making strings of them.
 */
export class RelayLines {
  readonly #options: RelayLinesOptions;
  readonly #plans = new WeakMap<RowShape, Map<string, RunPlan>>();
  readonly #digits: CountingDigits = new CountingDigits();
  /** How many more lines are wanted. */
  left: number;
  /** Of the last line that was written. */
  scn = 0;

  constructor(options: RelayLinesOptions, limit: number) {
    this.#options = options;
    this.left = limit;
  }

  /**
   * Writes the lines of some transactions, until none is wanted any more. Yields every few lines, for the caller to send what is written or to
   * let others work; the bytes that the parts lie over must stay as they are.
   *
   * @throws TidingsError LOG_DAMAGED, FORMAT_VALUE
   */
  *write(parts: readonly LogTransactionPart[], output: JsonOutput): Generator<void, void, undefined> {
    for (const part of parts) {
      const tails = new LineTails(part);
      const last = lastLineEntry(part, () => true);
      for (let index = 0; index < part.entries.length; index++) {
        const entry = part.entries[index];
        if (entry === undefined || this.left === 0) return;
        if (entry instanceof LogRowBatch) yield* this.#rows(entry, { tails, isLast: index === last, output });
        else {
          const tail = index === last ? tails.last : tails.inside;
          this.#frame(statementHead(entry) + tail + `,"scn":${entry.scn}}`, { op: entry.type, scn: entry.scn, output });
          this.left--;
        }
      }
      yield;
    }
  }

  #frame(line: string, { op, scn, output }: { op: string; scn: number; output: JsonOutput }): void {
    const text = this.#options.framing === 'lines' ? `${line}\n` : `id: ${scn}\nevent: ${op}\ndata: ${line}\n\n`;
    writeText(text, output);
    this.scn = scn;
  }

  *#rows(
    batch: LogRowBatch,
    { tails, isLast, output }: { tails: LineTails; isLast: boolean; output: JsonOutput },
  ): Generator<void, void, undefined> {
    const { bytes, view, start, end } = batch.extent;
    const { write, event, head } = this.#planOf(batch);
    const { partitions, framing } = this.#options;
    const isEvent = framing === 'events';
    const close = closing(batch, isEvent);
    const inside = batch.count > 1 || !isLast ? constant(`${tails.inside},"scn":`) : NOTHING;
    const final = isLast ? constant(`${tails.last},"scn":`) : inside;
    const fixed = event.bytes.length + head.bytes.length + close.bytes.length + NUMBERS_BYTES + OVERSHOOT;
    const tailBytes = Math.max(inside.bytes.length, final.bytes.length) + fixed;
    const digits = this.#digits;
    digits.set(batch.scn);
    let row = 0;
    let p = start;
    for (; p < end && this.left > 0; row++) {
      if (row > 0 && row % ROWS_AT_ONCE === 0) {
        yield;
      }
      const length = end - p < HEADER_BYTES ? 0x7fff_ffff : view.getInt32(p, true);
      const from = p + (length < 0 ? MOVED_HEADER_BYTES : HEADER_BYTES);
      const rowEnd = from + (length & 0x7fff_ffff);
      output.room(fixed);
      if (isEvent) {
        output.at = put(ID, output);
        output.at = digits.put(output);
        output.at = put(event, output);
      }
      output.at = put(head, output);
      try {
        if (rowEnd > end || row >= batch.count) throw new RangeError('the rows are not those that the run promises');
        write(bytes, view, from, rowEnd, output);
      } catch (error) {
        throw error instanceof NoJsonForm ? noJsonForm(batch) : batch.explained(error);
      }
      output.room(tailBytes);
      output.at = put(row === batch.count - 1 ? final : inside, output);
      output.at = digits.put(output);
      if (partitions !== null) {
        output.at = put(PARTITION, output);
        output.at = jsonRuntime.digits(output.bytes, output.at, view.getUint32(p + 4, true) % partitions);
      }
      output.at = put(close, output);
      p = rowEnd;
      this.scn = batch.scn + row;
      digits.next();
      this.left--;
    }
    if (p === end && row !== batch.count) {
      throw batch.explained(new RangeError('there are fewer rows than the run promises'));
    }
  }

  #planOf(batch: LogRowBatch): RunPlan {
    const { shape, kind } = batch;
    let plans = this.#plans.get(shape);
    if (plans === undefined) {
      plans = new Map();
      this.#plans.set(shape, plans);
    }
    let plan = plans.get(kind);
    if (plan === undefined) {
      const write = jsonRowWriter(shape, { json: this.#options.json });
      plan = { write, event: constant(`\nevent: ${kind}\ndata: `), head: constant(rowHead(batch)) };
      plans.set(kind, plan);
    }
    return plan;
  }
}

/** The digits of a number that is counted up by one: cheaper than to make them anew for each. */
class CountingDigits {
  readonly #bytes: Buffer = Buffer.alloc(24);
  readonly #view: DataView = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
  #end = 0;

  set(value: number): void {
    this.#end = this.#bytes.write(String(value), 'latin1');
  }

  next(): void {
    const bytes = this.#bytes;
    for (let at = this.#end - 1; at >= 0; at--) {
      const digit = bytes[at] as number;
      if (digit < 0x39) {
        bytes[at] = digit + 1;
        return;
      }
      bytes[at] = 0x30;
    }
    bytes.copyWithin(1, 0, this.#end++);
    bytes[0] = 0x31;
  }

  put({ bytes, view, at }: JsonOutput): number {
    return copyBytes(this.#bytes, this.#view, 0, this.#end, bytes, view, at);
  }
}

/** Any text, for what is not written row by row. */
export function writeText(text: string, output: JsonOutput): void {
  const bytes = Buffer.byteLength(text);
  output.room(bytes);
  output.at += output.bytes.write(text, output.at);
}

function constant(text: string): Constant {
  const bytes = Buffer.from(text);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}

const NOTHING = constant('');
const ID = constant('id: ');
const PARTITION = constant(',"partition":');

const CLOSINGS = new Map<string, Constant>();

/** The end of a row's line. */
function closing({ moved, isSnapshot }: LogRowBatch, isEvent: boolean): Constant {
  const text =
    (moved === null ? '' : `,"moved":"${moved}"`) +
    (isSnapshot ? ',"snapshot":true' : '') +
    (isEvent ? '}\n\n' : '}\n');
  let known = CLOSINGS.get(text);
  if (known === undefined) {
    known = constant(text);
    CLOSINGS.set(text, known);
  }
  return known;
}

function put({ bytes, view }: Constant, output: JsonOutput): number {
  return copyBytes(bytes, view, 0, bytes.length, output.bytes, output.view, output.at);
}

function noJsonForm({ table, scn }: LogRowBatch): TidingsError {
  const name = `${table.database}.${table.name}`;
  // The value itself stays out of the message (I10).
  return new TidingsError('FORMAT_VALUE', `a number of ${name} has no exact form in JSON`, {
    details: { database: table.database, table: table.name, scn },
  });
}
