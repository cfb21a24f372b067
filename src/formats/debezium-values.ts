import type { Value } from '../core/change.ts';
import type { Column, TableSchema } from '../core/table-schema.ts';
import { epochDays, epochMicros, timeMicros } from './calendar.ts';
import { base64, jsonString } from './json-text.ts';
import { jsonEncoding } from './json.ts';
import type { LineEncoderOptions } from './line-encoder.ts';
import type { ChooseEncoding, ColumnEncoding, ValueEncoder } from './row-encoder.ts';

/**
 * Debezium's representation of each type, with `decimal.handling.mode=string`, `bigint.unsigned.handling.mode=precise`,
 * `time.precision.mode=adaptive_time_microseconds`, `binary.handling.mode=base64` and the JSON converter's
 * `decimal.format=NUMERIC`.
 */
export function debeziumEncoding(warn: LineEncoderOptions['warn']): ChooseEncoding {
  return (column, table) => encodingOf(column, { table, warn });
}

function encodingOf(
  column: Column,
  { table, warn }: { table: TableSchema; warn: LineEncoderOptions['warn'] },
): ColumnEncoding {
  const dated = (inCalendar: (text: string) => string | null, epoch: string): ValueEncoder =>
    withSubstitute(inCalendar, { column, table, warn, epoch });
  switch (column.type) {
    case 'date':
      return dated((text) => epochDays(text)?.toString() ?? null, '0');
    case 'datetime': {
      const unit = (column.length ?? 0) <= 3 ? 1000n : 1n;
      // The digits behind the unit are zero, so the division is exact.
      return dated((text) => ((micros) => (micros === null ? null : String(micros / unit)))(epochMicros(text)), '0');
    }
    case 'timestamp':
      return dated((text) => (epochDays(text) === null ? null : jsonString(text)), '"1970-01-01T00:00:00Z"');
    case 'time':
      return (value) => timeMicros(value as string)?.toString();
    case 'bit':
      if (column.length === 1) return (value) => (Number(value) === 1 ? 'true' : 'false');
      return (value) => jsonString(base64(littleEndian(value as number | bigint, column.length ?? 64)));
    case 'json':
      return (value) => jsonString(value as string);
    case 'geometry':
      return (value) => geometry(value as Uint8Array);
    default:
      return jsonEncoding(column);
  }
}

/**
 * Debezium has no form for `0000-00-00` and dates like it: it writes null, or 1970-01-01 in a column that has no null. So does
 * this format, for its consumers' sake, but says so once per column.
 */
function withSubstitute(
  inCalendar: (text: string) => string | null,
  context: { column: Column; table: TableSchema; warn: LineEncoderOptions['warn']; epoch: string },
): ValueEncoder {
  const { column, table, warn, epoch } = context;
  const substitute = column.nullable ? 'null' : epoch;
  let warned = false;
  return (value: NonNullable<Value>) => {
    const text = inCalendar(value as string);
    if (text !== null) return text;
    if (!warned) {
      warned = true;
      warn(
        { database: table.database, table: table.name, column: column.name },
        `zero or partial dates become ${column.nullable ? 'null' : '1970-01-01'}: the debezium format has no form for them`,
      );
    }
    return substitute;
  };
}

function littleEndian(value: number | bigint, bits: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes.subarray(0, Math.ceil(bits / 8));
}

/** The server's bytes are the reference system (u32 LE) and standard WKB; 0 means that none was given. */
function geometry(bytes: Uint8Array): string | undefined {
  if (bytes.length < 4) return undefined;
  const srid = Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32LE();
  return `{"wkb":"${base64(bytes.subarray(4))}","srid":${srid === 0 ? 'null' : srid}}`;
}
