import { describe, expect, test } from 'vitest';
import { accepts, cutsAccepted, frame, u32, u64, u8 } from '../../../../test/support/frames.ts';
import { MariadbGtidPosition } from '../gtid/mariadb-gtid.ts';
import { decodeGtidListEvent } from './gtid-list-event.ts';
import { decodeMariadbGtidEvent, emptyMariadbGtidTarget, readMariadbGtidInto } from './mariadb-gtid-event.ts';
import { MARIADB_GTID_EXTRA, MARIADB_GTID_FLAG } from './mariadb-gtid-flags.ts';
import { formatXaId } from './xa-id.ts';

const { GROUP_COMMIT_ID, TRANSACTIONAL, PREPARED_XA, COMPLETED_XA, STANDALONE, DDL } = MARIADB_GTID_FLAG;

const fixed = (flags: number, sequence: bigint | number = 15): Buffer =>
  frame(
    u64(sequence), // sequence
    u32(4294967295), // domain
    u8(flags), // flags
  );

const plain = frame(fixed(TRANSACTIONAL), [0, 0, 0, 0, 0, 0]); // padding up to 19 bytes
const grouped = frame(fixed(TRANSACTIONAL | GROUP_COMMIT_ID), u64(2n ** 63n)); // commit id
const xid = frame(
  u32(7), // format id
  u8(3), // gtrid length
  u8(2), // bqual length
  'abc', // gtrid
  [0, 255], // bqual
);

describe('GTID of MariaDB', () => {
  test('of a plain transaction is read, padding and all', () => {
    expect(decodeMariadbGtidEvent(plain)).toEqual({
      kind: 'mariadb-gtid',
      sequence: 15,
      domain: 4294967295,
      flags: TRANSACTIONAL,
      commitId: null,
      xid: null,
      flagsExtra: 0,
      extraEngines: null,
      startAlterSequence: null,
      threadId: null,
    });
  });

  test('of a group commit has its id', () => {
    expect(decodeMariadbGtidEvent(grouped)).toMatchObject({ commitId: 2n ** 63n, flagsExtra: 0 });
  });

  test.each([PREPARED_XA, COMPLETED_XA])('of an XA transaction has its XID (flag %i)', (flag) => {
    const event = decodeMariadbGtidEvent(frame(fixed(flag), xid));
    expect(event.xid).toEqual({ formatId: 7, gtrid: Buffer.from('abc'), bqual: Buffer.from([0, 255]) });
    expect(event.xid === null ? '' : formatXaId(event.xid)).toBe("X'616263',X'00ff',7");
  });

  test('with everything there is, is read to its last field', () => {
    const { MULTI_ENGINE, COMMIT_ALTER, THREAD_ID } = MARIADB_GTID_EXTRA;
    const body = frame(
      fixed(GROUP_COMMIT_ID | PREPARED_XA | STANDALONE | DDL, 2n ** 64n - 1n),
      u64(1), // commit id
      xid,
      u8(MULTI_ENGINE | COMMIT_ALTER | THREAD_ID), // extra flags
      u8(2), // engines
      u64(2n ** 53n), // start alter
      u32(1234), // thread id
    );
    expect(decodeMariadbGtidEvent(body)).toMatchObject({
      sequence: 2n ** 64n - 1n,
      commitId: 1n,
      extraEngines: 2,
      startAlterSequence: 2n ** 53n,
      threadId: 1234,
    });
    // Before the extra flags is where an event without them ends.
    expect(cutsAccepted(decodeMariadbGtidEvent, body)).toEqual([body.length - 14]);
  });

  test('is refused at every cut', () => {
    for (const body of [plain, grouped, frame(fixed(COMPLETED_XA), xid)]) {
      expect(cutsAccepted(decodeMariadbGtidEvent, body)).toEqual([]);
    }
  });

  test('with an XID longer than there are is refused', () => {
    expect(accepts(decodeMariadbGtidEvent, frame(fixed(PREPARED_XA), u32(1), [65, 0], 'x'.repeat(65)))).toBe(false);
  });

  test('is read into a target with the same result, in the middle of a buffer', () => {
    const target = emptyMariadbGtidTarget();
    for (const sequence of [1n, 2n ** 32n + 5n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n]) {
      const body = frame(fixed(TRANSACTIONAL | GROUP_COMMIT_ID, sequence), u64(9));
      readMariadbGtidInto(frame([1, 2, 3], body), 3, 3 + body.length, target);
      const event = decodeMariadbGtidEvent(body);
      expect(target).toEqual({ sequence: event.sequence, domain: event.domain, flags: event.flags });
      expect(BigInt(target.sequence)).toBe(sequence);
    }
    expect(cutsAccepted((body) => readMariadbGtidInto(body, 0, body.length, target), plain)).toEqual([]);
  });
});

describe('GTID_LIST', () => {
  const list = frame(
    u32(3), // count, no flags
    frame(u32(0), u32(1), u64(5)), // domain, server, sequence
    frame(u32(0), u32(2), u64(9007199254740993n)),
    frame(u32(3), u32(1), u64(7)),
  );

  test('is read in its order, in which the last of a domain is its newest', () => {
    const { gtids, untilReached } = decodeGtidListEvent(list);
    expect(untilReached).toBe(false);
    expect(gtids).toHaveLength(3);
    expect(MariadbGtidPosition.of(gtids).toString()).toBe('0-2-9007199254740993,3-1-7');
    expect(cutsAccepted(decodeGtidListEvent, list)).toEqual([]);
  });

  test('tells that the position was reached at which a dump should end', () => {
    expect(decodeGtidListEvent(frame(u32((1 << 28) + 0)))).toEqual({
      kind: 'gtid-list',
      gtids: [],
      untilReached: true,
    });
  });
});
