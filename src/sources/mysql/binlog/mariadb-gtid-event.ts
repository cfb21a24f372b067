import { ByteCursor } from '../../../base/byte-cursor.ts';
import { type Gno, gnoField, readGno } from '../gtid/gno.ts';
import { truncated } from './frame-bounds.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';
import { MARIADB_GTID_EXTRA, MARIADB_GTID_FLAG } from './mariadb-gtid-flags.ts';
import { type XaId, XA_PART_LENGTH_MAX } from './xa-id.ts';

export interface MariadbGtidEvent {
  readonly kind: 'mariadb-gtid';
  readonly sequence: Gno;
  readonly domain: number;
  /** `MARIADB_GTID_FLAG` */
  readonly flags: number;
  /** Equal for all groups of one group commit; null for a group committed alone. */
  readonly commitId: bigint | null;
  /** Of the XA PREPARE, XA COMMIT or XA ROLLBACK that this group is. */
  readonly xid: XaId | null;
  /** `MARIADB_GTID_EXTRA`; 0 when left out. */
  readonly flagsExtra: number;
  /** Engines that take part besides the first. */
  readonly extraEngines: number | null;
  /** Sequence of the GTID whose START ALTER this group commits or rolls back. */
  readonly startAlterSequence: Gno | null;
  readonly threadId: number | null;
}

const EVENT = 'MARIADB_GTID';
const BODY_LENGTH_MIN = 19;
const HAS_XID = MARIADB_GTID_FLAG.PREPARED_XA | MARIADB_GTID_FLAG.COMPLETED_XA;
const HAS_START_ALTER = MARIADB_GTID_EXTRA.COMMIT_ALTER | MARIADB_GTID_EXTRA.ROLLBACK_ALTER;

/**
 * GTID_EVENT of MariaDB: begins every group, in place of BEGIN. The server id of the GTID is the event header's.
 *
 *     sequence       u64 LE
 *     domain         u32 LE
 *     flags          u8
 *     commit id      u64 LE                                       with GROUP_COMMIT_ID
 *     format id      u32 LE                                       with PREPARED_XA or COMPLETED_XA, like the next three
 *     gtrid length   u8
 *     bqual length   u8
 *     gtrid, bqual   bytes
 *     extra flags    u8                                           left out when 0
 *     engines        u8                                           with MULTI_ENGINE
 *     start alter    u64 LE                                       with COMMIT_ALTER or ROLLBACK_ALTER
 *     thread id      u32 LE                                       with THREAD_ID
 *     padding        0 bytes up to a length of 19
 *
 * The extra flags are an optional tail: an event cut exactly before them reads as one without. Anywhere else a cut is refused.
 * (MariaDB source, sql/log_event.cc, Gtid_log_event.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeMariadbGtidEvent(body: Buffer): MariadbGtidEvent {
  return decodeFrame(EVENT, () => {
    if (body.length < BODY_LENGTH_MIN) throw tooShort(0, body.length);
    const cursor = new ByteCursor(body);
    const sequence = gnoField(cursor, 'sequence');
    const domain = cursor.u32('domain');
    const flags = cursor.u8('flags');
    const commitId = (flags & MARIADB_GTID_FLAG.GROUP_COMMIT_ID) === 0 ? null : cursor.u64('commit id');
    const xid = (flags & HAS_XID) === 0 ? null : readXid(cursor);
    const flagsExtra = cursor.remaining > 0 ? cursor.u8('extra flags') : 0;
    const extraEngines = (flagsExtra & MARIADB_GTID_EXTRA.MULTI_ENGINE) === 0 ? null : cursor.u8('engines');
    const startAlterSequence = (flagsExtra & HAS_START_ALTER) === 0 ? null : gnoField(cursor, 'start alter');
    const threadId = (flagsExtra & MARIADB_GTID_EXTRA.THREAD_ID) === 0 ? null : cursor.u32('thread id');
    return {
      kind: 'mariadb-gtid',
      sequence,
      domain,
      flags,
      commitId,
      xid,
      flagsExtra,
      extraEngines,
      startAlterSequence,
      threadId,
    };
  });
}

function readXid(cursor: ByteCursor): XaId {
  const formatId = cursor.u32('format id');
  const gtridLength = cursor.u8('gtrid length');
  const bqualLength = cursor.u8('bqual length');
  if (gtridLength > XA_PART_LENGTH_MAX || bqualLength > XA_PART_LENGTH_MAX) {
    throw corrupt(`${EVENT} event: an XA id of ${gtridLength} and ${bqualLength} bytes`, {
      event: EVENT,
      field: 'gtrid length',
      gtridLength,
      bqualLength,
    });
  }
  const gtrid = Buffer.from(cursor.bytes(gtridLength, 'gtrid'));
  const bqual = Buffer.from(cursor.bytes(bqualLength, 'bqual'));
  return { formatId, gtrid, bqual };
}

/** Where the hot path reads a group's GTID into: one object for a whole stream. */
export interface MariadbGtidTarget {
  sequence: Gno;
  domain: number;
  /** `MARIADB_GTID_FLAG` */
  flags: number;
}

export function emptyMariadbGtidTarget(): MariadbGtidTarget {
  return { sequence: 0, domain: 0, flags: 0 };
}

/**
 * The hot path's form of `decodeMariadbGtidEvent`: the fixed fields, without allocation. When `flags` has one of the XA bits, or the
 * group is a DDL, decode the event whole.
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function readMariadbGtidInto(buffer: Buffer, start: number, end: number, target: MariadbGtidTarget): void {
  if (end - start < BODY_LENGTH_MIN) throw tooShort(start, end);
  target.sequence = readGno(buffer, start);
  target.domain = buffer.readUInt32LE(start + 8);
  target.flags = buffer.readUInt8(start + 12);
}

function tooShort(start: number, end: number): Error {
  return truncated(EVENT, { field: 'post-header', start, needed: BODY_LENGTH_MIN, end });
}
