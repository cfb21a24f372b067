import { describe, expect, test } from 'vitest';
import type { Column } from '../../../core/table-schema.ts';
import { type ChunkStatement, chunkStatement } from './chunk-statement.ts';
import { checkCondition } from './condition.ts';
import { cursorText, parseCursor } from './cursor.ts';

const INT: Omit<Column, 'name'> = {
  type: 'int',
  nullable: false,
  unsigned: false,
  length: null,
  scale: null,
  charset: null,
  collation: null,
  members: null,
  generated: null,
  invisible: false,
};

function statement(changes: Partial<ChunkStatement>, ...directions: readonly ('asc' | 'desc')[]): string {
  const names = ['a', 'b', 'c'].slice(0, directions.length);
  return chunkStatement({
    database: 'd`b',
    table: 't',
    selectList: '`a`',
    key: { index: 'PRIMARY', parts: names.map((column, i) => ({ column, descending: directions[i] === 'desc' })) },
    keyColumns: names.map((name) => ({ ...INT, name })),
    after: null,
    upTo: null,
    keys: null,
    where: null,
    limit: 10,
    skip: 0,
    lock: '',
    ...changes,
  });
}

describe('the statement of a chunk', () => {
  test('reads along the index from the beginning', () => {
    expect(statement({}, 'asc')).toBe('SELECT `a` FROM `d``b`.`t` FORCE INDEX (`PRIMARY`) ORDER BY `t`.`a` LIMIT 10');
  });

  test('begins behind a key of several columns, in the form that the servers use an index for', () => {
    expect(statement({ after: ['1', '2', '3'] }, 'asc', 'desc', 'asc')).toContain(
      ' WHERE `t`.`a` >= 1 AND (`t`.`a` > 1 OR (`t`.`a` = 1 AND (`t`.`b` < 2 OR (`t`.`b` = 2 AND `t`.`c` > 3)))) ORDER BY `t`.`a`, `t`.`b` DESC, `t`.`c` LIMIT',
    );
  });

  test('ends with a key', () => {
    expect(statement({ after: ['1'], upTo: ['9'] }, 'asc')).toContain(' WHERE `t`.`a` > 1 AND `t`.`a` <= 9 ORDER');
    expect(statement({ upTo: ['1', '2'] }, 'desc', 'asc')).toContain(
      ' WHERE `t`.`a` >= 1 AND (`t`.`a` > 1 OR (`t`.`a` = 1 AND `t`.`b` <= 2)) ORDER',
    );
  });

  test('has the condition last, between parentheses, and on a line that a comment cannot go beyond', () => {
    expect(statement({ after: ['1'], where: 'x = 1 -- y', lock: 'FOR SHARE' }, 'asc')).toContain(
      ' WHERE `t`.`a` > 1 AND (x = 1 -- y\n) ORDER BY `t`.`a` LIMIT 10 FOR SHARE',
    );
  });

  test('names keys, and none of none', () => {
    expect(statement({ keys: [['1'], ['5']] }, 'asc')).toContain(' WHERE `t`.`a` IN (1, 5) ORDER');
    expect(
      statement(
        {
          keys: [
            ['1', '2'],
            ['5', '6'],
          ],
        },
        'asc',
        'asc',
      ),
    ).toContain(' WHERE ((`t`.`a` = 1 AND `t`.`b` = 2) OR (`t`.`a` = 5 AND `t`.`b` = 6)) ORDER');
    expect(statement({ keys: [] }, 'asc')).toContain(' WHERE FALSE ORDER');
    expect(statement({ keys: [['1'], ['5']], among: [['5']] }, 'asc')).toContain(
      ' WHERE `t`.`a` IN (1, 5) AND `t`.`a` IN (5) ORDER',
    );
  });

  test('of a whole table has no order', () => {
    expect(statement({ key: null, limit: null, where: 'x' })).toBe('SELECT `a` FROM `d``b`.`t` WHERE (x\n)');
  });
});

describe('a place in a table', () => {
  const table = { database: 'd', table: 't' };
  const key = ['`a` integer', '`b` text utf8mb4_bin'];

  test.for([
    "_utf8mb4 X'c3a9'",
    "_binary X''",
    '-12',
    '1.50',
    '1.5e-7',
    "'2026-01-01 00:00:00.5'",
    "'::ffff:10.0.0.1'",
  ])('survives being stored: %s', (literal) => {
    expect(parseCursor(cursorText(key, ['1', literal]), key, table)).toEqual(['1', literal]);
  });

  test.for([
    "''",
    '1 ',
    '1;',
    "'a' OR 1",
    "x'61'",
    "_utf8mb4 X'6'",
    "_utf8mb4 X'61' OR 1",
    '`a`',
    'a',
    '--1',
    '1--',
    "'\\'",
    '1\n',
    '@a',
    'NULL',
  ])('lets nothing through but literals: %s', (literal) => {
    expect(() => parseCursor(cursorText(key, ['1', literal]), key, table)).toThrow(
      expect.objectContaining({ code: 'SNAPSHOT_CURSOR_INVALID' }),
    );
  });
});

describe('a condition', () => {
  const server = { flavour: 'mysql', version: 80_400 } as never;
  const table = { database: 'd', table: 't' };

  test.for([
    'a = 1',
    "a = ')' OR b = ';'",
    '(a) AND (b)',
    'a /* ) */ = 1 -- ) ;',
    'a = `)`',
    "a = '\\')'",
    '/*! a */ = 1',
  ])('is one expression: %s', (where) => {
    expect(() => checkCondition(where, { table, server })).not.toThrow();
  });

  test.for([
    '',
    '/* a */',
    'a) OR (b',
    '(a',
    "a = 'b",
    'a = "b',
    'a = `b',
    'a /* b',
    'a; b',
    "a = '\\'",
    '/*! a',
    'a\0',
  ])('is refused: %s', (where) => {
    expect(() => checkCondition(where, { table, server })).toThrow(
      expect.objectContaining({ code: 'SNAPSHOT_CONDITION_INVALID' }),
    );
  });
});
