import { createZstdDecompress, zstdDecompressSync } from 'node:zlib';
import { TidingsError } from '../../../core/errors.ts';
import { EVENT_HEADER_LENGTH } from '../binlog/event-header.ts';
import { corrupt } from '../binlog/frame-errors.ts';
import type { TransactionPayloadEvent } from '../binlog/transaction-payload-event.ts';
import type { EventSource } from './event-source.ts';

/** Up to this size a payload is decompressed in one go; above it piece by piece, so that memory stays bounded (I7). */
const WHOLE_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes that come out of the decompressor at a time: each is a batch. */
const PIECE_BYTES = 256 * 1024;

/**
 * The events inside a TRANSACTION_PAYLOAD: one behind the other, each with its header, none with a checksum (the outer event's
 * covers them all).
 */
export class PayloadSource implements EventSource {
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  start = 0;
  end = 0;

  readonly #pieces: AsyncIterator<Buffer> | null;
  #from = 0;
  #done = false;
  readonly #eventBytesMax: number;

  constructor({ compression, payload, uncompressedLength }: TransactionPayloadEvent, eventBytesMax: number) {
    this.#eventBytesMax = eventBytesMax;
    if (compression === 'none') {
      this.#pieces = null;
      this.#use(payload);
    } else if (uncompressedLength !== null && uncompressedLength <= WHOLE_BYTES_MAX) {
      this.#pieces = null;
      this.#use(decompress(payload, uncompressedLength));
    } else {
      const stream = createZstdDecompress({ chunkSize: PIECE_BYTES });
      stream.end(payload);
      this.#pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    }
  }

  next(): boolean {
    const available = this.bytes.length - this.#from;
    if (available < EVENT_HEADER_LENGTH) return false;
    const length = this.view.getUint32(this.#from + 9, true);
    if (length < EVENT_HEADER_LENGTH || length > this.#eventBytesMax) throw badLength(length);
    if (available < length) return false;
    this.start = this.#from;
    this.end = this.#from + length;
    this.#from = this.end;
    return true;
  }

  async fill(): Promise<boolean> {
    // Put together once, whatever the size of the event: joining piece after piece to a large one would take time squared.
    let parts: Buffer[] = [this.bytes.subarray(this.#from)];
    let length = this.bytes.length - this.#from;
    for (let wanted = Math.max(this.#wanted(parts[0]), length + 1); length < wanted;) {
      // oxlint-disable-next-line no-await-in-loop -- one piece after the other
      const piece = this.#pieces === null || this.#done ? null : await this.#piece(this.#pieces);
      if (piece === null) {
        if (length > 0) throw badLength(length);
        return false;
      }
      parts.push(piece);
      length += piece.length;
      if (wanted <= EVENT_HEADER_LENGTH) {
        parts = [Buffer.concat(parts)];
        wanted = this.#wanted(parts[0]);
      }
    }
    this.#use(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, length));
    return true;
  }

  close(): void {
    this.#done = true;
    void this.#pieces?.return?.();
  }

  /** How many bytes it takes to have the event that begins here: all of it, or its header to begin with. */
  #wanted(bytes: Buffer | undefined): number {
    if (bytes === undefined || bytes.length < EVENT_HEADER_LENGTH) return EVENT_HEADER_LENGTH;
    const length = bytes.readUInt32LE(9);
    if (length < EVENT_HEADER_LENGTH || length > this.#eventBytesMax) throw badLength(length);
    return length;
  }

  async #piece(pieces: AsyncIterator<Buffer>): Promise<Buffer | null> {
    try {
      const result = await pieces.next();
      if (result.done !== true) return result.value;
      this.#done = true;
      return null;
    } catch (error) {
      throw undecompressable(error);
    }
  }

  #use(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#from = 0;
  }
}

function decompress(payload: Buffer, length: number): Buffer {
  let bytes: Buffer;
  try {
    bytes = zstdDecompressSync(payload, { maxOutputLength: length + 1 });
  } catch (error) {
    throw undecompressable(error);
  }
  if (bytes.length !== length) throw badLength(bytes.length);
  return bytes;
}

function badLength(length: number): TidingsError {
  return corrupt('TRANSACTION_PAYLOAD event: the events inside do not add up to its length', {
    event: 'TRANSACTION_PAYLOAD',
    length,
  });
}

function undecompressable(error: unknown): TidingsError {
  return new TidingsError('BINLOG_CORRUPT', 'TRANSACTION_PAYLOAD event: its payload cannot be decompressed', {
    cause: error,
  });
}
