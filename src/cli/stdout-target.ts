import type { ConsumerBatch } from '../core/consumer.ts';
import type { TransactionPart } from '../core/source.ts';
import type { LineEncoder } from '../formats/line-encoder.ts';
import type { BatchTarget } from './batch-target.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { LinePrinter } from './line-printer.ts';
import type { Output } from './output.ts';

/** Whether a transaction, of which this is the first part, lies behind what is wanted. */
export type IsPast = (part: TransactionPart) => boolean;

/** Prints the lines, up to where it is told to end. A batch is dealt with when the reader of stdout has taken them. */
export class StdoutTarget implements BatchTarget {
  readonly #encoder: LineEncoder;
  readonly #printer: LinePrinter;
  readonly #isPast: IsPast;

  constructor(stdout: Output, encoder: LineEncoder, isPast: IsPast = () => false) {
    this.#encoder = encoder;
    this.#isPast = isPast;
    this.#printer = new LinePrinter(stdout, null);
  }

  async deliver(batch: ConsumerBatch): Promise<boolean> {
    let ended = false;
    for (const part of batch.parts) {
      ended = part.begins && this.#isPast(part);
      if (ended) break;
      this.#encoder.encode(part, this.#printer.add);
      // oxlint-disable-next-line no-await-in-loop -- in order, and no faster than the reader
      if (this.#printer.hasChunk) await this.#printer.flush();
    }
    await this.#printer.flush();
    return !ended;
  }

  end(): Promise<ExitCode> {
    return Promise.resolve(EXIT.ok);
  }
}
