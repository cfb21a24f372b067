import { ByteCursor } from '../../../base/byte-cursor.ts';
import { type Gno, MYSQL_GNO_END, toGno } from '../gtid/gno.ts';
import { gtidSource, parseTag, uuidText } from '../gtid/mysql-gtid-source.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';
import type { GtidEvent } from './gtid-event.ts';
import type { MysqlGtidTarget } from './mysql-gtid-target.ts';
import { signedVarlen, unsignedVarlen } from './varlen-integer.ts';

const EVENT = 'GTID_TAGGED';

/** Field ids, in the order in which they come; 0 to 6, 8 and 9 are always there. */
const FIELD = {
  FLAGS: 0,
  UUID: 1,
  GNO: 2,
  TAG: 3,
  LAST_COMMITTED: 4,
  SEQUENCE_NUMBER: 5,
  IMMEDIATE_COMMIT: 6,
  ORIGINAL_COMMIT: 7,
  TRANSACTION_LENGTH: 8,
  IMMEDIATE_VERSION: 9,
  ORIGINAL_VERSION: 10,
  TICKET: 11,
} as const;

const FORMAT_VERSION = 1;
const FIELD_COUNT = 12;
const REQUIRED = [0, 1, 2, 3, 4, 5, 6, 8, 9];

/**
 * GTID_TAGGED_LOG_EVENT (MySQL 8.3 and later): begins a transaction whose GTID has a tag. A message of the server's serialization
 * library; all integers are of variable length (varlen-integer.ts):
 *
 *     format version           1
 *     size                     bytes of the message, from the format version on
 *     last needed field        id + 1 of the last field that a reader must know; 0: none
 *     fields                   id, then the value, ids ascending:
 *        0 flags               unsigned        1: may have statements
 *        1 uuid                16 unsigned     a byte each
 *        2 gno                 signed
 *        3 tag                 length unsigned, characters
 *        4 last committed      signed
 *        5 sequence number     signed
 *        6 immediate commit    unsigned, µs
 *        7 original commit     unsigned, µs    left out when it is the same
 *        8 transaction length  unsigned
 *        9 immediate version   unsigned
 *       10 original version    unsigned        left out when it is the same
 *       11 group ticket        unsigned        left out when there is none
 *
 * (MySQL source, libs/mysql/serialization/readme.md and libs/mysql/binlog/event/control_events.h, Gtid_event::define_fields.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeGtidTaggedEvent(body: Buffer): GtidEvent {
  return decodeFrame(EVENT, () => {
    const version = Number(unsignedVarlen(new ByteCursor(body), 'format version'));
    if (version !== FORMAT_VERSION) throw bad('format version', 'is unknown');
    const cursor = new ByteCursor(message(body));
    unsignedVarlen(cursor, 'format version');
    unsignedVarlen(cursor, 'size');
    if (unsignedVarlen(cursor, 'last needed field') > FIELD_COUNT) {
      throw bad('last needed field', 'is one of a newer server');
    }
    const fields = readFields(cursor);
    const immediateCommitUs = safe(fields, FIELD.IMMEDIATE_COMMIT, 'immediate commit time');
    const immediateServerVersion = safe(fields, FIELD.IMMEDIATE_VERSION, 'immediate server version');
    return {
      kind: 'gtid',
      source: gtidSource(fields.uuid, fields.tag),
      gno: gnoOf(fields),
      mayHaveStatements: (safe(fields, FIELD.FLAGS, 'flags') & 1) !== 0,
      lastCommitted: toGno(fields.numbers[FIELD.LAST_COMMITTED] ?? 0n),
      sequenceNumber: toGno(fields.numbers[FIELD.SEQUENCE_NUMBER] ?? 0n),
      immediateCommitUs,
      originalCommitUs: has(fields, FIELD.ORIGINAL_COMMIT)
        ? safe(fields, FIELD.ORIGINAL_COMMIT, 'original commit time')
        : immediateCommitUs,
      transactionLength: safe(fields, FIELD.TRANSACTION_LENGTH, 'transaction length'),
      immediateServerVersion,
      originalServerVersion: has(fields, FIELD.ORIGINAL_VERSION)
        ? safe(fields, FIELD.ORIGINAL_VERSION, 'original server version')
        : immediateServerVersion,
      commitGroupTicket: fields.numbers[FIELD.TICKET] ?? null,
    };
  });
}

/** The same for the stream's target. Allocates: tagged transactions are the exception. */
export function readMysqlTaggedGtidInto(buffer: Buffer, start: number, end: number, target: MysqlGtidTarget): void {
  const event = decodeGtidTaggedEvent(buffer.subarray(start, end));
  target.source = event.source;
  target.gno = event.gno;
  target.immediateCommitUs = event.immediateCommitUs ?? 0;
  target.originalCommitUs = event.originalCommitUs ?? 0;
}

interface Fields {
  /** By field id; the uuid and the tag are apart. */
  readonly numbers: (bigint | undefined)[];
  uuid: string;
  tag: string;
}

/** The bytes that the message says it has; what follows them belongs to nobody. */
function message(body: Buffer): Buffer {
  const cursor = new ByteCursor(body);
  unsignedVarlen(cursor, 'format version');
  const size = unsignedVarlen(cursor, 'size');
  if (size < BigInt(cursor.offset) || size > 0xffff_ffffn) throw bad('size', 'is out of range');
  cursor.skip(Number(size) - cursor.offset, 'message');
  return body.subarray(0, Number(size));
}

function readFields(cursor: ByteCursor): Fields {
  const fields: Fields = { numbers: [], uuid: '', tag: '' };
  let lastId = -1;
  while (cursor.remaining > 0) {
    const id = Number(unsignedVarlen(cursor, 'field id'));
    if (id <= lastId) throw bad('field id', 'does not ascend');
    // From a newer server, and not among those that must be known: the message's size says where it ends, and it comes last.
    if (id >= FIELD_COUNT) break;
    fields.numbers[id] = readField(cursor, id, fields);
    lastId = id;
  }
  for (const id of REQUIRED) if (!has(fields, id)) throw bad(`field ${id}`, 'is missing');
  return fields;
}

function readField(cursor: ByteCursor, id: number, fields: Fields): bigint {
  switch (id) {
    case FIELD.UUID: {
      const bytes = Buffer.alloc(16);
      for (let i = 0; i < 16; i++) {
        const byte = unsignedVarlen(cursor, 'uuid');
        if (byte > 0xffn) throw bad('uuid', 'is out of range');
        bytes[i] = Number(byte);
      }
      fields.uuid = uuidText(bytes);
      return 0n;
    }
    case FIELD.TAG: {
      const length = unsignedVarlen(cursor, 'length of the tag');
      if (length > 32n) throw bad('tag', 'is too long');
      const text = cursor.text(Number(length), 'tag');
      const tag = text === '' ? '' : parseTag(text);
      if (tag === null) throw bad('tag', 'has a character that no tag has');
      fields.tag = tag;
      return 0n;
    }
    case FIELD.GNO:
    case FIELD.LAST_COMMITTED:
    case FIELD.SEQUENCE_NUMBER:
      return signedVarlen(cursor, `field ${id}`);
    default:
      return unsignedVarlen(cursor, `field ${id}`);
  }
}

function has(fields: Fields, id: number): boolean {
  return fields.numbers[id] !== undefined;
}

function safe(fields: Fields, id: number, name: string): number {
  const value = fields.numbers[id] ?? 0n;
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw bad(name, 'is out of range');
  return Number(value);
}

function gnoOf(fields: Fields): Gno {
  const gno = fields.numbers[FIELD.GNO] ?? 0n;
  if (gno < 1n || gno >= MYSQL_GNO_END) throw bad('gno', 'is out of range');
  return toGno(gno);
}

function bad(field: string, what: string): Error {
  return corrupt(`${EVENT} event: "${field}" ${what}`, { event: EVENT, field });
}
