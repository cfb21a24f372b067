import type { Row, Value } from '../../core/change.ts';
import type { SinkTarget } from '../../core/sink.ts';
import { documentText, unfit } from '../../formats/sink-rows.ts';
import type { AvroOut } from './avro-out.ts';
import { absentNames, daysOf, type FileColumn, microsOf, unscaled } from './file-columns.ts';

/** Writes a column's value; never null. @throws TidingsError when it has no exact form */
type PutValue = (out: AvroOut, value: NonNullable<Value>) => void;

export interface AvroRowWriter {
  /** Every column as a union of null and its type. @throws TidingsError */
  readonly write: (out: AvroOut, row: Row) => void;
  /** The columns that the row does not have; null when it has all. */
  readonly absent: (row: Row) => string | null;
}

/**
 * Generated for the columns, so that each property is read at a place of its own, which the compiler knows the shape of. The text of a generated function holds
 * names as JSON string literals, nothing else from outside.
 */
export function avroRowWriter(columns: readonly FileColumn[], target: SinkTarget): AvroRowWriter {
  const puts = columns.map((column) => putterOf(column, target));
  const reads = columns.map(({ name, isInherited }) => {
    const quoted = JSON.stringify(name);
    return isInherited ? `(Object.hasOwn(r, ${quoted}) ? r[${quoted}] : undefined)` : `r[${quoted}]`;
  });
  const constants = puts.map((_, i) => `const p${i} = puts[${i}];`);
  const writes = reads.map(
    (read, i) => `v = ${read}; if (v === null || v === undefined) o.branch(0); else { o.branch(1); p${i}(o, v); }`,
  );
  const write = generated(`${constants.join('\n')} return (o, r) => { let v; ${writes.join('\n')} };`, puts);
  const tests = reads.map((read) => `${read} !== undefined`);
  const isWhole = generated(`return (r) => ${tests.length === 0 ? 'true' : tests.join(' && ')};`, puts);
  return {
    write: write as AvroRowWriter['write'],
    absent: (row) => ((isWhole as (row: Row) => boolean)(row) ? null : absentNames(columns, row)),
  };
}

function generated(body: string, puts: readonly PutValue[]): unknown {
  // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- made of quoted names and numbers only, see above
  const make = new Function('puts', `'use strict'; ${body}`) as (puts: readonly PutValue[]) => unknown;
  return make(puts);
}

function putterOf({ column, type }: FileColumn, target: SinkTarget): PutValue {
  const refuse = (wanted: string): never => {
    throw unfit(target, column, wanted);
  };
  switch (type.kind) {
    case 'int':
      return (out, value) => {
        if (typeof value !== 'number' || value !== (value | 0)) refuse('a 32-bit integer');
        out.int(value as number);
      };
    case 'long':
      return (out, value) => {
        if (!isInteger(value) || (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value)) {
          refuse('a 64-bit integer');
        }
        out.long(value as number | bigint);
      };
    case 'ulong':
      return (out, value) => {
        if (!isInteger(value) || value < 0 || (typeof value === 'bigint' && BigInt.asUintN(64, value) !== value)) {
          refuse('an unsigned 64-bit integer');
        }
        out.decimal(value as number | bigint);
      };
    case 'decimal': {
      const { precision, scale } = type;
      const wanted = `a decimal of ${precision} digits, ${scale} of them behind the point`;
      return (out, value) => {
        out.decimal(shortUnscaled(value, type) ?? unscaled(value, precision, scale) ?? refuse(wanted));
      };
    }
    case 'float':
      return (out, value) => {
        if (typeof value !== 'number' || (Number.isFinite(value) && !Number.isFinite(Math.fround(value)))) {
          refuse('a float32');
        }
        out.float(value as number);
      };
    case 'double':
      return (out, value) => {
        if (typeof value !== 'number') refuse('a number');
        out.double(value as number);
      };
    case 'date':
      return (out, value) => out.int(daysOf(value) ?? refuse('a date of the calendar'));
    case 'instant':
    case 'datetime':
      return (out, value) => out.long(microsOf(value) ?? refuse('a date of the calendar'));
    case 'string':
      return (out, value) => {
        if (typeof value !== 'string' || !value.isWellFormed()) refuse('a Unicode text');
        out.text(value as string);
      };
    case 'json':
      return (out, value) => {
        const text = documentText(value);
        if (text === null || !text.isWellFormed()) refuse('a JSON document in Unicode');
        out.text(text as string);
      };
    case 'bytes':
      return (out, value) => {
        if (!(value instanceof Uint8Array)) refuse('a Uint8Array');
        out.binary(value as Uint8Array);
      };
    case 'floats':
      return (out, value) => {
        if (!(value instanceof Float32Array)) refuse('a Float32Array');
        out.floats(value as Float32Array);
      };
  }
}

function isInteger(value: Value): value is number | bigint {
  return typeof value === 'bigint' || Number.isSafeInteger(value);
}

/** Digits that every number has. */
const SHORT_DIGITS = 15;
const ZERO = 0x30;
const POINT = 0x2e;
const MINUS = 0x2d;

/** `unscaled` for texts of the type's own form that are short; null for others. */
function shortUnscaled(
  value: Value,
  { precision, scale }: { readonly precision: number; readonly scale: number },
): number | null {
  if (typeof value !== 'string') return null;
  const { length } = value;
  const start = value.charCodeAt(0) === MINUS ? 1 : 0;
  const digits = length - start - (scale === 0 ? 0 : 1);
  if (digits <= scale || digits > precision || digits > SHORT_DIGITS) return null;
  const point = scale === 0 ? length : length - scale - 1;
  if (scale !== 0 && value.charCodeAt(point) !== POINT) return null;
  let number = 0;
  for (let i = start; i < length; i++) {
    if (i === point) continue;
    const digit = value.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return null;
    number = number * 10 + digit;
  }
  return start === 1 ? -number : number;
}
