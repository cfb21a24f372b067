import { expect, test } from 'vitest';
import { fixtureEvents } from '../../../../test/support/fixtures.ts';
import { cutsAccepted, frame, u16, u32, u8 } from '../../../../test/support/frames.ts';
import { EVENT } from './event-types.ts';
import { decodeFormatDescriptionEvent } from './format-description-event.ts';

/** Post-header lengths as MySQL 5.7 (38 types) and MariaDB (171 and more) write them, with the entries that matter. */
function postHeaders(count: number, entries: Readonly<Record<number, number>> = {}): number[] {
  const lengths = Array.from({ length: count }, () => 0);
  const known: Record<number, number> = {
    [EVENT.QUERY]: 13,
    [EVENT.ROTATE]: 8,
    [EVENT.FORMAT_DESCRIPTION]: (57 + count) & 0xff,
    [EVENT.EXECUTE_LOAD_QUERY]: 26,
    [EVENT.TABLE_MAP]: 8,
    [EVENT.WRITE_ROWS]: 10,
    [EVENT.UPDATE_ROWS]: 10,
    [EVENT.DELETE_ROWS]: 10,
    [EVENT.GTID]: 42,
    [EVENT.ANONYMOUS_GTID]: 42,
    ...entries,
  };
  for (const [type, length] of Object.entries(known)) lengths[Number(type) - 1] = length;
  return lengths;
}

function description(version: string, lengths: readonly number[], algorithm = 1): Buffer {
  return frame(
    u16(4), // binlog version
    version.padEnd(50, '\0'), // server version
    u32(1700000000), // created
    u8(19), // header length
    lengths,
    u8(algorithm), // checksum algorithm
    u32(0xdeadbeef), // checksum
  );
}

test('MySQL 5.7 is recognised with its checksum algorithm and its types', () => {
  const event = decodeFormatDescriptionEvent(description('5.7.44-log', postHeaders(38)));
  expect(event).toMatchObject({
    serverVersion: '5.7.44-log',
    flavour: 'mysql',
    binlogVersion: 4,
    createdAt: 1700000000,
    checksum: 'crc32',
  });
  expect(event.postHeaderLengths).toHaveLength(38);
});

test('MariaDB is recognised, and the version that it puts before its own for old replicas is left out', () => {
  const lengths = postHeaders(171, {
    [EVENT.GTID]: 0,
    [EVENT.ANONYMOUS_GTID]: 0,
    [EVENT.WRITE_ROWS_V1]: 8,
    [EVENT.UPDATE_ROWS_V1]: 8,
    [EVENT.DELETE_ROWS_V1]: 8,
    [EVENT.MARIADB_GTID]: 19,
    [EVENT.GTID_LIST]: 4,
    [EVENT.QUERY_COMPRESSED]: 13,
  });
  const event = decodeFormatDescriptionEvent(description('5.5.5-11.4.2-MariaDB-log', lengths, 0));
  expect(event).toMatchObject({ serverVersion: '11.4.2-MariaDB-log', flavour: 'mariadb', checksum: 'none' });
  const plain = decodeFormatDescriptionEvent(description('11.4.2', lengths));
  expect(plain.flavour).toBe('mariadb');
});

test('every cut of an event is refused, also of recorded ones', () => {
  expect(cutsAccepted(decodeFormatDescriptionEvent, description('8.0.36', postHeaders(41)))).toEqual([]);
  for (const name of ['mariadb-10.11/types-default.binlog', 'mysql-9/types-default.binlog']) {
    const [event] = fixtureEvents(name);
    expect(cutsAccepted(decodeFormatDescriptionEvent, event?.body ?? Buffer.alloc(0))).toEqual([]);
  }
});

test.each([
  ['another binlog version', (body: Buffer) => body.writeUInt16LE(3, 0)],
  ['another header length', (body: Buffer) => body.writeUInt8(20, 56)],
  ['an unknown checksum algorithm', (body: Buffer) => body.writeUInt8(2, body.length - 5)],
  ['a longer QUERY post-header', (body: Buffer) => body.writeUInt8(14, 57 + EVENT.QUERY - 1)],
])('%s is refused', (_, spoil) => {
  const body = description('8.4.0', postHeaders(42, { [EVENT.PARTIAL_UPDATE_ROWS]: 10 }));
  decodeFormatDescriptionEvent(body);
  spoil(body);
  expect(() => decodeFormatDescriptionEvent(body)).toThrow(expect.objectContaining({ code: 'BINLOG_CORRUPT' }));
});
