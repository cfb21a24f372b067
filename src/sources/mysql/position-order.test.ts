import { describe, expect, test } from 'vitest';
import { covers } from './position-order.ts';

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const B = '5a11fa47-71ca-11e1-9e33-c80aa9429562';

describe('whether a position is at or before another', () => {
  test.each([
    [`${A}:1-5`, `${A}:1-5`, true],
    [`${A}:1-5`, `${A}:1-6`, true],
    [`${A}:1-6`, `${A}:1-5`, false],
    [`${A}:1-5`, `${A}:1-3:5-9`, false],
    [`${A}:1-5`, `${A}:1-9,${B}:1`, true],
    [`${A}:1-5,${B}:1`, `${A}:1-9`, false],
    [`${A}:1-5`, `${A.toUpperCase()}:1-5`, true],
  ])('MySQL GTIDs are sets: %s and %s', (a, b, expected) => {
    expect(covers(a, b)).toBe(expected);
  });

  test.each([
    ['0-1-15', '0-1-15', true],
    ['0-1-15', '0-2-16', true],
    ['0-1-16', '0-1-15', false],
    ['0-1-15,1-1-3', '0-1-15', false],
    ['0-1-15', '1-1-3,0-1-15', true],
    ['0-1-9007199254740993', '0-1-9007199254740992', false],
  ])('MariaDB GTIDs are compared domain by domain: %s and %s', (a, b, expected) => {
    expect(covers(a, b)).toBe(expected);
  });

  test.each([
    ['mysql-bin.000009:400', 'mysql-bin.000009:400', true],
    ['mysql-bin.000009:401', 'mysql-bin.000009:400', false],
    ['mysql-bin.000009:99999', 'mysql-bin.000010:4', true],
    ['mysql-bin.999999:4', 'mysql-bin.1000000:4', true],
    ['mysql-bin.1000000:4', 'mysql-bin.999999:99', false],
  ])('files count by their numbers, not as text: %s and %s', (a, b, expected) => {
    expect(covers(a, b)).toBe(expected);
  });

  test.each([
    ['mysql-bin.000001:4', '0-1-15'],
    ['0-1-15', `${A}:1-5`],
    ['mysql-bin.000001:4', 'binlog.000001:4'],
    ['now', 'mysql-bin.000001:4'],
    ['0-1-15', '2026-11-20T09:00:00Z'],
    ['0-1-15', 'nonsense'],
  ])('what only the server could tell is refused, with both named: %s and %s', (a, b) => {
    expect(() => covers(a, b)).toThrow(
      expect.objectContaining({ code: 'POSITION_INVALID', details: { first: a, second: b } }),
    );
  });
});
