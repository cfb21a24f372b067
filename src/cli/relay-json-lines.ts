import type { TransactionPart } from '../core/source.ts';
import type { LineEncoder, LineSink } from '../formats/line-encoder.ts';
import type { LogTransactionPart } from '../formats/log/batch-reader.ts';
import { type LineOutput, RelayLines } from '../formats/relay-lines.ts';

const BUFFER_BYTES = 256 * 1024;
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
const NEWLINE = 0x0a;

/** The JSON lines of changes that came through a relay, the same that it sends as NDJSON: with `scn`, and `partition` in a group. */
export class RelayJsonLines implements LineEncoder {
  readonly #lines: RelayLines;
  #output: GrowingOutput = new GrowingOutput();

  /** @param partitions into how many slices the stream is shared; null: lines do not say theirs */
  constructor(partitions: number | null) {
    this.#lines = new RelayLines({ framing: 'lines', json: 'embedded', partitions }, Number.MAX_SAFE_INTEGER);
  }

  encode(part: TransactionPart, emit: LineSink): void {
    const output = this.#output;
    for (const _ of this.#lines.write([part as LogTransactionPart], output)) output.emit(emit, false);
    output.emit(emit, true);
    // One huge line is no reason to keep as much for ever.
    if (output.bytes.length > KEPT_BYTES_MAX) this.#output = new GrowingOutput();
  }
}

/** Collects bytes and gives them out as whole lines. */
class GrowingOutput implements LineOutput {
  bytes: Buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  view: DataView = viewOf(this.bytes);
  at = 0;
  #lineAt = 0;

  beginLine(): void {
    this.#lineAt = this.at;
  }

  dropLine(): void {
    this.at = this.#lineAt;
  }

  room(size: number): void {
    if (size <= this.bytes.length - this.at) return;
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + size));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
    this.view = viewOf(larger);
  }

  /** Those that are complete; `all` when nothing more will come. Small pieces wait for more. */
  emit(emit: LineSink, all: boolean): void {
    if (!all && this.at < BUFFER_BYTES / 2) return;
    const end = this.bytes.subarray(0, this.at).lastIndexOf(NEWLINE) + 1;
    if (end === 0) return;
    for (const line of this.bytes.toString('utf8', 0, end - 1).split('\n')) emit(line);
    this.bytes.copy(this.bytes, 0, end, this.at);
    this.at -= end;
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
