import { isTidingsError } from '../../src/core/errors.ts';

/** Bytes of a frame written out field by field. Texts are UTF-8. */
export function frame(...parts: readonly (readonly number[] | Buffer | string)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));
}

export const u8 = (value: number): readonly number[] => [value];
export const u16 = (value: number): readonly number[] => little(BigInt(value), 2);
export const u24 = (value: number): readonly number[] => little(BigInt(value), 3);
export const u32 = (value: number): readonly number[] => little(BigInt(value), 4);
export const u56 = (value: bigint): readonly number[] => little(value, 7);
export const u64 = (value: bigint | number): readonly number[] => little(BigInt(value), 8);

function little(value: bigint, length: number): readonly number[] {
  return Array.from({ length }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

/** Whether the decoder takes the frame. Refusing it with anything but the two errors made for that is an error of the decoder. */
export function accepts(decode: (body: Buffer) => unknown, body: Buffer): boolean {
  try {
    decode(body);
    return true;
  } catch (error) {
    if (isTidingsError(error) && (error.code === 'BINLOG_TRUNCATED' || error.code === 'BINLOG_CORRUPT')) return false;
    throw error;
  }
}

/** The lengths, less than its own, to which a frame can be cut without the decoder noticing. */
export function cutsAccepted(decode: (body: Buffer) => unknown, body: Buffer): number[] {
  return [...body.keys()].filter((length) => accepts(decode, Buffer.from(body.subarray(0, length))));
}
