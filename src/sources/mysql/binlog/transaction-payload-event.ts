import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';

export interface TransactionPayloadEvent {
  readonly kind: 'transaction-payload';
  readonly compression: 'zstd' | 'none';
  /** Null when not told, which is allowed. It is what the server says: bound what you allocate by something of your own. */
  readonly uncompressedLength: number | null;
  /** The events of the transaction one behind the other, without checksums; compressed as a whole. A view into the event. */
  readonly payload: Buffer;
}

const EVENT = 'TRANSACTION_PAYLOAD';
const END = 0;
const PAYLOAD_SIZE = 1;
const COMPRESSION = 2;
const UNCOMPRESSED_SIZE = 3;

/** MySQL source, libs/mysql/binlog/event/compression/base.h. */
const COMPRESSIONS: ReadonlyMap<number, TransactionPayloadEvent['compression']> = new Map([
  [0, 'zstd'],
  [255, 'none'],
]);

/**
 * TRANSACTION_PAYLOAD_EVENT of MySQL (`binlog_transaction_compression`): a whole transaction but for its GTID event. Fields of type,
 * length and value, each number length-encoded; then the payload:
 *
 *     1  payload size       bytes of the payload
 *     2  compression        0 zstd, 255 none
 *     3  uncompressed size  may be left out
 *     0                     the end of the fields, without length
 *     payload               so many bytes
 *
 * Other types are passed over. (MySQL source, libs/mysql/binlog/event/codecs/binary.cpp.) Decompressing is the caller's.
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeTransactionPayloadEvent(body: Buffer): TransactionPayloadEvent {
  return decodeFrame(EVENT, () => {
    const cursor = new ByteCursor(body);
    let payloadLength: number | null = null;
    let compression: TransactionPayloadEvent['compression'] | null = null;
    let uncompressedLength: number | null = null;
    for (;;) {
      const type = cursor.lengthEncoded('field type');
      if (type === END) break;
      const length = cursor.lengthEncoded('field length');
      const value = new ByteCursor(cursor.bytes(length, 'field'));
      if (type === PAYLOAD_SIZE) payloadLength = value.lengthEncoded('payload size');
      else if (type === COMPRESSION) compression = compressionOf(value.lengthEncoded('compression'));
      else if (type === UNCOMPRESSED_SIZE) uncompressedLength = value.lengthEncoded('uncompressed size');
    }
    if (payloadLength === null || compression === null) {
      throw corrupt(`${EVENT} event: payload size or compression is not told`, { event: EVENT, field: 'payload size' });
    }
    if (uncompressedLength !== null && !Number.isSafeInteger(uncompressedLength)) {
      throw corrupt(`${EVENT} event: uncompressed size is out of range`, { event: EVENT, field: 'uncompressed size' });
    }
    const payload = cursor.bytes(payloadLength, 'payload');
    return { kind: 'transaction-payload', compression, uncompressedLength, payload };
  });
}

function compressionOf(code: number): TransactionPayloadEvent['compression'] {
  const compression = COMPRESSIONS.get(code);
  if (compression === undefined) {
    throw corrupt(`${EVENT} event: unknown compression ${code}`, { event: EVENT, field: 'compression', code });
  }
  return compression;
}
