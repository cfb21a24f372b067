import { describe, expect, test } from 'vitest';
import { column, table } from '../../../../test/support/changes.ts';
import type { Column } from '../../../core/table-schema.ts';
import { COLUMN_TYPE } from '../binlog/column-types.ts';
import type { RowMetadata, TableMapEvent, WireColumn } from '../binlog/table-map-event.ts';
import type { Flavour } from '../../../drivers/mysql/server-version.ts';
import { isAmbiguous } from './table-binding.ts';
import { wireMismatch } from './wire-check.ts';

const T = COLUMN_TYPE;
type Wire = Partial<WireColumn> & Pick<WireColumn, 'type'>;

function event(
  wires: readonly Wire[],
  metadata: Partial<RowMetadata> | null = null,
  flavour: Flavour = 'mariadb',
): TableMapEvent {
  const nothing = {
    unsigned: null,
    charsets: null,
    enumAndSetCharsets: null,
    names: null,
    setMembers: null,
    enumMembers: null,
    primaryKey: null,
    visible: null,
    vectorDimensions: null,
  };
  return {
    flavour,
    tableId: 1,
    database: 'd',
    table: 't',
    columns: wires.map((wire) => ({ size: 0, scale: 0, nullable: true, ...wire })),
    metadata: metadata === null ? null : { ...nothing, ...metadata },
  };
}

function mismatch(definition: Column, wire: Wire, metadata: Partial<RowMetadata> | null = null): string | null {
  return wireMismatch(event([wire], metadata), table('d.t', [definition]), 'mariadb');
}

const members = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`);
const charsets = (collation: number): Partial<RowMetadata> => ({
  charsets: { kind: 'default', collation, exceptions: new Map() },
});
const LATIN1 = 8;
const BINARY = 63;

describe('a definition', () => {
  test.each<[name: string, Column, Wire]>([
    ['CHAR(64) in utf8mb4', column('v', 'char', { length: 64, charset: 'utf8mb4' }), { type: T.STRING, size: 256 }],
    ['CHAR(0)', column('v', 'char', { length: 0, charset: 'latin1' }), { type: T.STRING, size: 0 }],
    ['VARCHAR(10) in ucs2', column('v', 'varchar', { length: 10, charset: 'ucs2' }), { type: T.VARCHAR, size: 20 }],
    [
      'VARCHAR(10) COMPRESSED',
      column('v', 'varchar', { length: 10, charset: 'latin1' }),
      { type: T.VARCHAR_COMPRESSED, size: 11 },
    ],
    ['ENUM of 255', column('v', 'enum', { members: members(255), charset: 'latin1' }), { type: T.ENUM, size: 1 }],
    ['ENUM of 256', column('v', 'enum', { members: members(256), charset: 'latin1' }), { type: T.ENUM, size: 2 }],
    ['SET of 24', column('v', 'set', { members: members(24), charset: 'latin1' }), { type: T.SET, size: 3 }],
    ['SET of 33', column('v', 'set', { members: members(33), charset: 'latin1' }), { type: T.SET, size: 8 }],
    ['DECIMAL(5,0)', column('v', 'decimal', { length: 5, scale: 0 }), { type: T.NEWDECIMAL, size: 5, scale: 0 }],
    ['MEDIUMTEXT', column('v', 'text', { length: 0xff_ffff, charset: 'utf8mb4' }), { type: T.BLOB, size: 3 }],
    ['DATETIME(3)', column('v', 'datetime', { length: 3 }), { type: T.DATETIME2, size: 3 }],
    // Before 5.6, and with mysql56_temporal_format=OFF: the rows do not tell the digits.
    ['DATETIME(3) in the old format', column('v', 'datetime', { length: 3 }), { type: T.DATETIME }],
    ["MySQL's VECTOR(3)", column('v', 'vector', { length: 3 }), { type: T.VECTOR, size: 4 }],
    ["MariaDB's VECTOR(3)", column('v', 'vector', { length: 3 }), { type: T.VARCHAR, size: 12 }],
    ['INET6', column('v', 'inet6'), { type: T.STRING, size: 16 }],
  ])('%s fits its rows', (_name, definition, wire) => {
    expect(mismatch(definition, wire)).toBeNull();
  });

  test.each<[name: string, Column, Wire, Partial<RowMetadata> | null]>([
    ['another type', column('v', 'int'), { type: T.LONGLONG }, null],
    ['another length', column('v', 'char', { length: 63, charset: 'utf8mb4' }), { type: T.STRING, size: 256 }, null],
    ['other digits', column('v', 'time', { length: 2 }), { type: T.TIME2, size: 3 }, null],
    [
      'another scale',
      column('v', 'decimal', { length: 10, scale: 2 }),
      { type: T.NEWDECIMAL, size: 10, scale: 3 },
      null,
    ],
    [
      'too many members',
      column('v', 'enum', { members: members(256), charset: 'latin1' }),
      { type: T.ENUM, size: 1 },
      null,
    ],
    ['another sign', column('v', 'int'), { type: T.LONG }, { unsigned: [true] }],
    [
      'another character set',
      column('v', 'varchar', { length: 10, charset: 'latin2' }),
      { type: T.VARCHAR, size: 10 },
      charsets(LATIN1),
    ],
    [
      'text where bytes are',
      column('v', 'varchar', { length: 10, charset: 'latin1' }),
      { type: T.VARCHAR, size: 10 },
      charsets(BINARY),
    ],
    ['bytes where text is', column('v', 'varbinary', { length: 10 }), { type: T.VARCHAR, size: 10 }, charsets(LATIN1)],
    ['a UUID where text is', column('v', 'uuid'), { type: T.STRING, size: 16 }, charsets(LATIN1)],
    ['another name', column('v', 'int'), { type: T.LONG }, { names: ['w'] }],
  ])('with %s does not fit', (_name, definition, wire, metadata) => {
    expect(mismatch(definition, wire, metadata)).toContain('column');
  });

  test('with another number of columns does not fit', () => {
    expect(wireMismatch(event([{ type: T.LONG }]), table('d.t', []), 'mysql')).toContain('1 columns');
  });

  test('whose columns differ from the rows in nullability fits: NULL is told by each row', () => {
    expect(mismatch(column('v', 'int', { nullable: false }), { type: T.LONG, nullable: true })).toBeNull();
  });
});

describe('full metadata', () => {
  test.each<[name: string, Wire, collation: number, boolean]>([
    ['BINARY(16), which may be a UUID', { type: T.STRING, size: 16 }, BINARY, true],
    ['BINARY(4), which may be an INET4', { type: T.STRING, size: 4 }, BINARY, true],
    ['BINARY(8)', { type: T.STRING, size: 8 }, BINARY, false],
    ['CHAR(16)', { type: T.STRING, size: 16 }, LATIN1, false],
    ['VARBINARY(12), which may be a VECTOR(3)', { type: T.VARCHAR, size: 12 }, BINARY, true],
    ['VARBINARY(13)', { type: T.VARCHAR, size: 13 }, BINARY, false],
    ['a DATETIME of unknown digits', { type: T.DATETIME }, BINARY, true],
    ['a DATETIME(3)', { type: T.DATETIME2, size: 3 }, BINARY, false],
  ])("leaves open on MariaDB what only the table's definition tells: %s", (_name, wire, collation, ambiguous) => {
    expect(isAmbiguous(event([wire], charsets(collation)), 'mariadb')).toBe(ambiguous);
    expect(isAmbiguous(event([wire], charsets(collation), 'mysql'), 'mysql')).toBe(false);
  });
});
