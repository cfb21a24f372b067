import { TidingsError } from '../../core/errors.ts';
import type { Position } from '../../core/position.ts';
import { POSITION_BYTES_MAX } from '../../formats/log/batch-builder.ts';

const NOTHING: Buffer = Buffer.alloc(0);
const U32_MAX = 0xffff_ffff;

/** How far the source has come with what was appended, in the form in which batches say it. */
export class SourceProgress {
  #position: Position | string | null;
  #encoded: Buffer = NOTHING;
  #encodedOf: Position | string | null = null;
  /** What the last batch with an end of a transaction says. */
  #sealed: Buffer | null;
  /** Bytes of the source's log that no batch has told of yet. */
  #bytes = 0;

  /** @param position where the source resumes as of the log's end; null for a new log */
  constructor(position: string | null) {
    this.#position = position;
    this.#sealed = position === null ? null : Buffer.from(position);
  }

  get position(): Position | string | null {
    return this.#position;
  }

  get isAheadOfSealed(): boolean {
    if (this.#position === null) return false;
    return this.#sealed === null || !this.#sealed.equals(this.encoded());
  }

  addBytes(bytes: number): void {
    this.#bytes += bytes;
  }

  /** For one batch; what is more than it can say goes with the next. */
  takeBytes(): number {
    const bytes = Math.min(this.#bytes, U32_MAX);
    this.#bytes -= bytes;
    return bytes;
  }

  /** The first transaction of a new log begins here. */
  startAt(position: Position): void {
    this.#position ??= position;
  }

  moveTo(position: Position): void {
    this.#position = position;
  }

  sealed(position: Buffer): void {
    this.#sealed = position;
  }

  /** @throws TidingsError POSITION_INVALID */
  encoded(): Buffer {
    const position = this.#position;
    if (position === this.#encodedOf || position === null) return this.#encoded;
    const bytes = Buffer.from(position.toString());
    if (bytes.length > POSITION_BYTES_MAX) {
      throw new TidingsError('POSITION_INVALID', `a position of the source has ${bytes.length} bytes`, {
        hint: `The log keeps positions of up to ${POSITION_BYTES_MAX} bytes. Purge old GTIDs on the server, or start from a file and offset.`,
      });
    }
    this.#encodedOf = position;
    this.#encoded = bytes;
    return bytes;
  }
}
