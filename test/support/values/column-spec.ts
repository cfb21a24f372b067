import type { Value } from '../../../src/core/change.ts';
import type { ServerFlavour } from '../servers/flavour.ts';
import type { Dice } from './dice.ts';

/** A random column type: how to declare it, how to write values, and how to learn from SELECT what a value is. */
export interface ColumnType {
  /** The type in CREATE TABLE, with its character set. */
  readonly sql: string;
  /** A random value other than NULL, as an SQL expression. */
  readonly value: (dice: Dice) => string;
  /** An SQL expression that changes the value there is, in place where the server can. */
  readonly change?: (column: string, dice: Dice) => string;
  /** What to SELECT; the answer is read as bytes over a utf8mb4 connection whose time zone is UTC. */
  readonly select: (column: string) => string;
  /** The value that those bytes say. */
  readonly expected: (raw: Buffer) => Value;
  /** How it can be part of a primary key: whole, by a prefix of so many characters or bytes, or not at all. */
  readonly key: 'whole' | 'no' | number;
  /** Bytes that it may take of a row's 65,535. */
  readonly rowBytes: number;
  /** TEXT, BLOB, JSON, GEOMETRY, VECTOR: what a NOBLOB image leaves out. */
  readonly blob?: boolean;
  /** Cannot be NOT NULL without a default. */
  readonly nullableOnly?: boolean;
}

/** What random tables may be made of. */
export interface ServerFacts {
  readonly flavour: ServerFlavour;
  /** 10.11.18 is 101118. */
  readonly version: number;
  /** Where random TIMESTAMPs end, in seconds. */
  readonly timestampMax: number;
  /** MySQL's VECTORs may have fewer elements than the column, and elements of any size; `whole`: none that MariaDB does not take. */
  readonly vectors: 'any' | 'whole';
  /** Character sets that a column can have, `binary` left out. */
  readonly charsets: readonly { readonly name: string; readonly bytesMax: number }[];
  /**
   * What ENUM and SET members may hold. Characters beyond U+FFFF: information_schema cannot tell what they are. Characters that the
   * column's character set lacks: DDL does not tell what becomes of them.
   */
  readonly members: { readonly astral: boolean; readonly lossy: boolean };
}

export const plain = (column: string): string => column;
export const ascii = (raw: Buffer): string => raw.toString('latin1');
export const utf8 = (raw: Buffer): string => raw.toString('utf8');
export const hexed = (column: string): string => `HEX(${column})`;
export const fromHex = (raw: Buffer): Uint8Array => new Uint8Array(Buffer.from(raw.toString('latin1'), 'hex'));

/** A whole number as the value model has it: a number, beyond 2^53 - 1 a bigint. */
export function integer(raw: Buffer): number | bigint {
  const value = BigInt(raw.toString('latin1'));
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
