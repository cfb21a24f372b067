import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { columnFromInformationSchema, type ColumnRow, parseMembers } from './information-schema-column.ts';

const INT: ColumnRow = {
  name: 'a',
  dataType: 'int',
  columnType: 'int(10) unsigned',
  nullable: true,
  extra: '',
  characters: null,
  precision: 10,
  scale: 0,
  fraction: null,
  charset: null,
  collation: null,
};

describe('parseMembers', () => {
  test.each([
    ["enum('a')", ['a']],
    ["set('a','b')", ['a', 'b']],
    ["enum('a,b','it''s','','(x)')", ['a,b', "it's", '', '(x)']],
    [String.raw`enum('d\\e','f\ng','h\ri','\0')`, ['d\\e', 'f\ng', 'h\ri', '\0']],
    ["enum('''')", ["'"]],
  ])('%s', (columnType, members) => {
    expect(parseMembers(columnType)).toEqual(members);
  });

  // MySQL writes x'..' for a member that its own conversion has spoilt.
  test.each(["enum('a'", "enum(x'0df')", "enum('a',)", "enum('a' 'b')", 'enum()', 'int(11)'])(
    '%s is refused',
    (columnType) => {
      expect(parseMembers(columnType)).toBe(null);
    },
  );

  test('any members come back from what the servers write', () => {
    const write = (member: string): string =>
      `'${member.replaceAll(/[\\'\n\r\0]/g, (char) => ({ '\\': '\\\\', "'": "''", '\n': '\\n', '\r': '\\r', '\0': '\\0' })[char] ?? char)}'`;
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (members) => {
        expect(parseMembers(`enum(${members.map(write).join(',')})`)).toEqual(members);
      }),
    );
  });
});

describe('columnFromInformationSchema', () => {
  test('a DEFAULT_GENERATED column is not a generated one', () => {
    expect(
      columnFromInformationSchema({ ...INT, extra: 'DEFAULT_GENERATED on update CURRENT_TIMESTAMP' })?.generated,
    ).toBe(null);
    expect(columnFromInformationSchema({ ...INT, extra: 'STORED GENERATED, INVISIBLE' })).toMatchObject({
      generated: 'stored',
      invisible: true,
    });
    expect(columnFromInformationSchema({ ...INT, extra: 'VIRTUAL GENERATED INVISIBLE' })).toMatchObject({
      generated: 'virtual',
      invisible: true,
    });
  });

  test('utf8 of an older server is utf8mb3', () => {
    const row = {
      ...INT,
      dataType: 'varchar',
      columnType: 'varchar(5)',
      characters: 5,
      charset: 'utf8',
      collation: 'utf8_bin',
    };
    expect(columnFromInformationSchema(row)).toMatchObject({
      charset: 'utf8mb3',
      collation: 'utf8mb3_bin',
      length: 5,
      unsigned: false,
    });
  });

  test('an ENUM of which MySQL shows no character set is binary', () => {
    const row = { ...INT, dataType: 'enum', columnType: "enum('a unsigned')" };
    expect(columnFromInformationSchema(row)).toMatchObject({
      charset: 'binary',
      unsigned: false,
      members: ['a unsigned'],
    });
  });

  test('a type that is not known is no column', () => {
    expect(columnFromInformationSchema({ ...INT, dataType: 'xmltype' })).toBe(null);
  });
});
