import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';

/** How group replication certified the transaction it stands in. Says nothing of its rows. */
export interface TransactionContextEvent {
  readonly kind: 'transaction-context';
  readonly serverUuid: string;
  readonly threadId: number;
}

/**
 * TRANSACTION_CONTEXT_EVENT of MySQL's group replication.
 *
 *     uuid length       u8
 *     thread id         u32 LE
 *     gtid specified    u8
 *     snapshot length   u32 LE
 *     write set count   u32 LE
 *     read set count    u32 LE
 *     uuid, snapshot    bytes
 *     write, read set   u16 LE length, bytes each
 *
 * (MySQL source, libs/mysql/binlog/event/control_events.cpp.)
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function decodeTransactionContextEvent(body: Buffer): TransactionContextEvent {
  return decodeFrame('TRANSACTION_CONTEXT', () => {
    const cursor = new ByteCursor(body);
    const uuidLength = cursor.u8('uuid length');
    const threadId = cursor.u32('thread id');
    cursor.skip(1, 'gtid specified');
    const snapshotLength = cursor.u32('snapshot length');
    const entries = cursor.u32('write set count') + cursor.u32('read set count');
    const serverUuid = cursor.text(uuidLength, 'uuid');
    cursor.skip(snapshotLength, 'snapshot');
    for (let i = 0; i < entries; i++) cursor.skip(cursor.u16('length of a set entry'), 'set entry');
    return { kind: 'transaction-context', serverUuid, threadId };
  });
}

/** The members of the group have changed. Logged as a transaction of its own, with a GTID. */
export interface ViewChangeEvent {
  readonly kind: 'view-change';
  readonly viewId: string;
  readonly sequence: bigint;
}

/**
 * VIEW_CHANGE_EVENT of MySQL's group replication.
 *
 *     view id              40 bytes   text, padded with 0
 *     sequence             u64 LE
 *     certification count  u32 LE
 *     certification        u16 LE length, bytes; u32 LE length, bytes each
 *
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeViewChangeEvent(body: Buffer): ViewChangeEvent {
  return decodeFrame('VIEW_CHANGE', () => {
    const cursor = new ByteCursor(body);
    const [viewId = ''] = cursor.text(40, 'view id').split('\0', 1);
    if (viewId === '') throw corrupt('VIEW_CHANGE event without a view', { event: 'VIEW_CHANGE', field: 'view id' });
    const sequence = cursor.u64('sequence');
    for (let i = cursor.u32('certification count'); i > 0; i--) {
      cursor.skip(cursor.u16('length of a certification key'), 'certification key');
      cursor.skip(cursor.u32('length of a certification value'), 'certification value');
    }
    return { kind: 'view-change', viewId, sequence };
  });
}
