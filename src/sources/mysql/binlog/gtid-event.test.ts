import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { accepts, cutsAccepted, frame, u32, u56, u64, u8 } from '../../../../test/support/frames.ts';
import { decodeGtidEvent, readMysqlGtidInto } from './gtid-event.ts';
import { decodeGtidTaggedEvent, readMysqlTaggedGtidInto } from './gtid-tagged-event.ts';
import { emptyMysqlGtidTarget } from './mysql-gtid-target.ts';
import { encodeSignedVarlen, encodeUnsignedVarlen } from './varlen-integer.ts';

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const UUID_BYTES = Buffer.from(UUID.replaceAll('-', ''), 'hex');
const TWO_TIMES = 1n << 55n;

const postHeader = (gno: bigint | number, uuid = UUID_BYTES): Buffer =>
  frame(
    u8(1), // flags: may have statements
    uuid,
    u64(gno),
    u8(2), // logical clock
    u64(10), // last committed
    u64(11), // sequence number
  );

const whole = frame(
  postHeader(42),
  u56(1795267586662840n | TWO_TIMES), // immediate commit time, the original one follows
  u56(1234567890123456n), // original commit time
  [0xfc, 0x2c, 0x01], // transaction length: 300
  u32(90700 + 0x8000_0000), // immediate server version, the original one follows
  u32(80036), // original server version
  u64(5), // commit group ticket
);

describe('GTID', () => {
  test('of the newest servers is read to its last field', () => {
    expect(decodeGtidEvent(whole)).toEqual({
      kind: 'gtid',
      source: UUID,
      gno: 42,
      mayHaveStatements: true,
      lastCommitted: 10,
      sequenceNumber: 11,
      immediateCommitUs: 1795267586662840,
      originalCommitUs: 1234567890123456,
      transactionLength: 300,
      immediateServerVersion: 90700,
      originalServerVersion: 80036,
      commitGroupTicket: 5n,
    });
  });

  test('whose times and versions are the same holds each once', () => {
    const event = decodeGtidEvent(frame(postHeader(1), u56(1795267586662840n), [200], u32(90700)));
    expect(event).toMatchObject({
      immediateCommitUs: 1795267586662840,
      originalCommitUs: 1795267586662840,
      transactionLength: 200,
      immediateServerVersion: 90700,
      originalServerVersion: 90700,
      commitGroupTicket: null,
    });
  });

  test('of MySQL 5.7 ends after the logical clock', () => {
    expect(decodeGtidEvent(postHeader(7))).toMatchObject({
      gno: 7,
      lastCommitted: 10,
      immediateCommitUs: null,
      originalCommitUs: null,
      transactionLength: null,
      immediateServerVersion: null,
    });
  });

  test('of an anonymous transaction has neither source nor number', () => {
    expect(decodeGtidEvent(postHeader(0, Buffer.alloc(16)))).toMatchObject({ source: '', gno: 0 });
  });

  test('with another logical clock has no clock', () => {
    const body = Buffer.from(postHeader(1));
    body[25] = 1;
    expect(decodeGtidEvent(body)).toMatchObject({ lastCommitted: null, sequenceNumber: null });
  });

  test('is refused when cut, but for the places where older servers stop', () => {
    const [clock, times, length, versions] = [42, 56, 59, 67];
    expect(cutsAccepted(decodeGtidEvent, whole)).toEqual([clock, times, length, versions]);
  });

  test.each([
    ['2^63-1, which no server assigns', 2n ** 63n - 1n],
    ['2^64-1', 2n ** 64n - 1n],
  ])('with the number %s is refused', (_, gno) => {
    expect(accepts(decodeGtidEvent, postHeader(gno))).toBe(false);
  });

  test('is read into a target with the same result, in the middle of a buffer', () => {
    const target = emptyMysqlGtidTarget();
    for (const gno of [1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 2n]) {
      for (const tail of [Buffer.alloc(0), whole.subarray(42), frame(u56(1795267586662840n))]) {
        const body = frame(postHeader(gno), tail);
        const event = decodeGtidEvent(body);
        readMysqlGtidInto(frame([1, 2, 3], body, [4]), 3, 3 + body.length, target);
        expect(target).toMatchObject({
          source: event.source,
          gno: event.gno,
          immediateCommitUs: event.immediateCommitUs ?? 0,
          originalCommitUs: event.originalCommitUs ?? 0,
        });
        expect(BigInt(target.gno)).toBe(gno);
      }
    }
  });

  test('a target follows the source from one transaction to the next, and forgets times that are not there', () => {
    const target = emptyMysqlGtidTarget();
    const read = (body: Buffer): unknown => {
      readMysqlGtidInto(body, 0, body.length, target);
      return [target.source, target.gno, target.immediateCommitUs, target.originalCommitUs];
    };
    const other = Buffer.from(UUID_BYTES);
    other[15] = 0;
    expect(read(whole)).toEqual([UUID, 42, 1795267586662840, 1234567890123456]);
    expect(read(postHeader(0, Buffer.alloc(16)))).toEqual(['', 0, 0, 0]);
    expect(read(postHeader(1, other))).toEqual([`${UUID.slice(0, -2)}00`, 1, 0, 0]);
    expect(read(postHeader(43))).toEqual([UUID, 43, 0, 0]);
    expect(read(postHeader(9, Buffer.alloc(16)))).toEqual(['00000000-0000-0000-0000-000000000000', 9, 0, 0]);
  });

  test('the target form refuses every cut in what it reads', () => {
    const target = emptyMysqlGtidTarget();
    const cuts = cutsAccepted((body) => readMysqlGtidInto(body, 0, body.length, target), whole);
    expect(cuts).toEqual([42, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74]);
  });
});

describe('GTID_TAGGED', () => {
  const unsigned = (id: number, value: bigint): Buffer => frame([id << 1], encodeUnsignedVarlen(value));
  const signed = (id: number, value: bigint): Buffer => frame([id << 1], encodeSignedVarlen(value));
  const uuidField = frame([1 << 1], ...[...UUID_BYTES].map((byte) => encodeUnsignedVarlen(BigInt(byte))));
  const tagField = frame([3 << 1, 4 << 1], 'blue');

  /** Without the size, which counts itself: it is one byte here. */
  function message(fields: readonly Buffer[], lastNeeded = 0n): Buffer {
    const rest = frame(encodeUnsignedVarlen(lastNeeded), ...fields);
    const sizeBytes = rest.length + 2 < 128 ? 1 : 2;
    return frame(encodeUnsignedVarlen(1n), encodeUnsignedVarlen(BigInt(1 + sizeBytes + rest.length)), rest);
  }

  const required = [
    unsigned(0, 1n),
    uuidField,
    signed(2, 42n),
    tagField,
    signed(4, 10n),
    signed(5, 11n),
    unsigned(6, 1795267586662840n),
    unsigned(8, 300n),
    unsigned(9, 90700n),
  ];
  const full = [
    ...required.slice(0, 7),
    unsigned(7, 1234567890123456n),
    ...required.slice(7),
    unsigned(10, 80036n),
    unsigned(11, 5n),
  ];

  test('is read to its last field', () => {
    expect(decodeGtidTaggedEvent(message(full))).toEqual({
      ...decodeGtidEvent(whole),
      source: `${UUID}:blue`,
    });
  });

  test('leaves out what is the same as another field', () => {
    expect(decodeGtidTaggedEvent(message(required))).toMatchObject({
      source: `${UUID}:blue`,
      immediateCommitUs: 1795267586662840,
      originalCommitUs: 1795267586662840,
      immediateServerVersion: 90700,
      originalServerVersion: 90700,
      commitGroupTicket: null,
    });
  });

  test('recorded from MySQL 9.7 is read', () => {
    const recorded = Buffer.from(
      '027400000002d5037e1d03129503b90222c503ed02010304f1030000000204040608626c756508040a080c7f5e76e249c960061069041283120b',
      'hex',
    );
    expect(decodeGtidTaggedEvent(recorded)).toMatchObject({
      source: 'f53fc709-e5ae-11f1-bbc0-02fc00000001:blue',
      gno: 1,
      lastCommitted: 1,
      sequenceNumber: 2,
      transactionLength: 282,
      immediateServerVersion: 90704,
    });
    expect(cutsAccepted(decodeGtidTaggedEvent, recorded)).toEqual([]);
  });

  test('is refused at every cut: its size says how long it is', () => {
    expect(cutsAccepted(decodeGtidTaggedEvent, message(full))).toEqual([]);
    expect(cutsAccepted(decodeGtidTaggedEvent, message(required))).toEqual([]);
  });

  test('with fields of a newer server is read when they may be ignored, and refused when they may not', () => {
    const newer = unsigned(12, 7n);
    expect(decodeGtidTaggedEvent(message([...full, newer])).gno).toBe(42);
    expect(accepts(decodeGtidTaggedEvent, message([...full, newer], 13n))).toBe(false);
  });

  test.each([
    ['another format version', frame([4], message(required).subarray(1))],
    ['a missing field', message(required.slice(1))],
    ['fields out of order', message([...required.toReversed()])],
    ['a field twice', message([unsigned(0, 1n), ...required])],
    ['the number 0', message(required.map((field, i) => (i === 2 ? signed(2, 0n) : field)))],
    ['a negative number', message(required.map((field, i) => (i === 2 ? signed(2, -1n) : field)))],
    ['a tag with a dash', message(required.map((field, i) => (i === 3 ? frame([6, 8], 'bl-e') : field)))],
  ])('with %s is refused', (_, body) => {
    expect(accepts(decodeGtidTaggedEvent, body)).toBe(false);
  });

  test('is read into a target, and an untagged one after it gets its own source', () => {
    const target = emptyMysqlGtidTarget();
    const body = message(full);
    readMysqlTaggedGtidInto(frame([1], body), 1, 1 + body.length, target);
    expect(target).toMatchObject({
      source: `${UUID}:blue`,
      gno: 42,
      immediateCommitUs: 1795267586662840,
      originalCommitUs: 1234567890123456,
    });
    readMysqlGtidInto(whole, 0, whole.length, target);
    expect(target.source).toBe(UUID);
  });

  test('random bytes are refused in the right way or read, never anything else', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(255), { maxLength: 60 }), fc.nat(40), (random, at) => {
        const body = Buffer.from(message(full));
        Buffer.from(random).copy(body, at);
        accepts(decodeGtidTaggedEvent, body);
        accepts(decodeGtidEvent, Buffer.from(random));
      }),
    );
  });
});
