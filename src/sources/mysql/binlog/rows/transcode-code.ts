import { LONG_BYTES_MAX } from '../../../../base/avro-bytes.ts';
import { TidingsError } from '../../../../core/errors.ts';
import { avroKind } from '../../../../core/rows/avro-schema.ts';
import { hashKind } from '../../../../core/rows/key-hash.ts';
import { COLUMN_TYPE } from '../column-types.ts';
import type { BoundColumn } from './bound-column.ts';
import {
  bigEndian,
  CHECK_LENGTH,
  type CodeContext,
  describe,
  known,
  lengthCode,
  lengthCodeOf,
  valueCode,
} from './column-code.ts';
import { DECIMAL_PRECISION_MAX, TEXT_BYTES_MAX } from './put-digits.ts';
import { decimalLength, groupBytes } from './decimal-text.ts';

/**
 * Code that writes one column's value in a generated transcoder, in Avro (see core/rows/avro-schema.ts).
 *
 * Beyond what code of a decoder has in scope (see column-code.ts) there are `t` the RowTarget, `d` its buffer, `w` the view over the
 * same bytes, `o` the offset to write at, and `x` for a value. Before a row there is room for the bytes that are left of the event and
 * for every column's `bytesMax`; code that needs more asks the target for it, and so that as much is free behind it again: `reserve`.
 */
export interface WriteCode {
  /** Statements that write the value, which is not NULL, and move `p` and `o` behind it. */
  readonly code: string;
  /** The most bytes that it takes beyond those that it has in the event. */
  readonly bytesMax: number;
}

export interface WriteContext extends CodeContext {
  /** The expression for the bytes that the rest of the row can take. */
  readonly reserve: string;
  /** Whether one more text may be copied in place: a function that grows too long is not optimised at all. */
  readonly inlineText: () => boolean;
}

/** @param nullable the column's Avro type is a union with null */
export function writeCode(bound: BoundColumn, nullable: boolean, context: WriteContext): WriteCode {
  const { column } = bound;
  // The branch of a union, as a zig-zag varint: 1 is the value's, behind null.
  if (avroKind(column) === 'unsigned') return unsignedCode(bound, nullable ? [2, 4] : [0, 2]);
  const { code, bytesMax } = plainCode(bound, context);
  return nullable ? { code: `d[o++] = 2; ${code}`, bytesMax: bytesMax + 1 } : { code, bytesMax };
}

/** BIGINT UNSIGNED and BIT(64): a long, or above 2^63 - 1 a string of digits. */
function unsignedCode({ wire }: BoundColumn, [long, string]: readonly [number, number]): WriteCode {
  const isBit = wire.type === COLUMN_TYPE.BIT;
  const high = isBit ? 'v.getInt32(p)' : 'v.getInt32(p + 4, true)';
  const low = isBit ? 'v.getInt32(p + 4)' : 'v.getInt32(p, true)';
  return {
    code: `q = ${high}; l = ${low}; if (q >= 0) { d[o++] = ${long}; o = r.putHalves(d, o, q, l); } else { d[o++] = ${string}; o = r.putAscii(d, o, r.unsignedDigits(q, l)); } p += 8;`,
    bytesMax: 32,
  };
}

function plainCode(bound: BoundColumn, context: WriteContext): WriteCode {
  const { column, wire } = bound;
  const { type, size } = wire;
  const int = (expression: string, length: number): WriteCode => ({
    code: `o = r.putInt(d, o, ${expression}); p += ${length};`,
    bytesMax: LONG_BYTES_MAX,
  });
  switch (type) {
    case COLUMN_TYPE.TINY:
      return int(column.unsigned ? 'b[p]' : 'v.getInt8(p)', 1);
    case COLUMN_TYPE.SHORT:
      return int(column.unsigned ? 'v.getUint16(p, true)' : 'v.getInt16(p, true)', 2);
    case COLUMN_TYPE.INT24:
      return int(`b[p] | b[p + 1] << 8 | ${column.unsigned ? 'b[p + 2]' : 'v.getInt8(p + 2)'} << 16`, 3);
    case COLUMN_TYPE.LONG:
      return column.unsigned
        ? { code: 'o = r.putUint(d, o, v.getUint32(p, true)); p += 4;', bytesMax: LONG_BYTES_MAX }
        : int('v.getInt32(p, true)', 4);
    case COLUMN_TYPE.LONGLONG:
      return {
        code: 'o = r.putHalves(d, o, v.getInt32(p + 4, true), v.getInt32(p, true)); p += 8;',
        bytesMax: LONG_BYTES_MAX,
      };
    case COLUMN_TYPE.YEAR:
      return int('b[p] === 0 ? 0 : 1900 + b[p]', 1);
    case COLUMN_TYPE.FLOAT:
      // As integers: a float that passes through a register may lose the bits of a NaN.
      return { code: 'w.setInt32(o, v.getInt32(p, true), true); o += 4; p += 4;', bytesMax: 4 };
    case COLUMN_TYPE.DOUBLE:
      return {
        code: 'w.setInt32(o, v.getInt32(p, true), true); w.setInt32(o + 4, v.getInt32(p + 4, true), true); o += 8; p += 8;',
        bytesMax: 8,
      };
    case COLUMN_TYPE.BIT:
      return bitCode(size);
    case COLUMN_TYPE.NEWDECIMAL:
      return decimalCode(bound, context);
    case COLUMN_TYPE.ENUM: {
      const members = known(column.members, bound);
      const options = context.constant({ members, written: [] });
      const longest = members.reduce((most, member) => Math.max(most, member.length), 0);
      return {
        code: `o = r.putMember(d, o, ${size === 1 ? 'b[p]' : 'v.getUint16(p, true)'}, ${options}); p += ${size};`,
        bytesMax: longest * 3 + LONG_BYTES_MAX,
      };
    }
    case COLUMN_TYPE.DATE:
    case COLUMN_TYPE.NEWDATE:
      return text('o = r.putDate(d, w, o, b[p] | b[p + 1] << 8 | b[p + 2] << 16); p += 3;');
    case COLUMN_TYPE.DATETIME2: {
      const bytes = (size + 1) >> 1;
      const stored = size === 0 ? '0' : bigEndian(bytes, 5);
      return text(`o = r.putDatetime(d, w, o, b[p], v.getInt32(p + 1), ${stored}, ${size}); p += ${5 + bytes};`);
    }
    case COLUMN_TYPE.TIMESTAMP2: {
      const bytes = (size + 1) >> 1;
      const stored = size === 0 ? '0' : bigEndian(bytes, 4);
      return text(`o = r.putTimestamp(d, w, o, v.getInt32(p), ${stored}, ${size}); p += ${4 + bytes};`);
    }
    case COLUMN_TYPE.TIME2: {
      const bytes = (size + 1) >> 1;
      const unit = 256 ** bytes;
      return text(
        `o = r.putTime(d, w, o, ${bigEndian(3 + bytes)}, ${0x80_0000 * unit}, ${unit}, ${size}); p += ${3 + bytes};`,
      );
    }
    case COLUMN_TYPE.TIME:
    case COLUMN_TYPE.DATETIME:
    case COLUMN_TYPE.TIMESTAMP:
      return text(`${valueCode(bound, 'x', context)} o = r.putAscii(d, o, x);`);
    case COLUMN_TYPE.SET:
      return string(valueCode(bound, 'x', context), context);
    case COLUMN_TYPE.VARCHAR_COMPRESSED:
    case COLUMN_TYPE.BLOB_COMPRESSED:
      return {
        code: `${lengthCodeOf(wire)} ${CHECK_LENGTH} o = r.putCompressed(t, o, b, p, p + l, ${charsetOf(bound, context)}, ${context.reserve}); p += l; ${RELOAD}`,
        bytesMax: LONG_BYTES_MAX,
      };
    case COLUMN_TYPE.VARCHAR:
    case COLUMN_TYPE.VAR_STRING:
    case COLUMN_TYPE.STRING:
      return bytesCode(bound, lengthCodeOf(wire), context);
    case COLUMN_TYPE.BLOB:
    case COLUMN_TYPE.TINY_BLOB:
    case COLUMN_TYPE.MEDIUM_BLOB:
    case COLUMN_TYPE.LONG_BLOB:
    case COLUMN_TYPE.GEOMETRY:
    case COLUMN_TYPE.VECTOR:
    case COLUMN_TYPE.JSON:
      return bytesCode(bound, lengthCode(size), context);
    default:
      // It throws: there is no code for this type.
      return text(valueCode(bound, 'x', context));
  }
}

/** After a call that may have asked the target for room. */
export const RELOAD = 'd = t.bytes; w = t.view;';

function text(code: string): WriteCode {
  return { code, bytesMax: TEXT_BYTES_MAX };
}

/** From statements that give a string in `x`. */
function string(code: string, { reserve }: WriteContext): WriteCode {
  return { code: `${code} o = r.putAnyString(t, o, x, ${reserve}); ${RELOAD}`, bytesMax: 0 };
}

/** The document of the before image with the diffs of the after image applied. */
export function diffCode(index: number, context: WriteContext): string {
  const { code } = string(
    `l = v.getUint32(p, true); p += 4; ${CHECK_LENGTH} x = r.patch(b, { start: js${index}, end: je${index} }, { start: p, end: p + l }, 'text'); p += l;`,
    context,
  );
  return code;
}

function bitCode(bits: number): WriteCode {
  const length = (bits + 7) >> 3;
  const [high, low] = length <= 4 ? ['0', bigEndian(length)] : [bigEndian(length - 4), `v.getInt32(p + ${length - 4})`];
  return {
    code: `q = ${high}; if (q > 2147483647) r.bitsBeyondType(${bits}); o = r.putHalves(d, o, q, ${low}); p += ${length};`,
    bytesMax: LONG_BYTES_MAX,
  };
}

function decimalCode(bound: BoundColumn, context: WriteContext): WriteCode {
  const { size: precision, scale } = bound.wire;
  const length = decimalLength(precision, scale);
  if (precision > DECIMAL_PRECISION_MAX) return text(`${valueCode(bound, 'x', context)} o = r.putAscii(d, o, x);`);
  const integer = precision - scale;
  if (integer < 1 || integer > 9 || scale > 9) {
    return text(`o = r.putDecimal(d, w, o, b, p, ${context.constant({ precision, scale })}); p += ${length};`);
  }
  const [integerBytes, fractionBytes] = [groupBytes(integer), groupBytes(scale)];
  const whole =
    integerBytes === 4
      ? 'v.getInt32(p) ^ -2147483648'
      : `${bigEndian(integerBytes)} - ${128 * 256 ** (integerBytes - 1)}`;
  const fraction =
    fractionBytes === 4
      ? `v.getInt32(p + ${integerBytes}), -1`
      : `${fractionBytes === 0 ? '0' : bigEndian(fractionBytes, integerBytes)}, ${256 ** fractionBytes - 1}`;
  return text(`o = r.putShortDecimal(d, w, o, ${whole}, ${fraction}, ${scale}); p += ${length};`);
}

/** From the length field to `l` bytes at `p`, by what the column means. */
function bytesCode(bound: BoundColumn, head: string, context: WriteContext): WriteCode {
  const { column, wire, charset } = bound;
  const value = (code: string, bytesMax = LONG_BYTES_MAX): WriteCode => ({
    code: `${head} ${CHECK_LENGTH} ${code} p += l;`,
    bytesMax,
  });
  switch (column.type) {
    case 'json':
      return value(`o = r.putJson(t, o, b, p, p + l, ${context.reserve}); ${RELOAD}`);
    case 'binary':
      return value(`o = r.putBinary(b, v, p, l, d, w, o, ${wire.size});`, wire.size + LONG_BYTES_MAX);
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return text(`${valueCode(bound, 'x', context)} o = r.putAscii(d, o, x);`);
    case 'vector':
      return value('o = r.putVector(b, v, p, l, d, w, o);', 2 * LONG_BYTES_MAX);
    default:
  }
  if (charset === null || charset.name === 'binary') {
    if (avroKind(column) !== 'bytes') throw withoutCharset(bound);
    return value('o = r.putBlob(b, v, p, l, d, w, o);');
  }
  const constant = context.constant(charset);
  if (charset.name === 'utf8mb4' || charset.name === 'utf8mb3') {
    return value(context.inlineText() ? inlineTextCode(constant) : `o = r.putUtf8(b, v, p, l, d, w, o, ${constant});`);
  }
  return value(`o = r.putOtherText(t, o, b, v, p, l, ${constant}, ${context.reserve}); ${RELOAD}`);
}

/**
 * `putUtf8` for the usual lengths, in place: with more calls than one or two the engine inlines none of them. The last eight bytes
 * overlap those before.
 */
export function inlineTextCode(charset: string): string {
  return `
    if (l < 8 || l > 256) o = r.putUtf8(b, v, p, l, d, w, o, ${charset});
    else {
      if (l < 64) d[o++] = l << 1; else { d[o] = l << 1 & 127 | 128; d[o + 1] = l >> 6; o += 2; }
      q = l - 8;
      let low = v.getInt32(p + q, true), high = v.getInt32(p + q + 4, true), all = low | high;
      w.setInt32(o + q, low, true); w.setInt32(o + q + 4, high, true);
      for (let i = 0; i < q; i += 8) {
        low = v.getInt32(p + i, true); high = v.getInt32(p + i + 4, true); all |= low | high;
        w.setInt32(o + i, low, true); w.setInt32(o + i + 4, high, true);
      }
      if ((all & 0x80808080) !== 0) r.checkUtf8(b, p, l, ${charset});
      o += l;
    }`;
}

function charsetOf(bound: BoundColumn, context: WriteContext): string {
  const { charset, column } = bound;
  if (charset !== null && charset.name !== 'binary') return context.constant(charset);
  if (avroKind(column) !== 'bytes') throw withoutCharset(bound);
  return 'null';
}

function withoutCharset(bound: BoundColumn): TidingsError {
  return new TidingsError('COLUMN_TYPE_UNSUPPORTED', `${describe(bound)}: its character set is not known`, {
    details: { column: bound.column.name },
  });
}

/** Statements that mix the value at `p` into the hash `h`. They may move `p`. */
export function mixCode(bound: BoundColumn, context: CodeContext): string {
  const { column, wire, charset } = bound;
  const { type } = wire;
  const compressed = type === COLUMN_TYPE.VARCHAR_COMPRESSED || type === COLUMN_TYPE.BLOB_COMPRESSED;
  const signed = (expression: string): string => `l = ${expression}; h = r.mixHalves(h, l, l >> 31);`;
  const unsigned = (expression: string): string => `h = r.mixHalves(h, ${expression}, 0);`;
  switch (type) {
    case COLUMN_TYPE.TINY:
      return column.unsigned ? unsigned('b[p]') : signed('v.getInt8(p)');
    case COLUMN_TYPE.SHORT:
      return column.unsigned ? unsigned('v.getUint16(p, true)') : signed('v.getInt16(p, true)');
    case COLUMN_TYPE.LONG:
      return column.unsigned ? unsigned('v.getInt32(p, true)') : signed('v.getInt32(p, true)');
    case COLUMN_TYPE.LONGLONG:
      return 'h = r.mixHalves(h, v.getInt32(p, true), v.getInt32(p + 4, true));';
    default:
  }
  const kind = hashKind(column);
  const isText = charset !== null && charset.name !== 'binary';
  const head = `${lengthCodeOf(wire)} ${CHECK_LENGTH}`;
  if (!compressed && kind === 'folded' && isText) {
    return `${head} h = r.mixText(h, b, p, l, ${context.constant(charset)});`;
  }
  if (!compressed && kind === 'bytes' && !isText && column.type !== 'vector') {
    return `${head} h = r.mixTrimmed(h, b, p, l);`;
  }
  return `${valueCode(bound, 'x', context)} h = r.mixValue(h, ${context.constant(column)}, x);`;
}
