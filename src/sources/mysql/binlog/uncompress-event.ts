import { inflateSync } from 'node:zlib';
import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';

/** A server's events never get longer (MySQL source, max_log_event_size); no header makes us allocate more. */
const UNCOMPRESSED_MAX = 1024 * 1024 * 1024;

/**
 * What MariaDB compresses with `log_bin_compress`: the statement of QUERY_COMPRESSED, and the rows (what follows the column bitmaps)
 * of the compressed row events.
 *
 *     header   u8         bit 7 set, bits 4–6 algorithm (0: zlib), bits 0–2 bytes of the length, 1 to 4
 *     length   1–4 bytes, big-endian: of the data uncompressed, never 0
 *     data     rest       a zlib stream
 *
 * (MariaDB source, sql/log_event.cc, binlog_buf_uncompress.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT, naming `event`
 */
export function uncompressEventData(data: Buffer, event: string): Buffer {
  return decodeFrame(event, () => {
    const cursor = new ByteCursor(data);
    const header = cursor.u8('compression header');
    const lengthBytes = header & 0x07;
    if ((header & 0x88) !== 0x80 || lengthBytes < 1 || lengthBytes > 4) {
      throw corrupt(`${event} event: malformed compression header`, { event, field: 'compression header', header });
    }
    const algorithm = (header >> 4) & 0x07;
    if (algorithm !== 0) {
      throw corrupt(`${event} event: unknown compression algorithm ${algorithm}`, {
        event,
        field: 'compression header',
        algorithm,
      });
    }
    const length = cursor.bytes(lengthBytes, 'uncompressed length').readUIntBE(0, lengthBytes);
    if (length === 0 || length > UNCOMPRESSED_MAX) {
      throw corrupt(`${event} event: ${length} bytes of uncompressed data`, {
        event,
        field: 'uncompressed length',
        length,
      });
    }
    const uncompressed = inflate(cursor.bytes(cursor.remaining, 'compressed data'), { event, length });
    if (uncompressed.length !== length) {
      throw corrupt(`${event} event: uncompresses to ${uncompressed.length} bytes instead of ${length}`, {
        event,
        field: 'compressed data',
        length,
        found: uncompressed.length,
      });
    }
    return uncompressed;
  });
}

function inflate(data: Buffer, { event, length }: { event: string; length: number }): Buffer {
  try {
    return inflateSync(data, { maxOutputLength: length });
  } catch (error) {
    // zlib's message tells nothing of the data: "unexpected end of file", "incorrect data check", …
    const reason = error instanceof Error ? error.message : 'unknown';
    throw corrupt(`${event} event: the compressed data cannot be read (${reason})`, {
      event,
      field: 'compressed data',
    });
  }
}
