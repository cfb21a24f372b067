import { ByteCursor } from '../../../base/byte-cursor.ts';
import { type Gno, MYSQL_GNO_END, gnoField, readGno } from '../gtid/gno.ts';
import { type MysqlGtidSource, uuidText } from '../gtid/mysql-gtid-source.ts';
import { truncated } from './frame-bounds.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';
import { type MysqlGtidTarget, internUuid } from './mysql-gtid-target.ts';

/** What MySQL says before each transaction: GTID, ANONYMOUS_GTID and GTID_TAGGED alike. */
export interface GtidEvent {
  readonly kind: 'gtid';
  /** Empty for an anonymous transaction. */
  readonly source: MysqlGtidSource;
  /** 0 for an anonymous transaction. */
  readonly gno: Gno;
  /** False when the transaction has row events only; true in doubt. */
  readonly mayHaveStatements: boolean;
  /** Logical clock: the number of the last transaction this one must not overtake, and its own. Null when not logged. */
  readonly lastCommitted: Gno | null;
  readonly sequenceNumber: Gno | null;
  /** µs since 1970 UTC; null when not logged (MySQL 5.7). */
  readonly immediateCommitUs: number | null;
  readonly originalCommitUs: number | null;
  /** Bytes of the whole transaction in the binlog, this event included; null when not logged. */
  readonly transactionLength: number | null;
  /** 90700 is 9.7.0; null when not logged. */
  readonly immediateServerVersion: number | null;
  readonly originalServerVersion: number | null;
  readonly commitGroupTicket: bigint | null;
}

const EVENT = 'GTID';
const FLAG_MAY_HAVE_STATEMENTS = 1;
const LOGICAL_CLOCK = 2;
const POST_HEADER_LENGTH = 42;
const UINT24 = 0x100_0000;

/**
 * GTID_LOG_EVENT and ANONYMOUS_GTID_LOG_EVENT: begin every transaction of MySQL from 5.6 and 5.7 on.
 *
 *     flags                     u8          1: may have statements
 *     uuid                      16 bytes    0 when anonymous
 *     gno                       u64 LE      0 when anonymous
 *     logical clock             u8          2; with anything else the next two mean nothing
 *     last committed            u64 LE
 *     sequence number           u64 LE
 *     immediate commit time     7 bytes LE  µs; from 8.0 on. Highest bit set: the next is there
 *     original commit time      7 bytes LE  else it is the same
 *     transaction length        length-encoded
 *     immediate server version  u32 LE      highest bit set: the next is there
 *     original server version   u32 LE      else it is the same
 *     commit group ticket       u64 LE      only where group replication uses it
 *
 * Versions differ in where they stop: after the sequence number (5.7), the commit times (8.0.1), the length (8.0.2), the server
 * versions, or the ticket. An event cut exactly there reads as one of an older version; anywhere else it is refused.
 * (MySQL source, libs/mysql/binlog/event/control_events.cpp.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeGtidEvent(body: Buffer): GtidEvent {
  return decodeFrame(EVENT, () => {
    const cursor = new ByteCursor(body);
    const flags = cursor.u8('flags');
    const uuid = uuidText(cursor.bytes(16, 'uuid'));
    const gno = checkedGno(gnoField(cursor, 'gno'));
    const hasClock = cursor.u8('logical clock') === LOGICAL_CLOCK;
    const lastCommitted = gnoField(cursor, 'last committed');
    const sequenceNumber = gnoField(cursor, 'sequence number');
    return {
      kind: 'gtid',
      source: gno === 0 ? '' : uuid,
      gno,
      mayHaveStatements: (flags & FLAG_MAY_HAVE_STATEMENTS) !== 0,
      lastCommitted: hasClock ? lastCommitted : null,
      sequenceNumber: hasClock ? sequenceNumber : null,
      ...readTail(cursor),
    };
  });
}

type Tail = Pick<
  GtidEvent,
  | 'immediateCommitUs'
  | 'originalCommitUs'
  | 'transactionLength'
  | 'immediateServerVersion'
  | 'originalServerVersion'
  | 'commitGroupTicket'
>;

function readTail(cursor: ByteCursor): Tail {
  let immediateCommitUs: number | null = null;
  let originalCommitUs: number | null = null;
  let transactionLength: number | null = null;
  let immediateServerVersion: number | null = null;
  let originalServerVersion: number | null = null;
  if (cursor.remaining > 0) {
    const low = cursor.u32('immediate commit time');
    const high = cursor.u24('immediate commit time');
    immediateCommitUs = microseconds(low, high);
    originalCommitUs = immediateCommitUs;
    if (high >= UINT24 / 2) {
      originalCommitUs = microseconds(cursor.u32('original commit time'), cursor.u24('original commit time'));
    }
  }
  if (cursor.remaining > 0) {
    transactionLength = cursor.lengthEncoded('transaction length');
    if (!Number.isSafeInteger(transactionLength)) throw outOfRange('transaction length');
  }
  if (cursor.remaining > 0) {
    const encoded = cursor.u32('immediate server version');
    immediateServerVersion = encoded % 0x8000_0000;
    originalServerVersion = encoded < 0x8000_0000 ? encoded : cursor.u32('original server version');
  }
  const commitGroupTicket = cursor.remaining > 0 ? cursor.u64('commit group ticket') : null;
  return {
    immediateCommitUs,
    originalCommitUs,
    transactionLength,
    immediateServerVersion,
    originalServerVersion,
    commitGroupTicket,
  };
}

/**
 * The hot path's form of `decodeGtidEvent`: only what each transaction needs, without allocation while the UUID stays the same.
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function readMysqlGtidInto(buffer: Buffer, start: number, end: number, target: MysqlGtidTarget): void {
  const length = end - start;
  if (length < POST_HEADER_LENGTH) {
    throw truncated(EVENT, { field: 'post-header', start, needed: POST_HEADER_LENGTH, end });
  }
  const gno = checkedGno(readGno(buffer, start + 17));
  target.source = gno === 0 ? '' : internUuid(buffer, start + 1, target);
  target.gno = gno;
  target.immediateCommitUs = 0;
  target.originalCommitUs = 0;
  if (length === POST_HEADER_LENGTH) return;

  const times = start + POST_HEADER_LENGTH;
  if (end - times < 7) throw truncated(EVENT, { field: 'immediate commit time', start: times, needed: 7, end });
  const high = buffer.readUIntLE(times + 4, 3);
  target.immediateCommitUs = microseconds(buffer.readUInt32LE(times), high);
  target.originalCommitUs = target.immediateCommitUs;
  if (high < UINT24 / 2) return;
  if (end - times < 14) throw truncated(EVENT, { field: 'original commit time', start: times + 7, needed: 7, end });
  target.originalCommitUs = microseconds(buffer.readUInt32LE(times + 7), buffer.readUIntLE(times + 11, 3));
}

/** 55 bits; the times of this and the next 200 years are below 2^53. */
function microseconds(low: number, high: number): number {
  const us = (high % (UINT24 / 2)) * 0x1_0000_0000 + low;
  if (!Number.isSafeInteger(us)) throw outOfRange('commit time');
  return us;
}

function checkedGno(gno: Gno): Gno {
  if (gno >= MYSQL_GNO_END) throw outOfRange('gno');
  return gno;
}

function outOfRange(field: string): Error {
  return corrupt(`${EVENT} event: "${field}" is out of range`, { event: EVENT, field });
}
