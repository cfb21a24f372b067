import type { Entry, TransactionPart } from '../core/source.ts';

/** Takes one line, without its line end. */
export type LineSink = (line: string) => void;

/**
 * Turns transactions into lines of text, one per change, in the order of the changes.
 *
 * An encoder belongs to one stream: it may keep what it needs from one part of a transaction to the next. Its source must hand
 * over JSON columns as text (`json: 'text'`).
 */
export interface LineEncoder {
  encode(part: TransactionPart, emit: LineSink): void;
}

export interface LineEncoderOptions {
  /** Called for what the format has no line for, so that nothing is left out silently (I1). Once per reason and table. */
  readonly warn: (fields: object, message: string) => void;
  /** The wall clock in µs since 1970, for formats that carry the time of processing. */
  readonly nowUs?: () => number;
  /** The version of Tidings, for formats that carry their producer's. */
  readonly version?: string;
  /** False where parts are no transactions of the source: then nothing is said of where they begin and end. @default true */
  readonly transactions?: boolean;
}

/**
 * The index of the entry that holds the transaction's last line, or -1.
 *
 * -1 while more parts follow, and when this part has no lines: then the transaction's last line came earlier and carried the
 * transaction's start. Resuming there repeats the transaction, which is allowed (I4); claiming its end too early would not be.
 */
export function lastLineEntry(part: TransactionPart, hasLines: (entry: Entry) => boolean): number {
  if (part.end === null) return -1;
  return part.entries.findLastIndex(hasLines);
}
