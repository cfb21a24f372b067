import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { binlogFixtures, fixtureEvents } from '../../../../test/support/fixtures.ts';
import { accepts, cutsAccepted, frame, u16, u32, u64, u8 } from '../../../../test/support/frames.ts';
import { type ControlEvent, decodeControlEvent } from './control-event.ts';
import { emptyEventHeader } from './event-header.ts';
import { type BinlogFlavour, EVENT, eventTypeName } from './event-types.ts';

function decoder(type: number, flavour: BinlogFlavour, nextPosition = 4): (body: Buffer) => ControlEvent | null {
  return (body) => decodeControlEvent({ ...emptyEventHeader(), type, nextPosition }, flavour, body);
}

interface Example {
  readonly name: string;
  readonly type: number;
  readonly flavour: BinlogFlavour;
  readonly nextPosition?: number;
  readonly body: Buffer;
  readonly event: ControlEvent;
  /** Where a cut cannot be seen, and why. */
  readonly cuts?: { readonly from: number; readonly why: string };
}

const file = 'binlog.000042';
const toTheEnd = (from: number): { from: number; why: string } => ({ from, why: 'the last field runs to the end' });

const examples: readonly Example[] = [
  {
    name: 'ROTATE',
    type: EVENT.ROTATE,
    flavour: 'mysql',
    body: frame(u64(2n ** 40n), file), // position, file
    event: { kind: 'rotate', position: 2 ** 40, file },
    cuts: toTheEnd(9),
  },
  {
    name: 'XID',
    type: EVENT.XID,
    flavour: 'mysql',
    body: frame(u64(2n ** 64n - 1n)), // xid
    event: { kind: 'xid', xid: 2n ** 64n - 1n },
  },
  {
    name: 'XA_PREPARE',
    type: EVENT.XA_PREPARE,
    flavour: 'mysql',
    // one phase, format id, lengths, gtrid, bqual
    body: frame(u8(1), u32(7), u32(3), u32(2), 'abc', 'de'),
    event: {
      kind: 'xa-prepare',
      onePhase: true,
      xid: { formatId: 7, gtrid: Buffer.from('abc'), bqual: Buffer.from('de') },
    },
  },
  {
    name: 'INCIDENT',
    type: EVENT.INCIDENT,
    flavour: 'mysql',
    body: frame(u16(1), u8(4), 'lost'), // incident, length, message
    event: { kind: 'incident', incident: 1, message: 'lost' },
  },
  {
    name: 'HEARTBEAT',
    type: EVENT.HEARTBEAT,
    flavour: 'mysql',
    nextPosition: 0, // which means nothing on MySQL
    body: frame(file), // file
    event: { kind: 'heartbeat', file, position: null },
    cuts: toTheEnd(1),
  },
  {
    name: 'HEARTBEAT of MariaDB beyond 4 GiB',
    type: EVENT.HEARTBEAT,
    flavour: 'mariadb',
    nextPosition: 0,
    body: frame(u64(2n ** 33n), file), // position, file
    event: { kind: 'heartbeat', file, position: 2 ** 33 },
    cuts: toTheEnd(9),
  },
  {
    name: 'HEARTBEAT_V2',
    type: EVENT.HEARTBEAT_V2,
    flavour: 'mysql',
    body: frame(
      [1, file.length], // file
      file,
      [9, 2, 0, 0], // a field that is not known
      [2, 9, 0xfe, ...u64(2n ** 33n)], // position
      [0], // end
    ),
    event: { kind: 'heartbeat', file, position: 2 ** 33 },
  },
  {
    name: 'TRANSACTION_PAYLOAD',
    type: EVENT.TRANSACTION_PAYLOAD,
    flavour: 'mysql',
    body: frame(
      [2, 1, 0], // compression: zstd
      [3, 3, 0xfc, ...u16(300)], // uncompressed size
      [77, 1, 5], // a field that is not known
      [1, 1, 4], // payload size
      [0], // end
      [1, 2, 3, 4],
    ),
    event: {
      kind: 'transaction-payload',
      compression: 'zstd',
      uncompressedLength: 300,
      payload: Buffer.from([1, 2, 3, 4]),
    },
  },
  {
    name: 'ANNOTATE_ROWS',
    type: EVENT.ANNOTATE_ROWS,
    flavour: 'mariadb',
    body: frame('DELETE FROM t'),
    event: { kind: 'annotate-rows', statement: Buffer.from('DELETE FROM t') },
    cuts: toTheEnd(0),
  },
  {
    name: 'ROWS_QUERY',
    type: EVENT.ROWS_QUERY,
    flavour: 'mysql',
    body: frame(u8(13), 'DELETE FROM t'), // length, statement
    event: { kind: 'rows-query', statement: Buffer.from('DELETE FROM t') },
    cuts: toTheEnd(1),
  },
  {
    name: 'BINLOG_CHECKPOINT',
    type: EVENT.BINLOG_CHECKPOINT,
    flavour: 'mariadb',
    body: frame(u32(file.length), file),
    event: { kind: 'binlog-checkpoint', file },
  },
  {
    name: 'START_ENCRYPTION',
    type: EVENT.START_ENCRYPTION,
    flavour: 'mariadb',
    body: frame(u8(1), u32(2), 'nonce_of_12_'), // scheme, key version, nonce
    event: { kind: 'start-encryption', scheme: 1, keyVersion: 2, nonce: Buffer.from('nonce_of_12_') },
  },
  {
    name: 'PARTIAL_ROW_DATA',
    type: EVENT.PARTIAL_ROW_DATA,
    flavour: 'mariadb',
    body: frame(u32(3), u32(1), u8(1), u64(5000), [7, 8]), // fragments, fragment, flags, original length, data
    event: {
      kind: 'partial-row-data',
      fragments: 3,
      fragment: 1,
      originalLength: 5000,
      data: Buffer.from([7, 8]),
    },
    cuts: toTheEnd(17),
  },
  {
    name: 'LARGE_TRANSACTION_HEADER',
    type: EVENT.LARGE_TRANSACTION_HEADER,
    flavour: 'mysql',
    body: frame(u8(1), u64(123456), u8(16)), // version, end position, end type
    event: { kind: 'large-transaction-header', endPosition: 123456, endType: 16 },
  },
  {
    name: 'TRANSACTION_CONTEXT',
    type: EVENT.TRANSACTION_CONTEXT,
    flavour: 'mysql',
    body: frame(
      u8(4), // uuid length
      u32(12), // thread id
      u8(0), // gtid specified
      u32(3), // snapshot length
      u32(1), // write set count
      u32(1), // read set count
      'uuid',
      'abc',
      u16(2),
      'ws',
      u16(2),
      'rs',
    ),
    event: { kind: 'transaction-context', serverUuid: 'uuid', threadId: 12 },
  },
  {
    name: 'VIEW_CHANGE',
    type: EVENT.VIEW_CHANGE,
    flavour: 'mysql',
    body: frame('15:1'.padEnd(40, '\0'), u64(9), u32(1), u16(1), 'k', u32(2), 'va'), // view, sequence, certification
    event: { kind: 'view-change', viewId: '15:1', sequence: 9n },
  },
  {
    name: 'INTVAR',
    type: EVENT.INTVAR,
    flavour: 'mysql',
    body: frame(u8(2), u64(2n ** 64n - 1n)), // type, value
    event: { kind: 'intvar', variable: 'insert-id', value: 2n ** 64n - 1n },
  },
  {
    name: 'RAND',
    type: EVENT.RAND,
    flavour: 'mysql',
    body: frame(u64(1), u64(2)),
    event: { kind: 'rand', seed1: 1n, seed2: 2n },
  },
  {
    name: 'USER_VAR',
    type: EVENT.USER_VAR,
    flavour: 'mysql',
    body: frame(u32(1), 'n', u8(0), u8(2), u32(63), u32(2), [5, 0], u8(1)), // name, not null, type, collation, value, flags
    event: {
      kind: 'user-var',
      name: 'n',
      value: { type: 2, collation: 63, bytes: Buffer.from([5, 0]), unsigned: true },
    },
    cuts: { from: 17, why: 'the flags are an optional tail' },
  },
  {
    name: 'USER_VAR of NULL',
    type: EVENT.USER_VAR,
    flavour: 'mariadb',
    body: frame(u32(1), 'n', u8(1)),
    event: { kind: 'user-var', name: 'n', value: null },
  },
  {
    name: 'BEGIN_LOAD_QUERY',
    type: EVENT.BEGIN_LOAD_QUERY,
    flavour: 'mysql',
    body: frame(u32(3), 'a,b'),
    event: { kind: 'begin-load-query', fileId: 3, block: Buffer.from('a,b') },
    cuts: toTheEnd(4),
  },
  {
    name: 'APPEND_BLOCK',
    type: EVENT.APPEND_BLOCK,
    flavour: 'mysql',
    body: frame(u32(3), 'a,b'),
    event: { kind: 'append-block', fileId: 3, block: Buffer.from('a,b') },
    cuts: toTheEnd(4),
  },
  {
    name: 'DELETE_FILE',
    type: EVENT.DELETE_FILE,
    flavour: 'mysql',
    body: frame(u32(3)),
    event: { kind: 'delete-file', fileId: 3 },
  },
  {
    name: 'EXECUTE_LOAD_QUERY',
    type: EVENT.EXECUTE_LOAD_QUERY,
    flavour: 'mysql',
    body: frame(
      frame(u32(7), u32(0), u8(2), u16(0), u16(5)), // thread id, execution time, database length, error code, variables length
      frame(u32(3), u32(10), u32(14), u8(2)), // file id, file name start and end, duplicates
      [0, ...u32(1)], // variables: flags2
      'db\0',
      "LOAD DATA 'f' …",
    ),
    event: {
      kind: 'execute-load-query',
      threadId: 7,
      executionTime: 0,
      errorCode: 0,
      database: 'db',
      variables: { flags2: 1 },
      query: Buffer.from("LOAD DATA 'f' …"),
      fileId: 3,
      fileNameStart: 10,
      fileNameEnd: 14,
      duplicates: 'replace',
    },
    cuts: toTheEnd(48),
  },
];

describe.each(examples)('$name', ({ type, flavour, nextPosition, body, event, cuts }) => {
  const decode = decoder(type, flavour, nextPosition);

  test('is read field by field', () => {
    expect(decode(body)).toEqual(event);
  });

  test(`is refused when it is cut${cuts === undefined ? '' : `, before byte ${cuts.from}: ${cuts.why}`}`, () => {
    const accepted = cutsAccepted(decode, body);
    const expected = cuts === undefined ? [] : [...body.keys()].filter((length) => length >= cuts.from);
    expect(accepted).toEqual(expected);
  });
});

test('events without fields are recognised', () => {
  expect(decoder(EVENT.STOP, 'mysql')(Buffer.alloc(0))).toEqual({ kind: 'stop' });
  expect(decoder(EVENT.IGNORABLE, 'mysql')(Buffer.from('anything'))).toEqual({ kind: 'ignorable' });
});

test('rows, table maps, obsolete types and those of the other flavour are left to the caller', () => {
  const left = (flavour: BinlogFlavour): string[] =>
    Array.from({ length: 256 }, (_, type) => type)
      .filter((type) => {
        const decode = decoder(type, flavour);
        let event: ControlEvent | null | 'refused' = 'refused';
        accepts((body) => (event = decode(body)), Buffer.alloc(0));
        return event === null;
      })
      .map((type) => eventTypeName(type, flavour))
      .filter((name) => !name.startsWith('event type'));
  const both =
    'START_V3 LOAD SLAVE CREATE_FILE EXEC_LOAD NEW_LOAD TABLE_MAP PRE_GA_WRITE_ROWS PRE_GA_UPDATE_ROWS PRE_GA_DELETE_ROWS ' +
    'WRITE_ROWS_V1 UPDATE_ROWS_V1 DELETE_ROWS_V1 WRITE_ROWS UPDATE_ROWS DELETE_ROWS';
  expect(left('mysql').join(' ')).toBe(`${both} PARTIAL_UPDATE_ROWS`);
  expect(left('mariadb').join(' ')).toBe(
    `${both} WRITE_ROWS_COMPRESSED_V1 UPDATE_ROWS_COMPRESSED_V1 DELETE_ROWS_COMPRESSED_V1 ` +
      'WRITE_ROWS_COMPRESSED UPDATE_ROWS_COMPRESSED DELETE_ROWS_COMPRESSED',
  );
  expect(decoder(EVENT.GTID_TAGGED, 'mariadb')(Buffer.alloc(100))).toBeNull();
  expect(decoder(EVENT.MARIADB_GTID, 'mysql')(Buffer.alloc(100))).toBeNull();
});

test.each([
  ['a position beyond any file', EVENT.ROTATE, 'mysql', frame(u64(2n ** 63n), file)],
  ['a gtrid of 65 bytes', EVENT.XA_PREPARE, 'mysql', frame(u8(0), u32(1), u32(65), u32(0), 'x'.repeat(65))],
  ['an incident of none', EVENT.INCIDENT, 'mysql', frame(u16(0), u8(0))],
  ['an unknown compression', EVENT.TRANSACTION_PAYLOAD, 'mysql', frame([2, 1, 1], [1, 1, 0], [0])],
  ['no payload size', EVENT.TRANSACTION_PAYLOAD, 'mysql', frame([2, 1, 0], [0])],
  ['no file', EVENT.HEARTBEAT_V2, 'mysql', frame([0])],
  ['fragment 0', EVENT.PARTIAL_ROW_DATA, 'mariadb', frame(u32(3), u32(0), u8(0))],
  ['fragment 4 of 3', EVENT.PARTIAL_ROW_DATA, 'mariadb', frame(u32(3), u32(4), u8(0))],
  ['an unknown variable type', EVENT.INTVAR, 'mysql', frame(u8(3), u64(1))],
  ['an unknown version', EVENT.LARGE_TRANSACTION_HEADER, 'mysql', frame(u8(2), u64(1), u8(1))],
  ['a view without a name', EVENT.VIEW_CHANGE, 'mysql', frame('\0'.repeat(40), u64(1), u32(0))],
] as const)('%s is refused as corrupt', (_, type, flavour, body) => {
  expect(() => decoder(type, flavour)(body)).toThrow(expect.objectContaining({ code: 'BINLOG_CORRUPT' }));
});

describe('recorded from real servers', () => {
  test.each(binlogFixtures())('%s: every event is decoded, or is one about rows', (name) => {
    const events = fixtureEvents(name);
    expect(events.length).toBeGreaterThan(4);
    for (const { header, format, body } of events) {
      const event = decodeControlEvent(header, format.flavour, body);
      const typeName = eventTypeName(header.type, format.flavour);
      expect(event === null).toBe(
        /ROWS(_COMPRESSED)?(_V1)?$|^TABLE_MAP$/.test(typeName) && typeName !== 'ANNOTATE_ROWS',
      );
    }
  });

  test('whatever is cut or changed in one of them, a decoder refuses it in the right way or reads on', () => {
    const all = binlogFixtures()
      .flatMap(fixtureEvents)
      .filter(({ header, format, body }) => decodeControlEvent(header, format.flavour, body) !== null);
    for (const { header, format, body } of all) {
      cutsAccepted((cut) => decodeControlEvent(header, format.flavour, cut), body);
    }
    fc.assert(
      fc.property(
        fc.constantFrom(...all),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 }),
        (event, edits) => {
          const body = Buffer.from(event.body);
          for (const [at, byte] of edits) if (body.length > 0) body[at % body.length] = byte;
          accepts((changed) => decodeControlEvent(event.header, event.format.flavour, changed), body);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
