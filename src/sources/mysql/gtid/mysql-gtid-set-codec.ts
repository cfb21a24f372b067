import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from '../binlog/frame-errors.ts';
import { unsignedVarlen } from '../binlog/varlen-integer.ts';
import { type Gno, MYSQL_GNO_END, gnoField, nextGno, previousGno, toGno } from './gno.ts';
import { type GnoIntervals, forEachInterval, normaliseIntervals, uniteIntervals } from './gno-intervals.ts';
import { type MysqlGtidSource, gtidSource, parseTag, sourceTag, uuidBytes, uuidText } from './mysql-gtid-source.ts';

const EVENT = 'GTID set';

/**
 * The bytes of a GTID set, as PREVIOUS_GTIDS_LOG_EVENT holds and COM_BINLOG_DUMP_GTID takes them
 * (MySQL source, libs/mysql/gtids, readme.md, "Binary v0" to "v2"). Byte 7 tells the form.
 *
 *     v0  sources      u64 LE below 2^56
 *         each         uuid 16 bytes, intervals
 *     v1  1            u8, then sources u48 LE, then 1 u8 again
 *         each         uuid 16 bytes, tag (length varlen, characters), intervals
 *     v2  2            u8, then sources u48 LE, then 2 u8 again
 *         tags         count varlen, each (length varlen, characters); absent when there are no sources
 *         each         code varlen (tag index * 2, + 1 when a uuid follows), uuid, intervals in a form of their own
 *     intervals        count u64 LE, each first u64 LE, last + 1 u64 LE
 *
 * Servers write v0 without and v1 with tags; v2 is understood by them from 9.6 on, and not written yet.
 *
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeGtidSet(bytes: Buffer): Map<MysqlGtidSource, GnoIntervals> {
  return decodeFrame(EVENT, () => {
    const cursor = new ByteCursor(bytes);
    const header = cursor.u64('number of sources');
    const version = Number(header >> 56n);
    const sources = new Map<MysqlGtidSource, GnoIntervals>();
    if (version === 0) {
      readSources(cursor, { count: header, tagged: false, sources });
    } else {
      if (version > 2) throw corrupt('unknown GTID set format', { event: EVENT, field: 'format', version });
      if (Number(header & 0xffn) !== version) {
        throw corrupt('the two format numbers of a GTID set differ', { event: EVENT, field: 'format', version });
      }
      const count = (header >> 8n) & 0xffff_ffff_ffffn;
      if (version === 1) readSources(cursor, { count, tagged: true, sources });
      else readCompactSources(cursor, { count, sources });
    }
    if (cursor.remaining > 0) {
      throw corrupt('a GTID set is followed by further bytes', { event: EVENT, field: 'end', bytes: cursor.remaining });
    }
    return sources;
  });
}

/** v0 when no source has a tag, else v1, as the servers do. */
export function encodeGtidSet(sources: ReadonlyMap<MysqlGtidSource, GnoIntervals>): Buffer {
  const names = [...sources.keys()].toSorted();
  const tagged = names.some((source) => sourceTag(source) !== '');
  const count = BigInt(names.length);
  const parts: Buffer[] = [u64(tagged ? (1n << 56n) | (count << 8n) | 1n : count)];
  for (const source of names) {
    parts.push(uuidBytes(source.slice(0, 36)));
    if (tagged) parts.push(Buffer.from([sourceTag(source).length << 1]), Buffer.from(sourceTag(source), 'latin1'));
    const intervals = sources.get(source) ?? [];
    parts.push(u64(BigInt(intervals.length / 2)));
    forEachInterval(intervals, (first, last) => parts.push(u64(BigInt(first)), u64(BigInt(last) + 1n)));
  }
  return Buffer.concat(parts);
}

interface Sources {
  readonly count: bigint;
  readonly sources: Map<MysqlGtidSource, GnoIntervals>;
}

function readSources(cursor: ByteCursor, { count, tagged, sources }: Sources & { tagged: boolean }): void {
  for (let i = 0n; i < count; i++) {
    const uuid = uuidText(cursor.bytes(16, 'uuid'));
    const tag = tagged ? readTag(cursor) : '';
    addSource(sources, gtidSource(uuid, tag), readIntervals(cursor));
  }
}

function readIntervals(cursor: ByteCursor): GnoIntervals {
  const count = cursor.u64('number of intervals');
  const pairs: [Gno, Gno][] = [];
  for (let i = 0n; i < count; i++) {
    pairs.push(interval(gnoField(cursor, 'first of an interval'), gnoField(cursor, 'end of an interval')));
  }
  return normaliseIntervals(pairs);
}

function readCompactSources(cursor: ByteCursor, { count, sources }: Sources): void {
  if (count === 0n) return;
  const tagCount = unsignedVarlen(cursor, 'number of tags');
  const tags: string[] = [];
  for (let i = 0n; i < tagCount; i++) tags.push(readTag(cursor));
  let uuid: string | null = null;
  for (let i = 0n; i < count; i++) {
    const code = unsignedVarlen(cursor, 'source code');
    const tag = tags[Number(code >> 1n)];
    if ((code & 1n) === 1n) uuid = uuidText(cursor.bytes(16, 'uuid'));
    if (tag === undefined || uuid === null) {
      throw corrupt('a source of a GTID set has no UUID or names a tag that is not there', {
        event: EVENT,
        field: 'source code',
      });
    }
    addSource(sources, gtidSource(uuid, tag), readCompactIntervals(cursor));
  }
}

/** Boundaries (first, last + 1, first, …) as distances less one; a first boundary of 1 is left out, which makes their number odd. */
function readCompactIntervals(cursor: ByteCursor): GnoIntervals {
  const stored = unsignedVarlen(cursor, 'number of boundaries');
  const boundaries: Gno[] = [];
  let last = 1n;
  if (stored % 2n === 1n) boundaries.push(1);
  for (let i = 0n; i < stored; i++) {
    last += unsignedVarlen(cursor, 'boundary') + 1n;
    boundaries.push(toGno(last));
  }
  const pairs: [Gno, Gno][] = [];
  forEachInterval(boundaries, (first, end) => pairs.push(interval(first, end)));
  return normaliseIntervals(pairs);
}

function interval(first: Gno, end: Gno): [Gno, Gno] {
  if (first < 1 || end > MYSQL_GNO_END || end < nextGno(first)) {
    throw corrupt('an interval of a GTID set is empty or out of range', { event: EVENT, field: 'interval' });
  }
  return [first, previousGno(end)];
}

function readTag(cursor: ByteCursor): string {
  const length = unsignedVarlen(cursor, 'length of a tag');
  if (length > 32n) {
    throw corrupt('a tag of a GTID set is too long', { event: EVENT, field: 'tag', length: Number(length) });
  }
  const text = cursor.text(Number(length), 'tag');
  const tag = text === '' ? '' : parseTag(text);
  if (tag === null) {
    throw corrupt('a tag of a GTID set has a character that no tag has', { event: EVENT, field: 'tag' });
  }
  return tag;
}

function addSource(
  sources: Map<MysqlGtidSource, GnoIntervals>,
  source: MysqlGtidSource,
  intervals: GnoIntervals,
): void {
  if (intervals.length > 0) sources.set(source, uniteIntervals(sources.get(source) ?? [], intervals));
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
