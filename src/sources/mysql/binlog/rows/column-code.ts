import { TidingsError } from '../../../../core/errors.ts';
import { COLUMN_TYPE, columnTypeName } from '../column-types.ts';
import type { WireColumn } from '../table-map-event.ts';
import type { BoundColumn } from './bound-column.ts';
import { decimalLength, groupBytes } from './decimal-text.ts';
import { HIRES_BYTES } from './temporal-text.ts';

/**
 * Code that reads one column's value in a generated row decoder.
 *
 * The generated function has these names in scope: `b` the Buffer, `v` a DataView over the same bytes, `p` the offset (a `let`,
 * moved behind the value by the code), `end` the end of the event, `l` and `q` scratch variables, `r` the runtime (see
 * `row-runtime.ts`), and `k` the list of constants (character sets, member lists) that `constant()` adds to.
 *
 * Row layout source: MySQL, libs/mysql/binlog/event/rows_event.h and sql/log_event.cc, log_event_print_value().
 */
export interface CodeContext {
  /** Adds a constant and returns the expression that reads it. */
  constant(value: unknown): string;
  readonly json: 'text' | 'parsed';
}

/** Statements that move `p` past the value without reading it. */
export function skipCode(bound: BoundColumn): string {
  const { type, size } = bound.wire;
  const fixed = fixedLength(bound);
  if (fixed !== null) return `p += ${fixed};`;
  switch (type) {
    case COLUMN_TYPE.VARCHAR:
    case COLUMN_TYPE.VAR_STRING:
    case COLUMN_TYPE.VARCHAR_COMPRESSED:
    case COLUMN_TYPE.STRING:
      return size > 255 ? 'p += 2 + v.getUint16(p, true);' : 'p += 1 + b[p];';
    default:
      return `${lengthCode(size)} p += l;`;
  }
}

/** Statements that read the value into `target` and move `p` behind it. */
export function valueCode(bound: BoundColumn, target: string, context: CodeContext): string {
  const { column, wire } = bound;
  const { type, size } = wire;
  const set = (expression: string, length: number): string => `${target} = ${expression}; p += ${length};`;
  switch (type) {
    case COLUMN_TYPE.TINY:
      return set(column.unsigned ? 'b[p]' : 'v.getInt8(p)', 1);
    case COLUMN_TYPE.SHORT:
      return set(column.unsigned ? 'v.getUint16(p, true)' : 'v.getInt16(p, true)', 2);
    case COLUMN_TYPE.INT24:
      return set(`b[p] | b[p + 1] << 8 | ${column.unsigned ? 'b[p + 2]' : 'v.getInt8(p + 2)'} << 16`, 3);
    case COLUMN_TYPE.LONG:
      return set(column.unsigned ? 'v.getUint32(p, true)' : 'v.getInt32(p, true)', 4);
    case COLUMN_TYPE.LONGLONG:
      // 2^53 - 1 has the high half 2^21 - 1; -(2^53 - 1) has -2^21 with a low half above 0.
      return column.unsigned
        ? `l = v.getUint32(p, true); q = v.getUint32(p + 4, true); ${target} = q <= 2097151 ? q * 4294967296 + l : r.big(q, l); p += 8;`
        : `l = v.getUint32(p, true); q = v.getInt32(p + 4, true); ${target} = q <= 2097151 && (q > -2097152 || (q === -2097152 && l > 0)) ? q * 4294967296 + l : r.big(q, l); p += 8;`;
    case COLUMN_TYPE.FLOAT:
      return set('r.float32(v.getFloat32(p, true))', 4);
    case COLUMN_TYPE.DOUBLE:
      return set('v.getFloat64(p, true)', 8);
    case COLUMN_TYPE.YEAR:
      return set('b[p] === 0 ? 0 : 1900 + b[p]', 1);
    case COLUMN_TYPE.NEWDECIMAL:
      return decimalCode(bound, target, context);
    case COLUMN_TYPE.BIT:
      return set(`r.bitValue(b, p, ${(size + 7) >> 3})`, (size + 7) >> 3);
    case COLUMN_TYPE.ENUM: {
      const members = context.constant(known(column.members, bound));
      return set(`r.enumMember(${size === 1 ? 'b[p]' : 'v.getUint16(p, true)'}, ${members})`, size);
    }
    case COLUMN_TYPE.SET: {
      const options = context.constant({ length: size, members: known(column.members, bound), cache: new Map() });
      return set(`r.setMembers(b, p, ${options})`, size);
    }
    case COLUMN_TYPE.DATE:
    case COLUMN_TYPE.NEWDATE:
    case COLUMN_TYPE.TIME:
    case COLUMN_TYPE.DATETIME:
    case COLUMN_TYPE.TIMESTAMP:
    case COLUMN_TYPE.TIME2:
    case COLUMN_TYPE.DATETIME2:
    case COLUMN_TYPE.TIMESTAMP2:
      return temporalCode(bound, target);
    case COLUMN_TYPE.VARCHAR:
    case COLUMN_TYPE.VAR_STRING:
    case COLUMN_TYPE.STRING:
    case COLUMN_TYPE.BLOB:
    case COLUMN_TYPE.TINY_BLOB:
    case COLUMN_TYPE.MEDIUM_BLOB:
    case COLUMN_TYPE.LONG_BLOB:
    case COLUMN_TYPE.GEOMETRY:
    case COLUMN_TYPE.VECTOR:
    case COLUMN_TYPE.JSON:
      return `${lengthCodeOf(wire)} ${CHECK_LENGTH} ${bytesCode(bound, target, context)} p += l;`;
    case COLUMN_TYPE.VARCHAR_COMPRESSED:
    case COLUMN_TYPE.BLOB_COMPRESSED: {
      const charset = bound.charset === null ? 'null' : context.constant(bound.charset);
      return `${lengthCodeOf(wire)} ${CHECK_LENGTH} ${target} = r.compressed(b, p, p + l, ${charset}); p += l;`;
    }
    default:
      throw new TidingsError('COLUMN_TYPE_UNSUPPORTED', `${describe(bound)} cannot be decoded`, {
        details: { column: column.name, columnType: type },
      });
  }
}

/**
 * A length that reaches past the event must not be followed: what lies there belongs to another event. Not l > end - p: a length
 * behind the buffer's last byte is no number.
 */
export const CHECK_LENGTH = 'if (!(l <= end - p)) r.short(end);';

/** The length field of a value of variable length, into `l`. */
export function lengthCodeOf({ type, size }: WireColumn): string {
  switch (type) {
    case COLUMN_TYPE.VARCHAR:
    case COLUMN_TYPE.VAR_STRING:
    case COLUMN_TYPE.VARCHAR_COMPRESSED:
    case COLUMN_TYPE.STRING:
      return size > 255 ? 'l = v.getUint16(p, true); p += 2;' : 'l = b[p]; p += 1;';
    default:
      return lengthCode(size);
  }
}

/** The length field of the BLOB family: 1 to 4 bytes, into `l`. */
export function lengthCode(lengthBytes: number): string {
  switch (lengthBytes) {
    case 1:
      return 'l = b[p]; p += 1;';
    case 2:
      return 'l = v.getUint16(p, true); p += 2;';
    case 3:
      return 'l = v.getUint16(p, true) | b[p + 2] << 16; p += 3;';
    default:
      return 'l = v.getUint32(p, true); p += 4;';
  }
}

/** From `l` bytes at `p` to the value, by what the column means. */
function bytesCode({ column, wire, charset }: BoundColumn, target: string, context: CodeContext): string {
  switch (column.type) {
    case 'json':
      return context.json === 'parsed'
        ? `${target} = JSON.parse(r.json(b, p, p + l));`
        : `${target} = r.json(b, p, p + l);`;
    case 'binary':
      return `${target} = r.paddedBinary(b, { start: p, end: p + l, size: ${wire.size} });`;
    case 'uuid':
      return `${target} = r.fixed(b, { start: p, end: p + l, size: 16, text: r.uuid });`;
    case 'inet6':
      return `${target} = r.fixed(b, { start: p, end: p + l, size: 16, text: r.inet6 });`;
    case 'inet4':
      return `${target} = r.fixed(b, { start: p, end: p + l, size: 4, text: r.inet4 });`;
    case 'vector':
      return `${target} = r.vector(b, p, p + l);`;
    default:
  }
  if (charset === null || charset.name === 'binary') return `${target} = r.blob(b, p, p + l);`;
  const constant = context.constant(charset);
  if (charset.asciiTransparent) return `${target} = r.windowText(b, v, p, p + l, ${constant});`;
  return `${target} = ${constant}.decode(b, p, p + l);`;
}

function decimalCode({ wire }: BoundColumn, target: string, context: CodeContext): string {
  const { size: precision, scale } = wire;
  const length = decimalLength(precision, scale);
  const integer = precision - scale;
  if (integer >= 1 && integer <= 9 && scale <= 9) {
    const integerBytes = groupBytes(integer);
    const fractionBytes = groupBytes(scale);
    const integerCode = integerBytes === 4 ? 'v.getUint32(p)' : bigEndian(integerBytes);
    const fractionCode = fractionBytes === 0 ? '0' : bigEndian(fractionBytes, integerBytes);
    const half = 2 ** (integerBytes * 8 - 1);
    return `${target} = r.shortDecimalText(${integerCode}, ${half}, ${fractionCode}, ${256 ** fractionBytes - 1}, ${scale}); p += ${length};`;
  }
  return `${target} = r.decimalText(b, p, ${context.constant({ precision, scale })}); p += ${length};`;
}

function temporalCode(bound: BoundColumn, target: string): string {
  const { type, size: digits } = bound.wire;
  const bytes = (digits + 1) >> 1;
  // MariaDB with mysql56_temporal_format=OFF logs no digits: the column's definition has them.
  const declared = bound.column.length ?? 0;
  switch (type) {
    case COLUMN_TYPE.DATE:
    case COLUMN_TYPE.NEWDATE:
      return `${target} = r.dateFrom3(b[p] | b[p + 1] << 8 | b[p + 2] << 16); p += 3;`;
    case COLUMN_TYPE.TIME2:
      return `${target} = r.time2(${bigEndian(3 + bytes)}, ${digits}); p += ${3 + bytes};`;
    case COLUMN_TYPE.DATETIME2: {
      const fraction = digits === 0 ? '' : ` + r.fraction(${bigEndian(bytes, 5)}, ${digits})`;
      return `${target} = r.datetime2(b[p], v.getUint32(p + 1))${fraction}; p += ${5 + bytes};`;
    }
    case COLUMN_TYPE.TIMESTAMP2:
      return `${target} = r.timestamp2(v.getUint32(p), ${digits === 0 ? '0' : bigEndian(bytes, 4)}, ${digits}); p += ${4 + bytes};`;
    case COLUMN_TYPE.TIME:
      if (declared > 0) {
        return `${target} = r.timeHires(${bigEndianBig(HIRES_BYTES.time[declared])}, ${declared}); p += ${HIRES_BYTES.time[declared]};`;
      }
      return `${target} = r.time1(b[p] | b[p + 1] << 8 | v.getInt8(p + 2) << 16); p += 3;`;
    case COLUMN_TYPE.DATETIME:
      if (declared > 0) {
        return `${target} = r.datetimeHires(${bigEndianBig(HIRES_BYTES.datetime[declared])}, ${declared}); p += ${HIRES_BYTES.datetime[declared]};`;
      }
      return `${target} = r.datetime1(v.getUint32(p + 4, true) * 4294967296 + v.getUint32(p, true)); p += 8;`;
    default: {
      if (declared > 0) {
        const length = HIRES_BYTES.timestamp[declared] ?? 4;
        return `${target} = r.timestampHires(v.getUint32(p), ${bigEndian(length - 4, 4)}, ${declared}); p += ${length};`;
      }
      return `${target} = r.timestamp2(v.getUint32(p, true), 0, 0); p += 4;`;
    }
  }
}

/** An expression for 1 to 6 bytes big-endian at `p + from`. */
export function bigEndian(length: number, from = 0): string {
  const terms = Array.from({ length }, (_, i) => {
    const byte = `b[p + ${from + i}]`;
    const factor = 256 ** (length - 1 - i);
    return factor === 1 ? byte : `${byte} * ${factor}`;
  });
  return terms.join(' + ');
}

function bigEndianBig(length: number | undefined): string {
  return `r.bigUnsigned(b, p, ${length ?? 0})`;
}

/** Bytes of a value whose length does not depend on the value; null for the others. */
function fixedLength({ wire, column }: BoundColumn): number | null {
  const { type, size, scale } = wire;
  const declared = column.length ?? 0;
  const bytes = (size + 1) >> 1;
  switch (type) {
    case COLUMN_TYPE.TINY:
    case COLUMN_TYPE.YEAR:
      return 1;
    case COLUMN_TYPE.SHORT:
      return 2;
    case COLUMN_TYPE.INT24:
    case COLUMN_TYPE.DATE:
    case COLUMN_TYPE.NEWDATE:
      return 3;
    case COLUMN_TYPE.LONG:
    case COLUMN_TYPE.FLOAT:
      return 4;
    case COLUMN_TYPE.LONGLONG:
    case COLUMN_TYPE.DOUBLE:
      return 8;
    case COLUMN_TYPE.TIME:
      return declared > 0 ? (HIRES_BYTES.time[declared] ?? null) : 3;
    case COLUMN_TYPE.DATETIME:
      return declared > 0 ? (HIRES_BYTES.datetime[declared] ?? null) : 8;
    case COLUMN_TYPE.TIMESTAMP:
      return declared > 0 ? (HIRES_BYTES.timestamp[declared] ?? null) : 4;
    case COLUMN_TYPE.TIME2:
      return 3 + bytes;
    case COLUMN_TYPE.DATETIME2:
      return 5 + bytes;
    case COLUMN_TYPE.TIMESTAMP2:
      return 4 + bytes;
    case COLUMN_TYPE.NEWDECIMAL:
      return decimalLength(size, scale);
    case COLUMN_TYPE.BIT:
      return (size + 7) >> 3;
    case COLUMN_TYPE.ENUM:
    case COLUMN_TYPE.SET:
      return size;
    default:
      return null;
  }
}

export function known(members: readonly string[] | null, bound: BoundColumn): readonly string[] {
  if (members !== null) return members;
  throw new TidingsError('SCHEMA_UNKNOWN', `${describe(bound)}: its members are not known`, {
    details: { column: bound.column.name },
  });
}

export function describe({ column, wire }: BoundColumn): string {
  return `column ${column.name} of type ${columnTypeName(wire.type)}`;
}
