import type { TextRows } from '../../../src/sources/mysql/snapshot/text-rows/text-row-batch.ts';

/** A value of a result row: text, bytes, or NULL. */
export type ResultValue = string | Buffer | null;

/** A row of the text protocol. Source: MySQL, "Client/Server Protocol", "Text Resultset Row". */
export function textRow(values: readonly ResultValue[]): Buffer {
  return Buffer.concat(
    values.flatMap((value) => {
      if (value === null) return [Buffer.from([0xfb])];
      const bytes = Buffer.from(value as string);
      return [lengthOf(bytes.length), bytes];
    }),
  );
}

function lengthOf(length: number): Buffer {
  if (length < 251) return Buffer.from([length]);
  const field = Buffer.alloc(length < 65_536 ? 3 : length < 16_777_216 ? 4 : 9);
  field[0] = field.length === 3 ? 252 : field.length === 4 ? 253 : 254;
  field.writeUIntLE(length, 1, Math.min(6, field.length - 1));
  return field;
}

/** Rows as they lie in a buffer among other things, none of which may be read. */
export function textRows(rows: readonly (Buffer | readonly ResultValue[])[]): TextRows {
  const starts = new Uint32Array(rows.length);
  const ends = new Uint32Array(rows.length);
  const pieces: Buffer[] = [Buffer.alloc(5, 0x31)];
  let at = 5;
  for (const [i, row] of rows.entries()) {
    const bytes = Buffer.isBuffer(row) ? row : textRow(row);
    starts[i] = at;
    ends[i] = at + bytes.length;
    pieces.push(bytes, Buffer.from([1, 0, 0, i & 0xff]));
    at += bytes.length + 4;
  }
  const bytes = Buffer.concat([...pieces, Buffer.alloc(3, 0x31)]);
  return {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    starts,
    ends,
    count: rows.length,
  };
}
