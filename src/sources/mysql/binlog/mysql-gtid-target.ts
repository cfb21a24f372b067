import type { Gno } from '../gtid/gno.ts';
import { type MysqlGtidSource, uuidText } from '../gtid/mysql-gtid-source.ts';

/**
 * Where the hot path reads a transaction's GTID into: one object for a whole stream. The source's text is made anew only when the
 * UUID differs from the one read before.
 */
export interface MysqlGtidTarget {
  /** Empty for an anonymous transaction. */
  source: MysqlGtidSource;
  /** 0 for an anonymous transaction. */
  gno: Gno;
  /** µs since 1970 UTC, of the commit on the server it was first committed on; 0 when not logged (MySQL 5.7). */
  originalCommitUs: number;
  /** The same on the server that wrote this binlog. */
  immediateCommitUs: number;
  /** The four words of the UUID behind `source`, when it is not tagged. */
  uuid0: number;
  uuid1: number;
  uuid2: number;
  uuid3: number;
  /** The untagged source of that UUID; empty before the first. */
  untagged: MysqlGtidSource;
}

export function emptyMysqlGtidTarget(): MysqlGtidTarget {
  return {
    source: '',
    gno: 0,
    originalCommitUs: 0,
    immediateCommitUs: 0,
    uuid0: 0,
    uuid1: 0,
    uuid2: 0,
    uuid3: 0,
    untagged: '',
  };
}

/** The text of the UUID at `offset`; the caller has checked that its bytes are there. */
export function internUuid(buffer: Buffer, offset: number, target: MysqlGtidTarget): MysqlGtidSource {
  const word0 = buffer.readInt32LE(offset);
  const word1 = buffer.readInt32LE(offset + 4);
  const word2 = buffer.readInt32LE(offset + 8);
  const word3 = buffer.readInt32LE(offset + 12);
  const same = word3 === target.uuid3 && word2 === target.uuid2 && word1 === target.uuid1 && word0 === target.uuid0;
  if (!same || target.untagged === '') {
    target.uuid0 = word0;
    target.uuid1 = word1;
    target.uuid2 = word2;
    target.uuid3 = word3;
    target.untagged = uuidText(buffer, offset);
  }
  return target.untagged;
}
