import { ByteCursor } from '../../../base/byte-cursor.ts';
import { EVENT_CHECKSUM_LENGTH, EVENT_HEADER_LENGTH } from './event-header.ts';
import { type BinlogFlavour, EVENT, eventTypeName } from './event-types.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';

const NAME = 'FORMAT_DESCRIPTION';

export interface FormatDescriptionEvent {
  readonly kind: 'format-description';
  readonly binlogVersion: number;
  /** `10.11.14-MariaDB-log`, `9.7.0`; without the `5.5.5-` that MariaDB puts before it for old replicas. */
  readonly serverVersion: string;
  readonly flavour: BinlogFlavour;
  /** Seconds since 1970 UTC; 0 unless the server wrote this event at its own start. */
  readonly createdAt: number;
  /** What the events of this file end with, this event excepted: it always has room for a checksum. */
  readonly checksum: 'none' | 'crc32';
  /** Post-header length of each event type, index type − 1. */
  readonly postHeaderLengths: Buffer;
}

/**
 * FORMAT_DESCRIPTION_EVENT: the first event of every file, and of every dump. It describes the layout of those that follow.
 *
 *     binlog version        u16 LE          always 4
 *     server version        50 bytes        text, padded with 0
 *     created               u32 LE
 *     header length         u8              always 19
 *     post-header lengths   u8 each         one for every event type, from 1 on
 *     checksum algorithm    u8              0 none, 1 CRC32
 *     checksum              4 bytes         always there, whatever the algorithm
 *
 * Other than elsewhere `body` is everything behind the header, **the checksum included**: whether there is one is only known from
 * here. The caller verifies it when `checksum` is `crc32`.
 *
 * The event gives its own post-header length among the others, by which a cut one is found out.
 * (MySQL source, libs/mysql/binlog/event/control_events.cpp; MariaDB source, sql/log_event.cc.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeFormatDescriptionEvent(body: Buffer): FormatDescriptionEvent {
  return decodeFrame(NAME, () => {
    const cursor = new ByteCursor(body);
    const binlogVersion = cursor.u16('binlog version');
    const versionText = cursor.bytes(50, 'server version');
    const createdAt = cursor.u32('created');
    const headerLength = cursor.u8('header length');
    const lengthCount = cursor.remaining - 1 - EVENT_CHECKSUM_LENGTH;
    const postHeaderLengths = Buffer.from(cursor.bytes(Math.max(lengthCount, EVENT.TABLE_MAP), 'post-header lengths'));
    const algorithm = cursor.u8('checksum algorithm');
    cursor.skip(EVENT_CHECKSUM_LENGTH, 'checksum');

    check('binlog version', binlogVersion, 4);
    check('header length', headerLength, EVENT_HEADER_LENGTH);
    const ownLength = postHeaderLengths[EVENT.FORMAT_DESCRIPTION - 1] ?? 0;
    check('its own post-header length', ownLength, (57 + lengthCount) & 0xff);
    if (algorithm > 1) {
      throw corrupt(`${NAME} event: unknown checksum algorithm ${algorithm}`, {
        event: NAME,
        field: 'checksum algorithm',
        algorithm,
      });
    }

    const terminator = versionText.indexOf(0);
    const text = versionText.toString('latin1', 0, terminator === -1 ? versionText.length : terminator);
    const flavour = lengthCount >= EVENT.ANNOTATE_ROWS || /mariadb/i.test(text) ? 'mariadb' : 'mysql';
    const format: FormatDescriptionEvent = {
      kind: 'format-description',
      binlogVersion,
      serverVersion: text.replace(/^5\.5\.5-(?=\d)/, ''),
      flavour,
      createdAt,
      checksum: algorithm === 1 ? 'crc32' : 'none',
      postHeaderLengths,
    };
    checkPostHeaders(format);
    return format;
  });
}

/**
 * Bytes that our decoders take for granted. The servers' formats allow for longer post-headers, and no server has ever written
 * them: should one do so, every such event would be misread, so it is refused here (I1).
 */
const POST_HEADERS: readonly (readonly [type: number, length: number, flavour: BinlogFlavour | 'both'])[] = [
  [EVENT.QUERY, 13, 'both'],
  [EVENT.ROTATE, 8, 'both'],
  [EVENT.XID, 0, 'both'],
  [EVENT.EXECUTE_LOAD_QUERY, 26, 'both'],
  [EVENT.TABLE_MAP, 8, 'both'],
  [EVENT.WRITE_ROWS, 10, 'both'],
  [EVENT.UPDATE_ROWS, 10, 'both'],
  [EVENT.DELETE_ROWS, 10, 'both'],
  [EVENT.GTID, 42, 'mysql'],
  [EVENT.ANONYMOUS_GTID, 42, 'mysql'],
  [EVENT.PARTIAL_UPDATE_ROWS, 10, 'mysql'],
  [EVENT.WRITE_ROWS_V1, 8, 'mariadb'],
  [EVENT.UPDATE_ROWS_V1, 8, 'mariadb'],
  [EVENT.DELETE_ROWS_V1, 8, 'mariadb'],
  [EVENT.MARIADB_GTID, 19, 'mariadb'],
  [EVENT.GTID_LIST, 4, 'mariadb'],
  [EVENT.QUERY_COMPRESSED, 13, 'mariadb'],
];

function checkPostHeaders({ flavour, postHeaderLengths }: FormatDescriptionEvent): void {
  for (const [type, length, of] of POST_HEADERS) {
    const found = postHeaderLengths[type - 1];
    // Types that came after this server's version are not in its list.
    if (found === undefined || (of !== 'both' && of !== flavour)) continue;
    check(`the post-header length of ${eventTypeName(type, flavour)}`, found, length);
  }
}

function check(field: string, found: number, expected: number): void {
  if (found === expected) return;
  throw corrupt(`${NAME} event: ${field} is ${found}, not ${expected}`, { event: NAME, field, found, expected });
}
