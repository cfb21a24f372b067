/** Thrown by ByteCursor when a field would reach past the end of the frame. Callers translate it to their own error code. */
export class ShortFrameError extends Error {
  override readonly name: string = 'ShortFrameError';
  readonly field: string;
  readonly offset: number;
  readonly frameLength: number;

  constructor(field: string, { needed, offset, frameLength }: { needed: number; offset: number; frameLength: number }) {
    super(`"${field}" needs ${needed} bytes at offset ${offset}, ${Math.max(0, frameLength - offset)} remain`);
    this.field = field;
    this.offset = offset;
    this.frameLength = frameLength;
  }
}

/** Reads little-endian fields from one complete, length-delimited frame; never past its end. */
export class ByteCursor {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(field: string): number {
    return this.#bytes.readUInt8(this.#take(1, field));
  }

  u16(field: string): number {
    return this.#bytes.readUInt16LE(this.#take(2, field));
  }

  u24(field: string): number {
    return this.#bytes.readUIntLE(this.#take(3, field), 3);
  }

  u32(field: string): number {
    return this.#bytes.readUInt32LE(this.#take(4, field));
  }

  /** Six bytes: table ids. */
  u48(field: string): number {
    return this.#bytes.readUIntLE(this.#take(6, field), 6);
  }

  u64(field: string): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8, field));
  }

  /** A length-encoded integer of the MySQL protocol: 1, 3, 4 or 9 bytes. */
  lengthEncoded(field: string): number {
    const first = this.u8(field);
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.u16(field);
    if (first === 0xfd) return this.u24(field);
    return Number(this.u64(field));
  }

  /** A view into the frame, not a copy. */
  bytes(length: number, field: string): Buffer {
    const start = this.#take(length, field);
    return this.#bytes.subarray(start, start + length);
  }

  text(length: number, field: string): string {
    const start = this.#take(length, field);
    return this.#bytes.toString('utf8', start, start + length);
  }

  skip(length: number, field: string): void {
    this.#take(length, field);
  }

  #take(length: number, field: string): number {
    const start = this.#offset;
    if (length > this.remaining) {
      throw new ShortFrameError(field, { needed: length, offset: start, frameLength: this.#bytes.length });
    }
    this.#offset += length;
    return start;
  }
}
