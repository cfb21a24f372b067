import { ByteCursor } from '../../../base/byte-cursor.ts';
import { gnoField } from '../gtid/gno.ts';
import type { MariadbGtid } from '../gtid/mariadb-gtid.ts';
import { decodeFrame } from './frame-errors.ts';

export interface GtidListEvent {
  readonly kind: 'gtid-list';
  /**
   * The last GTID of every (domain, server) before this place. A domain's newest comes last among its own, so that
   * `MariadbGtidPosition.of(gtids)` is the position here.
   */
  readonly gtids: readonly MariadbGtid[];
  /** Artificial, at the end of a dump that was asked to stop at a position: it has been reached. */
  readonly untilReached: boolean;
}

const FLAG_UNTIL_REACHED = 1 << 28;
const COUNT_MASK = (1 << 28) - 1;

/**
 * GTID_LIST_EVENT of MariaDB: at the start of each file, and as an artificial event where a dump by GTID begins.
 *
 *     count, flags  u32 LE    the upper four bits are flags
 *     each          domain u32 LE, server u32 LE, sequence u64 LE
 *
 * (MariaDB source, sql/log_event.cc, Gtid_list_log_event.)
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function decodeGtidListEvent(body: Buffer): GtidListEvent {
  return decodeFrame('GTID_LIST', () => {
    const cursor = new ByteCursor(body);
    const word = cursor.u32('count');
    const gtids: MariadbGtid[] = [];
    for (let i = word & COUNT_MASK; i > 0; i--) {
      const domain = cursor.u32('domain');
      const server = cursor.u32('server');
      gtids.push({ domain, server, sequence: gnoField(cursor, 'sequence') });
    }
    return { kind: 'gtid-list', gtids, untilReached: (word & FLAG_UNTIL_REACHED) !== 0 };
  });
}
