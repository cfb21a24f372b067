import { LONG_BYTES_MAX } from '../../../../base/avro-bytes.ts';
import { TidingsError } from '../../../../core/errors.ts';
import { avroKind } from '../../../../core/rows/avro-schema.ts';
import { hashKind } from '../../../../core/rows/key-hash.ts';
import type { Column } from '../../../../core/table-schema.ts';
import type { CodeContext } from '../../binlog/rows/column-code.ts';
import { inlineTextCode, RELOAD, type WriteCode, type WriteContext } from '../../binlog/rows/transcode-code.ts';
import { charsetByName, type Charset } from '../../charset/charset.ts';
import type { TextColumn } from './text-columns.ts';

/**
 * Code that reads a column of a result row, for generated functions.
 *
 * In scope are `b` the Buffer with the rows, `v` a DataView over the same bytes, `p` where the value begins and `l` its length, which has
 * been checked; `r` the runtime (text-runtime.ts). The code leaves `p` and `l` alone. Where it writes there are also what transcode-code.ts has: `t`, `d`,
 * `w`, `o`, `q`, `x`.
 */

/**
 * A column of a row: statements around `value`, the code for a value, which leave `p` behind it; `missing` for NULL.
 *
 *     length   u8 up to 250; 251: NULL; 252, 253, 254: a length of 2, 3, 8 bytes follows, little-endian
 *     bytes    as many
 *
 * Source: MySQL, "Client/Server Protocol", "Text Resultset Row" and "Length-Encoded Integer".
 */
export function columnCode({ column }: TextColumn, value: string, missing: string | null): string {
  const present = `
    if (!(l < 251)) { q = l; l = r.longLength(v, p, end, q); p += q === 252 ? 2 : q === 253 ? 3 : 8; }
    if (!(l <= end - p)) r.shortRow();
    ${value}
    p += l;`;
  const name = JSON.stringify(column.name);
  return missing === null
    ? `l = b[p++]; if (l === 251) r.impossibleNull(${name}); ${present}`
    : `l = b[p++]; if (l === 251) { ${missing} } else { ${present} }`;
}

/** Statements that give the value in `target`. */
export function textValueCode({ column, charset }: TextColumn, target: string, context: CodeContext): string {
  switch (column.type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
      return `${target} = r.intValue(b, p, l);`;
    case 'bigint':
      return `${target} = r.bigintValue(b, p, l, ${column.unsigned});`;
    case 'year':
      return `${target} = r.yearValue(b, p, l);`;
    case 'bit':
      return `r.checkBits(l, ${column.length ?? 64}); ${target} = r.bitValue(b, p, l);`;
    case 'decimal':
      return `${target} = r.decimalValue(b, v, p, l);`;
    case 'float':
      return `${target} = r.float32(r.floatValue(b, p, l));`;
    case 'double':
      return `${target} = r.doubleValue(b, p, l);`;
    case 'timestamp':
      return `r.checkLength(l, ${momentBytes(column)}); ${target} = r.timestampValue(b, v, p, l);`;
    case 'date':
    case 'datetime':
      return `r.checkLength(l, ${momentBytes(column)}); ${target} = r.asciiValue(b, v, p, l);`;
    case 'time':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return `${target} = r.asciiValue(b, v, p, l);`;
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set': {
      const known = knownCharset(column, charset);
      const constant = context.constant(known);
      return known.asciiTransparent
        ? `${target} = r.windowText(b, v, p, p + l, ${constant});`
        : `${target} = ${constant}.decode(b, p, p + l);`;
    }
    case 'json': {
      const text = `r.windowText(b, v, p, p + l, ${context.constant(jsonCharset())})`;
      return `${target} = ${context.json === 'parsed' ? `JSON.parse(${text})` : text};`;
    }
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      return `${target} = r.blob(b, p, p + l);`;
    case 'vector':
      return `${target} = r.vector(b, p, p + l);`;
  }
}

/** @param nullable the column's Avro type is a union with null */
export function textWriteCode(text: TextColumn, nullable: boolean, context: WriteContext): WriteCode {
  const { column } = text;
  if (avroKind(column) === 'unsigned') {
    const put = column.type === 'bit' ? 'putBits64' : 'putUnsignedText';
    return { code: `o = r.${put}(d, o, b, p, l, ${nullable ? 2 : 0});`, bytesMax: 32 };
  }
  const { code, bytesMax } = plainCode(text, context);
  return nullable ? { code: `d[o++] = 2; ${code}`, bytesMax: bytesMax + 1 } : { code, bytesMax };
}

function plainCode({ column, charset }: TextColumn, context: WriteContext): WriteCode {
  // What is copied takes its bytes, for which there is room, and its length.
  const copied = (code: string): WriteCode => ({ code, bytesMax: LONG_BYTES_MAX });
  switch (column.type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
      return copied('o = r.putIntText(d, o, b, p, l);');
    case 'int':
      return copied(`o = r.${column.unsigned ? 'putLongText' : 'putIntText'}(d, o, b, p, l);`);
    case 'bigint':
      return copied('o = r.putLongText(d, o, b, p, l);');
    case 'year':
      return copied('o = r.putYearText(d, o, b, p, l);');
    case 'bit':
      return copied(`r.checkBits(l, ${column.length ?? 64}); o = r.putBits(d, o, b, p, l);`);
    case 'decimal':
      return copied('o = r.putDecimalText(b, v, p, l, d, w, o);');
    case 'float':
      return copied('o = r.putFloatText(w, o, b, p, l);');
    case 'double':
      return copied('o = r.putDoubleText(w, o, b, p, l);');
    case 'date':
      return copied('o = r.putDateText(v, p, l, d, w, o);');
    case 'datetime':
      return copied(`r.checkLength(l, ${momentBytes(column)}); o = r.putAsciiText(b, v, p, l, d, w, o);`);
    case 'timestamp':
      return copied(`r.checkLength(l, ${momentBytes(column)}); o = r.putTimestampText(b, v, p, l, d, w, o);`);
    case 'time':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return copied('o = r.putAsciiText(b, v, p, l, d, w, o);');
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
      return copied(textCode(knownCharset(column, charset), context));
    case 'json':
      return copied(textCode(jsonCharset(), context));
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      return copied('o = r.putBlob(b, v, p, l, d, w, o);');
    case 'vector':
      return { code: 'o = r.putVector(b, v, p, l, d, w, o);', bytesMax: 2 * LONG_BYTES_MAX };
  }
}

function textCode(charset: Charset, context: WriteContext): string {
  const constant = context.constant(charset);
  if (charset.name !== 'utf8mb4' && charset.name !== 'utf8mb3') {
    return `o = r.putOtherText(t, o, b, v, p, l, ${constant}, ${context.reserve}); ${RELOAD}`;
  }
  return context.inlineText() ? inlineTextCode(constant) : `o = r.putUtf8(b, v, p, l, d, w, o, ${constant});`;
}

/** Statements that mix the value into the hash `h`. */
export function textMixCode(text: TextColumn, context: CodeContext): string {
  const { column, charset } = text;
  const slow = (): string =>
    `${textValueCode(text, 'x', { ...context, json: 'text' })} h = r.mixValue(h, ${context.constant(column)}, x);`;
  switch (hashKind(column)) {
    case 'integer':
      if (column.type === 'bit' || column.type === 'year') return slow();
      return `h = r.mixIntegerText(h, b, p, l, ${column.unsigned});`;
    case 'double':
      return slow();
    case 'bytes':
      return column.type === 'vector' ? slow() : 'h = r.mixTrimmed(h, b, p, l);';
    case 'folded':
      return `h = r.mixText(h, b, p, l, ${context.constant(knownCharset(column, charset))});`;
    case 'text':
      switch (column.type) {
        case 'date':
        case 'datetime':
        case 'time':
        case 'uuid':
        case 'inet4':
        case 'inet6':
          return 'h = r.mixAsciiText(h, b, p, l);';
        default:
          return slow();
      }
  }
}

/** DATE has ten characters; DATETIME and TIMESTAMP nineteen, and their fraction's. */
function momentBytes({ type, length }: Column): number {
  if (type === 'date') return 10;
  return length === null || length === 0 ? 19 : 20 + length;
}

function knownCharset({ name }: Column, charset: Charset | null): Charset {
  if (charset !== null) return charset;
  throw new TidingsError('COLUMN_TYPE_UNSUPPORTED', `column ${name}: its character set is not known`, {
    details: { column: name },
  });
}

/** MySQL's documents are text in utf8mb4 wherever they are shown. */
function jsonCharset(): Charset {
  return charsetByName('utf8mb4', 'mysql') as Charset;
}
