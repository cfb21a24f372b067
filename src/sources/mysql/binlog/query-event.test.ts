import { deflateSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { accepts, cutsAccepted, frame, u16, u24, u32, u64, u8 } from '../../../../test/support/frames.ts';
import {
  decodeQueryCompressedEvent,
  decodeQueryEvent,
  isBeginQuery,
  isCommitQuery,
  queryTextStart,
} from './query-event.ts';
import { uncompressEventData } from './uncompress-event.ts';

function query(variables: Buffer, text: Buffer | string, database = 'shop'): Buffer {
  return frame(
    u32(7), // thread id
    u32(3), // execution time
    u8(Buffer.byteLength(database)), // database length
    u16(1062), // error code
    u16(variables.length), // variables length
    variables,
    database,
    u8(0),
    text,
  );
}

describe('status variables', () => {
  test('of MySQL are all read', () => {
    const variables = frame(
      [0, ...u32(0x4000)], // flags2
      [1, ...u64(0x1_0000_0001n)], // sql_mode
      [3, ...u16(5), ...u16(2)], // auto_increment
      [6, 3],
      'std', // catalog
      [4, ...u16(255), ...u16(45), ...u16(8)], // collations
      [5, 6],
      'SYSTEM', // time_zone
      [7, ...u16(4)], // lc_time_names
      [8, ...u16(33)], // collation_database
      [9, ...u64(3)], // table map for update
      [11, 4],
      'root',
      [1],
      '%', // invoker
      [12, 2],
      'shop\0crm\0', // updated databases
      [13, ...u24(123456)], // microseconds
      [16, 1], // explicit_defaults_for_timestamp
      [17, ...u64(99)], // ddl xid
      [18, ...u16(255)], // default_collation_for_utf8mb4
      [19, 0], // sql_require_primary_key
      [20, 1], // default_table_encryption
    );
    const event = decodeQueryEvent(query(variables, 'DROP TABLE t'));
    expect(event).toMatchObject({
      kind: 'query',
      threadId: 7,
      executionTime: 3,
      errorCode: 1062,
      database: 'shop',
      query: Buffer.from('DROP TABLE t'),
    });
    expect(event.variables).toEqual({
      flags2: 0x4000,
      sqlMode: 0x1_0000_0001n,
      autoIncrementIncrement: 5,
      autoIncrementOffset: 2,
      catalog: 'std',
      clientCollation: 255,
      connectionCollation: 45,
      serverCollation: 8,
      timeZone: 'SYSTEM',
      lcTimeNames: 4,
      databaseCollation: 33,
      tableMapForUpdate: 3n,
      invoker: { user: 'root', host: '%' },
      updatedDatabases: ['shop', 'crm'],
      microseconds: 123456,
      explicitDefaultsForTimestamp: true,
      ddlXid: 99n,
      defaultCollationForUtf8mb4: 255,
      sqlRequirePrimaryKey: false,
      defaultTableEncryption: true,
    });
  });

  test('of MariaDB are all read, the collations before the others as 11.5 writes them', () => {
    const variables = frame(
      [131, 2, ...u16(33), ...u16(83), ...u16(45), ...u16(2304)], // character_set_collations
      [4, ...u16(224), ...u16(224), ...u16(8)],
      [128, ...u24(999999)], // microseconds
      [129, ...u64(2n ** 63n)], // xid
      [130, 4, ...u64(2n ** 53n + 1n)], // GTID flags: COMMIT ALTER, and the sequence of its start
    );
    expect(decodeQueryEvent(query(variables, 'ALTER TABLE t ADD c INT')).variables).toEqual({
      characterSetCollations: [
        { charset: 33, collation: 83 },
        { charset: 45, collation: 2304 },
      ],
      clientCollation: 224,
      connectionCollation: 224,
      serverCollation: 8,
      microseconds: 999999,
      ddlXid: 2n ** 63n,
      gtidFlagsExtra: 4,
      startAlterSequence: 9007199254740993n,
    });
  });

  test('GTID flags of a START ALTER are not followed by a number', () => {
    const variables = frame([130, 2], [128, ...u24(5)]);
    expect(decodeQueryEvent(query(variables, 'x')).variables).toEqual({ gtidFlagsExtra: 2, microseconds: 5 });
  });

  test('the old forms are read: a catalog ending in 0, and the original length', () => {
    const variables = frame([2, 3], 'std\0', [10, ...u32(100)], [0, ...u32(1)]);
    expect(decodeQueryEvent(query(variables, 'x')).variables).toEqual({ catalog: 'std', flags2: 1 });
  });

  test('too many updated databases are not listed', () => {
    const variables = frame([12, 254], [13, ...u24(1)]);
    expect(decodeQueryEvent(query(variables, 'x')).variables).toEqual({ updatedDatabases: null, microseconds: 1 });
  });

  test('an unknown code ends the walk and harms neither database nor query', () => {
    const variables = frame([0, ...u32(1)], [99, 1, 2, 3, 0, 0, 0, 0, 0]);
    const event = decodeQueryEvent(query(variables, 'CREATE TABLE t (id INT)', 'größe'));
    expect(event.variables).toEqual({ flags2: 1, unknownCode: 99 });
    expect(event.database).toBe('größe');
    expect(event.query.toString()).toBe('CREATE TABLE t (id INT)');
  });

  test('a variable that reaches beyond their length is refused, though the event goes on', () => {
    const body = query(frame([1, 0, 0, 0]), 'a long enough query text');
    expect(() => decodeQueryEvent(body)).toThrow(expect.objectContaining({ code: 'BINLOG_TRUNCATED' }));
    expect(() => decodeQueryEvent(body)).toThrow('QUERY event: "sql_mode" needs 8 bytes');
    expect(accepts(decodeQueryEvent, query(frame([12, 2], 'a\0b'), 'text'))).toBe(false);
  });
});

test('the query is handed over as bytes, with the collation that tells their character set', () => {
  const gbk = Buffer.from([0xba, 0xba, 0xd7, 0xd6]);
  const event = decodeQueryEvent(query(frame([4, ...u16(28), ...u16(28), ...u16(8)]), gbk));
  expect(event.query).toEqual(gbk);
  expect(event.variables.clientCollation).toBe(28);
});

test('every cut before the query is refused; a cut inside it cannot be seen', () => {
  const body = query(frame([0, ...u32(1)], [6, 3], 'std'), 'BEGIN');
  const queryStart = body.length - 5;
  expect(cutsAccepted(decodeQueryEvent, body)).toEqual([0, 1, 2, 3, 4].map((i) => queryStart + i));
});

describe('without decoding', () => {
  const variables = frame([0, ...u32(1)]);

  test('BEGIN and COMMIT are told from everything else', () => {
    const inside = (text: string): [Buffer, number, number] => {
      const body = query(variables, text);
      return [frame([9, 9], body, [9]), 2, 2 + body.length];
    };
    expect(isBeginQuery(...inside('BEGIN'))).toBe(true);
    expect(isCommitQuery(...inside('COMMIT'))).toBe(true);
    for (const text of ['begin', 'BEGIM', 'BEGIN ', 'COMMIT', '', 'XA COMMIT 1']) {
      expect(isBeginQuery(...inside(text))).toBe(false);
    }
    for (const text of ['commit', 'COMMIX', 'BEGIN', 'COMMIT;', '']) expect(isCommitQuery(...inside(text))).toBe(false);
  });

  test('the statement starts where the decoder finds it, and the same cuts are refused', () => {
    const body = query(variables, 'BEGIN');
    expect(body.subarray(queryTextStart(body, 0, body.length)).toString()).toBe('BEGIN');
    const cuts = cutsAccepted((cut) => queryTextStart(cut, 0, cut.length), body);
    expect(cuts).toEqual(cutsAccepted(decodeQueryEvent, body));
  });
});

describe('compressed', () => {
  const text = 'INSERT INTO t VALUES (1)'.repeat(20);
  const compressed = frame(
    [0x80 | 2], // zlib, two bytes of length
    [text.length >> 8, text.length & 0xff], // big-endian
    deflateSync(text),
  );

  test('a query is uncompressed, the rest of the event is read as ever', () => {
    const event = decodeQueryCompressedEvent(query(frame([0, ...u32(1)]), compressed));
    expect(event).toMatchObject({ kind: 'query', database: 'shop', variables: { flags2: 1 } });
    expect(event.query.toString()).toBe(text);
  });

  test('every cut is refused', () => {
    const body = query(frame([0, ...u32(1)]), compressed);
    expect(cutsAccepted(decodeQueryCompressedEvent, body)).toEqual([]);
    expect(cutsAccepted((data) => uncompressEventData(data, 'QUERY_COMPRESSED'), compressed)).toEqual([]);
  });

  test.each([
    ['an unmarked header', frame([0x02], [1, 224], deflateSync(text))],
    ['an unknown algorithm', frame([0x92], [1, 224], deflateSync(text))],
    ['five bytes of length', frame([0x85], [0, 0, 0, 1, 224], deflateSync(text))],
    ['no bytes of length', frame([0x80], deflateSync(text))],
    ['a length of 0', frame([0x81], [0], deflateSync(''))],
    ['a length beyond any event', frame([0x84], [255, 255, 255, 255], deflateSync(text))],
    ['a length too small', frame([0x82], [1, 223], deflateSync(text))],
    ['a length too large', frame([0x82], [1, 225], deflateSync(text))],
    ['data that is no zlib stream', frame([0x82], [1, 224], 'x'.repeat(40))],
  ])('%s is refused', (_, data) => {
    expect(() => uncompressEventData(data, 'QUERY_COMPRESSED')).toThrow(
      expect.objectContaining({ code: 'BINLOG_CORRUPT' }),
    );
  });

  test('whatever was compressed comes back, whatever the bytes of its length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 70_000 }), (data) => {
        const lengthBytes = data.length < 0x100 ? 1 : data.length < 0x1_0000 ? 2 : 3;
        const length = Buffer.alloc(lengthBytes);
        length.writeUIntBE(data.length, 0, lengthBytes);
        const packed = frame([0x80 | lengthBytes], length, deflateSync(data));
        expect(uncompressEventData(packed, 'ROWS').equals(data)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});
