import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';

/** An auto-increment value that the next statement uses. Written only before statements, never before row events. */
export interface IntvarEvent {
  readonly kind: 'intvar';
  readonly variable: 'last-insert-id' | 'insert-id';
  readonly value: bigint;
}

/**
 * INTVAR_EVENT
 *
 *     type   u8      1 LAST_INSERT_ID, 2 INSERT_ID
 *     value  u64 LE
 *
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeIntvarEvent(body: Buffer): IntvarEvent {
  return decodeFrame('INTVAR', () => {
    const cursor = new ByteCursor(body);
    const type = cursor.u8('type');
    if (type !== 1 && type !== 2) {
      throw corrupt(`INTVAR event: unknown type ${type}`, { event: 'INTVAR', field: 'type', type });
    }
    return { kind: 'intvar', variable: type === 1 ? 'last-insert-id' : 'insert-id', value: cursor.u64('value') };
  });
}

/** The seeds of RAND() in the next statement. */
export interface RandEvent {
  readonly kind: 'rand';
  readonly seed1: bigint;
  readonly seed2: bigint;
}

/**
 * RAND_EVENT
 *
 *     seed 1  u64 LE
 *     seed 2  u64 LE
 *
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function decodeRandEvent(body: Buffer): RandEvent {
  return decodeFrame('RAND', () => {
    const cursor = new ByteCursor(body);
    const seed1 = cursor.u64('seed 1');
    return { kind: 'rand', seed1, seed2: cursor.u64('seed 2') };
  });
}

/** A user variable that the next statement uses. */
export interface UserVarEvent {
  readonly kind: 'user-var';
  readonly name: string;
  /** Null for NULL. `type` is the server's Item_result: 0 string, 1 real, 2 integer, 4 decimal. */
  readonly value: {
    readonly type: number;
    readonly collation: number;
    readonly bytes: Buffer;
    readonly unsigned: boolean;
  } | null;
}

/**
 * USER_VAR_EVENT
 *
 *     name length   u32 LE
 *     name          bytes
 *     null          u8       when set, the end
 *     type          u8
 *     collation     u32 LE
 *     value length  u32 LE
 *     value         bytes
 *     flags         u8       1 unsigned; an optional tail, as old servers left it out
 *
 * (MySQL source, libs/mysql/binlog/event/statement_events.cpp.)
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function decodeUserVarEvent(body: Buffer): UserVarEvent {
  return decodeFrame('USER_VAR', () => {
    const cursor = new ByteCursor(body);
    const name = cursor.text(cursor.u32('name length'), 'name');
    if (cursor.u8('null') !== 0) return { kind: 'user-var', name, value: null };
    const type = cursor.u8('type');
    const collation = cursor.u32('collation');
    const bytes = cursor.bytes(cursor.u32('value length'), 'value');
    const unsigned = cursor.remaining > 0 && (cursor.u8('flags') & 1) !== 0;
    return { kind: 'user-var', name, value: { type, collation, bytes, unsigned } };
  });
}
