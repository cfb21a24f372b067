import { expect, test } from 'vitest';
import { isRowError, rowReason, writeError } from './write-errors.ts';

const names = new Set(['note', "it's", 'one_u']);

test.each([
  [1406, "Data too long for column 'note' at row 7", 'the value of column note is too long'],
  [
    1366,
    "Incorrect string value: '\\xE6 for column 'note' at row 1' for column 'it's' at row 2",
    "the value of column it's cannot be kept as it is",
  ],
  [
    1062,
    "Duplicate entry 'for key 'secret'' for key 't.one_u'",
    'another row has the same values in the unique key one_u',
  ],
  [1062, "Duplicate entry 'x' for key 'secret'", 'another row has the same values in the unique key'],
  [
    1292,
    "Incorrect datetime value: '2038-01-19 03:14:08' for column `d`.`t`.`note` at row 1",
    'the value of column note cannot be kept as it is',
  ],
  [1292, "Incorrect vector value: 'x' for column `d`.`note`.`secret` at row 1", 'the value cannot be kept as it is'],
  [1264, "Out of range value for column 'secret' at row 1", 'the value is out of range'],
  [1644, 'secret words of a trigger', 'a trigger of the target refuses it (SIGNAL)'],
  [9999, 'secret', 'the target does not take its values'],
])('error %i names columns and keys that are known, and no value: %s', (number, message, reason) => {
  expect(rowReason({ number, message, state: '22001' }, names)).toBe(reason);
});

test('what is of a row is told from what is of the statement or the server', () => {
  const reply = (number: number, state: string): boolean => isRowError({ number, state, message: '' });
  expect([reply(1406, '22001'), reply(1062, '23000'), reply(5555, '22999'), reply(1048, '23000')]).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(writeError({ errno: 1020, sqlMessage: '', sqlState: 'HY000' }, '').code).toBe('SINK_BUSY');
  expect([reply(1213, '40001'), reply(1146, '42S02'), reply(1114, 'HY000'), reply(1064, '42000')]).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test('an error that nobody knows keeps what is in quotes to itself', () => {
  const error = Object.assign(new Error('x'), {
    errno: 1064,
    sqlState: '42000',
    sqlMessage: "You have an error near 'secret)' at line 1",
  });
  expect(writeError(error, 'cannot write rows').message).toBe(
    "cannot write rows: You have an error near '…' at line 1 (error 1064)",
  );
});
