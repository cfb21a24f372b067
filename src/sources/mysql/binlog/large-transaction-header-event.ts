import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';

export interface LargeTransactionHeaderEvent {
  readonly kind: 'large-transaction-header';
  /** Where in the file the event lies that ends the transaction. */
  readonly endPosition: number;
  readonly endType: number;
}

const EVENT = 'LARGE_TRANSACTION_HEADER';

/**
 * LARGE_TRANSACTION_HEADER_EVENT, in the development source of MySQL after 9.7: before a transaction that was written to a file of its
 * own. For the server's recovery; says nothing of the rows.
 *
 *     version       u8       1
 *     end position  u64 LE
 *     end type      u8
 *     padding       rest
 *
 * (MySQL source, libs/mysql/binlog/event/large_transaction_header_event.h.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeLargeTransactionHeaderEvent(body: Buffer): LargeTransactionHeaderEvent {
  return decodeFrame(EVENT, () => {
    const cursor = new ByteCursor(body);
    const version = cursor.u8('version');
    if (version !== 1) {
      throw corrupt(`${EVENT} event: unknown version ${version}`, { event: EVENT, field: 'version', version });
    }
    const endPosition = Number(cursor.u64('end position'));
    return { kind: 'large-transaction-header', endPosition, endType: cursor.u8('end type') };
  });
}
