import type { RowShape } from '../core/rows/row-shape.ts';
import { TidingsError } from '../core/errors.ts';
import { type JsonOutput, jsonRuntime, NoJsonForm } from './json-bytes.ts';
import { LineTails, rowHead, statementHead } from './json.ts';
import { lastLineEntry } from './line-encoder.ts';
import type { LogEntry, LogSchemaChange, LogTransactionPart, LogTruncation } from './log/batch-reader.ts';
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

/** Where lines are written. What is sealed by `room` goes nowhere before the line is done. */
export interface LineOutput extends JsonOutput {
  /** Remembers where the line begins. */
  beginLine(): void;
  /** Takes back what was written since. */
  dropLine(): void;
}

/** What the rows of one shape, changed in one way, have in common. */
interface RunPlan {
  readonly write: WriteJsonRow;
  /** Of an event: between `id: <scn>` and the line. */
  readonly event: Constant;
  /** The same of an event without an `id`. */
  readonly eventWithoutId: Constant;
  readonly head: Constant;
}

/** A run of rows that is being written. */
interface Run {
  readonly batch: LogRowBatch;
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly end: number;
  readonly plan: RunPlan;
  /** The other half of the update comes next. */
  readonly isFirstHalf: boolean;
  readonly close: Constant;
  /** Between a row and its SCN; the same of the run's last row. */
  readonly inside: string;
  readonly final: string;
  readonly insideBytes: Constant | null;
  /** Where the next row begins. */
  at: number;
  /** How many were written. */
  row: number;
}

/** So many lines are written before the caller is asked whether to go on. */
const LINES_AT_ONCE = 32;
const MOVED_HEADER_BYTES = 16;
const HEADER_BYTES = 8;
/** `id: `, `"scn":`, `"partition":`, the numbers, and what copying may write beyond its end. */
const NUMBERS_BYTES = 128;

/**
 * The lines of `JsonEncoder` for batches of a log, with what a relay knows beside: `scn`, and where they apply `partition`, `moved` and
 * `snapshot`. They are written as bytes straight from the batch's bytes, which costs a fifth of making strings of them.
 *
 * The two halves of an update that moved its key have one SCN, and whoever resumes behind it gets neither (I2). So they are one change
 * of those that are wanted, and the event of the first has no `id`: what comes back as Last-Event-ID then lies before both.
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
   * @throws TidingsError LOG_DAMAGED, FORMAT_VALUE; what is written up to then are whole lines
   */
  *write(parts: readonly LogTransactionPart[], output: LineOutput): Generator<void, void, undefined> {
    let written = 0;
    for (const part of parts) {
      const tails = new LineTails(part);
      const last = lastLineEntry(part, () => true);
      for (let index = 0; index < part.entries.length; index++) {
        const entry = part.entries[index];
        if (entry === undefined || this.left === 0) return;
        if (entry instanceof LogRowBatch) {
          const run = this.#begin(entry, tails, index === last, isFirstHalf(entry, part.entries[index + 1]));
          while (run.at < run.end && this.left > 0) {
            written += this.#rows(run, output, LINES_AT_ONCE - written);
            if (written < LINES_AT_ONCE) continue;
            written = 0;
            yield;
          }
        } else {
          this.#statement(entry, index === last ? tails.last : tails.inside, output);
          written++;
        }
      }
      if (written < LINES_AT_ONCE) continue;
      written = 0;
      yield;
    }
  }

  #statement(entry: LogSchemaChange | LogTruncation, tail: string, output: LineOutput): void {
    const { type, scn } = entry;
    const line = `${statementHead(entry)}${tail},"scn":${scn}}`;
    writeText(
      this.#options.framing === 'lines' ? `${line}\n` : `id: ${scn}\nevent: ${type}\ndata: ${line}\n\n`,
      output,
    );
    this.scn = scn;
    this.left--;
  }

  // oxlint-disable-next-line max-params -- one for each run: an options object more would be felt
  #begin(batch: LogRowBatch, tails: LineTails, isLast: boolean, isFirst: boolean): Run {
    const { bytes, view, start, end } = batch.extent;
    if (this.#digits.value !== batch.scn) this.#digits.set(batch.scn);
    if (batch.count === 0 || start === end) throw batch.explained(new RangeError('a run has no rows'));
    return {
      batch,
      bytes,
      view,
      end,
      plan: this.#planOf(batch),
      isFirstHalf: isFirst,
      close: closing(batch, this.#options.framing),
      inside: batch.count > 1 || !isLast ? `${tails.inside},"scn":` : '',
      final: `${isLast ? tails.last : tails.inside},"scn":`,
      // Written again and again it is worth being made bytes once.
      insideBytes: batch.count > 2 ? constant(`${tails.inside},"scn":`) : null,
      at: start,
      row: 0,
    };
  }

  /** Some rows of the run; returns how many. */
  // oxlint-disable-next-line max-params -- as above
  #rows(run: Run, output: LineOutput, most: number): number {
    const { batch, bytes, view, end, isFirstHalf: isFirst, close, insideBytes } = run;
    const { write, event, eventWithoutId, head } = run.plan;
    const { partitions, framing } = this.#options;
    const digits = this.#digits;
    const fixed = event.bytes.length + head.bytes.length + close.bytes.length + NUMBERS_BYTES;
    const tailBytes = (insideBytes?.bytes.length ?? 0) + fixed;
    const from = run.row;
    const to = Math.min(batch.count, from + Math.min(most, this.left));
    let { at, row } = run;
    for (; row < to && at < end; row++) {
      const length = end - at < HEADER_BYTES ? 0x7fff_ffff : view.getInt32(at, true);
      const rowStart = at + (length < 0 ? MOVED_HEADER_BYTES : HEADER_BYTES);
      const rowEnd = rowStart + (length & 0x7fff_ffff);
      output.room(fixed);
      output.beginLine();
      if (framing === 'events' && isFirst) output.at = put(eventWithoutId, output);
      else if (framing === 'events') {
        output.at = put(ID, output);
        output.at = digits.put(output);
        output.at = put(event, output);
      }
      output.at = put(head, output);
      try {
        if (rowEnd > end) throw new RangeError('a row ends behind its run');
        write(bytes, view, rowStart, rowEnd, output);
      } catch (error) {
        output.dropLine();
        throw error instanceof NoJsonForm ? noJsonForm(batch) : batch.explained(error);
      }
      if (row === batch.count - 1) writeText(run.final, output);
      else if (insideBytes === null) writeText(run.inside, output);
      output.room(tailBytes);
      if (insideBytes !== null && row < batch.count - 1) output.at = put(insideBytes, output);
      output.at = digits.put(output);
      digits.next();
      if (partitions !== null) {
        output.at = put(PARTITION, output);
        output.at = jsonRuntime.digits(output.bytes, output.at, view.getUint32(at + 4, true) % partitions);
      }
      output.at = put(close, output);
      at = rowEnd;
    }
    if (!isFirst) this.left -= row - from;
    this.scn = batch.scn + row - 1;
    run.row = row;
    run.at = at;
    if ((row === batch.count) !== (at === end)) {
      throw batch.explained(new RangeError('a run has another number of rows than it promises'));
    }
    return row - from;
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
      const event = `event: ${kind}\ndata: `;
      plan = {
        write,
        event: constant(`\n${event}`),
        eventWithoutId: constant(event),
        head: constant(rowHead(batch)),
      };
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
  value = 0;

  set(value: number): void {
    this.value = value;
    this.#end = this.#bytes.write(String(value), 'latin1');
  }

  next(): void {
    this.value++;
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

  put({ bytes, view, at }: LineOutput): number {
    return copyBytes(this.#bytes, this.#view, 0, this.#end, bytes, view, at);
  }
}

/** Whether the entry is one half of an update, and the next one the other: a reader may have only one of them. */
function isFirstHalf({ moved, scn }: LogRowBatch, next: LogEntry | undefined): boolean {
  return moved === 'from' && next instanceof LogRowBatch && next.moved === 'to' && next.scn === scn;
}

/** Any text, for what is not written row by row. */
export function writeText(text: string, output: LineOutput): void {
  // A UTF-16 unit takes three bytes at most.
  output.room(text.length * 3);
  output.at += output.bytes.write(text, output.at);
}

function constant(text: string): Constant {
  const bytes = Buffer.from(text);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}

const ID = constant('id: ');
const PARTITION = constant(',"partition":');

const CLOSINGS = new Map<string, Constant>();

/** The end of a row's line. */
function closing({ moved, snapshot }: LogRowBatch, framing: 'lines' | 'events'): Constant {
  const text =
    (moved === null ? '' : `,"moved":"${moved}"`) +
    (snapshot ? ',"snapshot":true' : '') +
    (framing === 'events' ? '}\n\n' : '}\n');
  let known = CLOSINGS.get(text);
  if (known === undefined) {
    known = constant(text);
    CLOSINGS.set(text, known);
  }
  return known;
}

function put({ bytes, view }: Constant, output: LineOutput): number {
  return copyBytes(bytes, view, 0, bytes.length, output.bytes, output.view, output.at);
}

function noJsonForm({ table, scn }: LogRowBatch): TidingsError {
  const name = `${table.database}.${table.name}`;
  // The value itself stays out of the message (I10).
  return new TidingsError('FORMAT_VALUE', `a number of ${name} has no exact form in JSON`, {
    details: { database: table.database, table: table.name, scn },
  });
}
