import type { Value } from './change.ts';

/** Whether two values of one column are the same. 7 and 7n are one value of a BIGINT column; 0 and -0 are two of a DOUBLE column. */
export function isSameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (Object.is(a, b)) return true;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (a instanceof Float32Array && b instanceof Float32Array) {
    return a.length === b.length && a.every((element, index) => Object.is(element, b[index]));
  }
  if ((typeof a === 'bigint' && Number.isInteger(b)) || (typeof b === 'bigint' && Number.isInteger(a))) {
    return BigInt(a as number) === BigInt(b as number);
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  // Documents that were parsed.
  return isPlain(a) && isPlain(b) && JSON.stringify(a) === JSON.stringify(b);
}

function isPlain(value: object): boolean {
  return !ArrayBuffer.isView(value);
}
