import { expect, test } from 'vitest';
import { cutsAccepted, frame, u16, u32, u8 } from '../../../../test/support/frames.ts';
import { decodeEventHeader, emptyEventHeader, readEventHeaderInto } from './event-header.ts';
import { EVENT, type BinlogFlavour, eventTypeName, isKnownEventType } from './event-types.ts';

const header = frame(
  u32(1795267586), // timestamp
  u8(16), // type: XID
  u32(4294967295), // server id
  u32(31), // length
  u32(4294967290), // next position
  u16(0x8080), // flags: ignorable, skip replication
);

test('a header is read field by field, and every cut of it is refused', () => {
  expect(decodeEventHeader(header)).toEqual({
    timestamp: 1795267586,
    type: EVENT.XID,
    serverId: 4294967295,
    length: 31,
    nextPosition: 4294967290,
    flags: 0x8080,
  });
  expect(cutsAccepted(decodeEventHeader, header)).toEqual([]);
});

test('a header in the middle of a buffer is read from where it starts', () => {
  const target = emptyEventHeader();
  const buffer = frame([1, 2, 3], header, [4, 5]);
  readEventHeaderInto(buffer, 3, buffer.length, target);
  expect(target).toEqual(decodeEventHeader(header));
});

test('a length less than the header is refused', () => {
  const short = Buffer.from(header);
  short.writeUInt32LE(18, 9);
  expect(() => decodeEventHeader(short)).toThrow(expect.objectContaining({ code: 'BINLOG_CORRUPT' }));
});

test('each flavour knows its own types, and those of both', () => {
  const known = (flavour: BinlogFlavour): number[] =>
    Array.from({ length: 256 }, (_, code) => code).filter((code) => isKnownEventType(code, flavour));
  const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  expect(known('mysql')).toEqual(range(1, 43));
  expect(known('mariadb')).toEqual([...range(1, 38), ...range(160, 172)]);
});

test('a type is named in messages, one that the flavour does not have by its number', () => {
  expect(eventTypeName(EVENT.GTID_TAGGED, 'mysql')).toBe('GTID_TAGGED');
  expect(eventTypeName(EVENT.GTID_TAGGED, 'mariadb')).toBe('event type 42');
  expect(eventTypeName(EVENT.MARIADB_GTID, 'mysql')).toBe('event type 162');
  expect(eventTypeName(255, 'mariadb')).toBe('event type 255');
});
