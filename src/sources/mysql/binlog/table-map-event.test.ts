import { describe, expect, test } from 'vitest';
import { cutsAccepted, frame, u16, u8 } from '../../../../test/support/frames.ts';
import { COLUMN_TYPE } from './column-types.ts';
import { decodeTableMapEvent, type TableMapEvent } from './table-map-event.ts';

const T = COLUMN_TYPE;

interface Parts {
  readonly types: readonly number[];
  /** Metadata of the types, one behind the other. */
  readonly metadata?: readonly number[];
  readonly nulls?: readonly number[];
  readonly optional?: Buffer;
}

function body({ types, metadata = [], nulls = [], optional = frame() }: Parts): Buffer {
  return frame(
    [0x2a, 0, 0, 0, 0, 1], // table id
    u16(1), // flags
    u8(4), // database length
    'shop',
    u8(0),
    u8(6), // table length
    'orders',
    u8(0),
    u8(types.length), // column count
    types,
    u8(metadata.length), // metadata length
    metadata,
    nulls.length > 0 ? nulls : types.filter((_, i) => i % 8 === 0).map(() => 0), // null bitmap
    optional,
  );
}

function decode(parts: Parts): TableMapEvent {
  return decodeTableMapEvent(body(parts), 'mysql');
}

/** A field of the optional metadata. */
function field(code: number, ...value: readonly (readonly number[] | string)[]): Buffer {
  const bytes = frame(...value);
  return frame(u8(code), u8(bytes.length), bytes);
}

describe('TABLE_MAP', () => {
  test('names the table, and the type, size and nullability of every column', () => {
    const event = decode({
      types: [T.LONG, T.VARCHAR, T.NEWDECIMAL, T.BIT, T.BLOB, T.DATETIME2, T.STRING, T.STRING, T.STRING],
      metadata: [
        ...u16(1020), // VARCHAR: bytes
        ...[10, 2], // DECIMAL: precision, scale
        ...[3, 2], // BIT: bits beside whole bytes, bytes
        ...[2], // BLOB: bytes of the length
        ...[6], // DATETIME: digits
        ...[0xf7, 2], // ENUM of two bytes, hidden in STRING
        ...[0xf8, 8], // SET of eight
        ...[0xfe, 30], // CHAR of 30 bytes
      ],
      nulls: [0b0000_0010, 1],
    });
    expect(event).toMatchObject({ tableId: 0x0100_0000_002a, database: 'shop', table: 'orders', metadata: null });
    expect(event.columns.map(({ type, size, scale }) => [type, size, scale])).toEqual([
      [T.LONG, 0, 0],
      [T.VARCHAR, 1020, 0],
      [T.NEWDECIMAL, 10, 2],
      [T.BIT, 19, 0],
      [T.BLOB, 2, 0],
      [T.DATETIME2, 6, 0],
      [T.ENUM, 2, 0],
      [T.SET, 8, 0],
      [T.STRING, 30, 0],
    ]);
    expect(event.columns.map(({ nullable }) => nullable)).toEqual([
      false,
      true,
      false,
      false,
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  test.each([
    // Two bits of the length lie, inverted, where 0xfe has 0x30.
    [255, [0xfe, 0xff]],
    [256, [0xee, 0x00]], // utf8mb4 × 64
    [512, [0xde, 0x00]],
    [765, [0xde, 0xfd]], // utf8mb3 × 255
    [1020, [0xce, 0xfc]], // utf8mb4 × 255
  ])('a CHAR of %i bytes is a STRING whatever its length does to the type', (size, metadata) => {
    expect(decode({ types: [T.STRING], metadata }).columns).toEqual([
      { type: T.STRING, size, scale: 0, nullable: false },
    ]);
  });

  test('has more than 250 columns', () => {
    const types = Array.from({ length: 300 }, () => T.TINY);
    const wide = frame(
      [1, 0, 0, 0, 0, 0],
      u16(1),
      u8(1),
      'd',
      u8(0),
      u8(1),
      't',
      u8(0),
      [0xfc, ...u16(300)],
      types,
      u8(0),
      Buffer.alloc(38, 0xff),
    );
    expect(decodeTableMapEvent(wide, 'mariadb').columns).toHaveLength(300);
  });

  test('with all optional metadata', () => {
    const optional = frame(
      field(1, [0b1010_0000]), // signedness, the first column's bit is the highest
      field(2, [0xfc, ...u16(255), 1, 8]), // default character set: 255, but 8 for the second
      field(4, [2], 'id', [1], 'v', [1], 'e'), // names
      field(5, [1, 2], 'ab'), // SET members: one set of one member of two bytes
      field(6, [2, 1], 'x', [3], 'y,z'), // ENUM members
      field(8, [2, 0]), // primary key, in key order
      field(10, [33]), // default character set of ENUM and SET
      field(12, [0b0110_0000]), // visibility
      field(13, [3]), // dimensions
      field(200, [1, 2, 3]), // of a later version
    );
    const { metadata } = decode({ types: [T.LONG, T.VARCHAR, T.STRING], metadata: [...u16(10), 0xf7, 1], optional });
    expect(metadata).toEqual({
      unsigned: [true, false, true, false, false, false, false, false],
      charsets: { kind: 'default', collation: 255, exceptions: new Map([[1, 8]]) },
      enumAndSetCharsets: { kind: 'default', collation: 33, exceptions: new Map() },
      names: ['id', 'v', 'e'],
      setMembers: [[Buffer.from('ab')]],
      enumMembers: [[Buffer.from('x'), Buffer.from('y,z')]],
      primaryKey: [2, 0],
      visible: [false, true, true, false, false, false, false, false],
      vectorDimensions: [3],
    });
  });

  test('with character sets as a list, and a key over prefixes', () => {
    const optional = frame(field(3, [33, 0xfc, ...u16(300)]), field(11, [8]), field(9, [1, 10, 0, 0]));
    const { metadata } = decode({ types: [T.VARCHAR, T.VARCHAR], metadata: [...u16(10), ...u16(10)], optional });
    expect(metadata).toMatchObject({
      charsets: { kind: 'list', collations: [33, 300] },
      enumAndSetCharsets: { kind: 'list', collations: [8] },
      primaryKey: [1, 0],
    });
  });

  test('cut anywhere is refused, but for a cut between two fields of the optional metadata', () => {
    const optional = frame(field(1, [0x80]), field(4, [2], 'id', [1], 'v'));
    const whole = body({ types: [T.LONG, T.VARCHAR], metadata: u16(10), optional });
    const before = whole.length - optional.length;
    expect(cutsAccepted((bytes) => decodeTableMapEvent(bytes, 'mysql'), whole)).toEqual([before, before + 3]);
  });

  test.each<[what: string, Parts]>([
    ['a type that no row holds', { types: [20] }],
    ['an unknown type', { types: [100] }],
    ['a DECIMAL of 66 digits', { types: [T.NEWDECIMAL], metadata: [66, 2] }],
    ['a DECIMAL with more decimals than digits', { types: [T.NEWDECIMAL], metadata: [5, 6] }],
    ['a BIT of 65', { types: [T.BIT], metadata: [1, 8] }],
    ['seven digits of a second', { types: [T.TIME2], metadata: [7] }],
    ['a BLOB with a length of five bytes', { types: [T.BLOB], metadata: [5] }],
    ['a SET of nine bytes', { types: [T.STRING], metadata: [0xf8, 9] }],
    ['an ENUM of three bytes', { types: [T.STRING], metadata: [0xf7, 3] }],
    ['a FLOAT of eight bytes', { types: [T.FLOAT], metadata: [8] }],
    ['metadata that no column has', { types: [T.LONG], metadata: [1] }],
    ['a key column that is not there', { types: [T.LONG], optional: field(8, [1]) }],
  ])('with %s is corrupt', (_what, parts) => {
    expect(() => decode(parts)).toThrow(expect.objectContaining({ code: 'BINLOG_CORRUPT' }) as Error);
  });
});
