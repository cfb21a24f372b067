import {
  LONG_BYTES_MAX,
  putBigLong,
  putBytes,
  putDouble,
  putFloat,
  putFloats,
  putInt,
  putLong,
  putString,
  stringBytesMax,
} from '../../base/avro-bytes.ts';
import { ByteOut } from './byte-out.ts';

/** What a value takes beside its text, bytes or numbers: the branch of its union, a length. */
const VALUE_BYTES = LONG_BYTES_MAX + 2;

/**
 * Where rows are written as Avro, one behind the other. `begin` makes room for all values of a row but for what their texts and bytes take, which the functions for those
 * make themselves.
 */
export class AvroOut extends ByteOut {
  #reserved = 0;

  /** @param more bytes that are needed beside the values */
  begin(values: number, more: number): void {
    this.#reserved = values * VALUE_BYTES + more;
    this.room(this.#reserved);
  }

  /** The branch of a union: 0 is null, 1 the value that comes next. */
  branch(index: 0 | 1): void {
    this.bytes[this.at++] = index << 1;
  }

  /** @param value of 32 bits */
  int(value: number): void {
    this.at = putInt(this.bytes, this.at, value);
  }

  /** @param value a safe integer, or a bigint of 64 bits */
  long(value: number | bigint): void {
    this.at = typeof value === 'number' ? putLong(this.bytes, this.at, value) : putBigLong(this.bytes, this.at, value);
  }

  float(value: number): void {
    this.at = putFloat(this.view, this.at, value);
  }

  double(value: number): void {
    this.at = putDouble(this.view, this.at, value);
  }

  /** @param text well-formed */
  text(text: string): void {
    this.#more(stringBytesMax(text));
    this.at = putString(this.bytes, this.at, text);
  }

  binary(value: Uint8Array): void {
    this.#more(value.length);
    this.at = putBytes(this.bytes, this.at, value);
  }

  floats(value: Float32Array): void {
    this.#more(value.length * 4);
    this.at = putFloats(this.bytes, this.view, this.at, value);
  }

  /** The bytes of Avro's decimal: a length, then two's complement, the highest byte first and no more than are needed. */
  decimal(value: number | bigint): void {
    let p = this.at + 1;
    if (typeof value === 'number' && value === (value | 0)) {
      for (let shift = byteCount(value) * 8 - 8; shift >= 0; shift -= 8) this.bytes[p++] = value >> shift;
    } else {
      const big = BigInt(value);
      let shift = 0n;
      while (BigInt.asIntN(Number(shift) + 8, big) !== big) shift += 8n;
      this.#more(Number(shift >> 3n));
      for (; shift >= 0n; shift -= 8n) this.bytes[p++] = Number((big >> shift) & 0xffn);
    }
    // The largest DECIMAL takes 28 bytes, so that the length is one.
    this.bytes[this.at] = (p - this.at - 1) << 1;
    this.at = p;
  }

  /** Makes room for a value beside the row's. */
  #more(size: number): void {
    this.room(size + this.#reserved);
  }
}

function byteCount(value: number): number {
  if (value === (value << 24) >> 24) return 1;
  if (value === (value << 16) >> 16) return 2;
  return value === (value << 8) >> 8 ? 3 : 4;
}
