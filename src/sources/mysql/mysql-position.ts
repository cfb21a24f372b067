import { TidingsError } from '../../core/errors.ts';
import { isDay } from '../../core/start-at.ts';
import type { Position } from '../../core/position.ts';
import type { GtidTrail } from './gtid/gtid-trail.ts';
import { MariadbGtidPosition } from './gtid/mariadb-gtid.ts';
import { MysqlGtidSet } from './gtid/mysql-gtid-set.ts';
import type { BinlogPlace } from './server.ts';

/**
 * A transaction's end in the binlog: file and offset always, and all GTIDs up to there when the server has them.
 *
 * It prints as the GTIDs when they are known, since these mean the same on every server of a replication group; else as
 * `file:offset`. Making one per transaction is cheap: the GTIDs are shared with the positions before it.
 */
export class MysqlPosition implements Position {
  readonly file: string;
  /** Bytes from the file's beginning. */
  readonly offset: number;
  readonly gtids: GtidTrail | MariadbGtidPosition | null;
  /**
   * Whose place it is (`Server.identity`): files of another server may have the same names. Null: the GTIDs are known, and where in the
   * binlog they end is not; the place is before that.
   */
  readonly server: string | null;

  // Positional, since there is one for each transaction.
  // oxlint-disable-next-line max-params
  constructor(file: string, offset: number, gtids: MysqlPosition['gtids'], server: string | null) {
    this.file = file;
    this.offset = offset;
    this.gtids = gtids;
    this.server = server;
  }

  toString(): string {
    const gtids = this.gtids === null ? '' : this.gtids.toString();
    return gtids === '' ? `${this.file}:${this.offset}` : gtids;
  }
}

/** What `from` and `until` can say. */
export type PositionRequest =
  | { readonly kind: 'now' }
  | { readonly kind: 'earliest' }
  | { readonly kind: 'place'; readonly place: BinlogPlace }
  | { readonly kind: 'mysql-gtids'; readonly set: MysqlGtidSet }
  | { readonly kind: 'mariadb-gtids'; readonly position: MariadbGtidPosition }
  | { readonly kind: 'time'; readonly atUs: number };

/**
 * `now`, `earliest`, `mysql-bin.000003:1234`, a MySQL GTID set, a MariaDB GTID position `0-1-15,1-2-3`, or a time in ISO 8601 with
 * its clock part (`2026-11-20T09:00:00Z`; a bare date would be a MariaDB GTID).
 *
 * @throws TidingsError POSITION_INVALID
 */
export function parsePositionRequest(text: string): PositionRequest {
  const trimmed = text.trim();
  if (trimmed === 'now' || trimmed === 'earliest') return { kind: trimmed };
  const place = /^([^:\s]+\.\d+):(\d+)$/.exec(trimmed);
  if (place?.[1] !== undefined) {
    const offset = Number(place[2]);
    if (Number.isSafeInteger(offset)) return { kind: 'place', place: { file: place[1], offset: Math.max(offset, 4) } };
  }
  try {
    if (/^\d+-\d+-\d+(\s*,\s*\d+-\d+-\d+)*$/.test(trimmed)) {
      return { kind: 'mariadb-gtids', position: MariadbGtidPosition.parse(trimmed) };
    }
    if (/^[0-9a-f]{8}-?[0-9a-f]{4}-/i.test(trimmed)) return { kind: 'mysql-gtids', set: MysqlGtidSet.parse(trimmed) };
  } catch (error) {
    throw new TidingsError(
      'POSITION_INVALID',
      `"${text}" is no position: ${error instanceof Error ? error.message : ''}`,
      {
        cause: error,
      },
    );
  }
  if (/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(trimmed)) {
    const ms = Date.parse(/(Z|[+-]\d{2}:?\d{2})$/i.test(trimmed) ? trimmed : `${trimmed.replace(' ', 'T')}Z`);
    if (!Number.isNaN(ms) && isDay(trimmed)) return { kind: 'time', atUs: ms * 1000 };
  }
  throw new TidingsError('POSITION_INVALID', `"${text}" is no position`);
}
