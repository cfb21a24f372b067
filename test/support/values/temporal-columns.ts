import { type ColumnType, type ServerFacts, ascii, plain } from './column-spec.ts';
import type { Dice } from './dice.ts';

const pad = (n: number, width = 2): string => String(n).padStart(width, '0');

/** Digits of a second's fraction, without the point; often a plain end of the range. */
function fraction(dice: Dice): string {
  return dice.pick(['000000', '000001', '999999', '500000', '100000', '090000', dice.digits(6), dice.digits(6)]);
}

function day(dice: Dice): string {
  const any = `${pad(dice.between(0, 9999), 4)}-${pad(dice.between(1, 12))}-${pad(dice.between(1, 28))}`;
  // Zero, partial and impossible dates: whether one is stored or becomes zero is up to the sql_mode.
  const odd = [
    '0000-00-00',
    '2026-00-10',
    '2026-05-00',
    '0000-01-01',
    '0000-00-01',
    '2026-02-31',
    '2025-02-29',
    '0001-01-01',
  ];
  return dice.pick([any, any, any, '1000-01-01', '9999-12-31', '2024-02-29', '1970-01-01', ...odd]);
}

function clock(dice: Dice): string {
  const any = `${pad(dice.between(0, 23))}:${pad(dice.between(0, 59))}:${pad(dice.between(0, 59))}`;
  return dice.pick([any, any, '00:00:00', '23:59:59', '00:00:01']);
}

function declared(name: string, digits: number): string {
  return digits === 0 ? name : `${name}(${digits})`;
}

export function dateColumn(): ColumnType {
  return { sql: 'DATE', value: (dice) => `'${day(dice)}'`, select: plain, expected: ascii, key: 'whole', rowBytes: 3 };
}

export function datetimeColumn(dice: Dice): ColumnType {
  const digits = dice.between(0, 6);
  return {
    sql: declared('DATETIME', digits),
    value: (dice) => `'${day(dice)} ${clock(dice)}.${fraction(dice)}'`,
    select: plain,
    expected: ascii,
    key: 'whole',
    rowBytes: 8,
  };
}

export function timestampColumn(dice: Dice, { timestampMax }: ServerFacts): ColumnType {
  const digits = dice.between(0, 6);
  return {
    sql: declared('TIMESTAMP', digits),
    value: (dice) => {
      const edges = [
        '0000-00-00 00:00:00',
        '2038-01-19 03:14:07',
        '2038-01-19 03:14:06',
        '2038-01-19 03:14:08',
        '2106-02-07 06:28:15',
        '1970-01-01 00:00:01',
        '1970-01-01 00:00:00',
      ];
      if (dice.oneIn(4)) {
        return `'${dice.pick([...edges, `${day(dice)} ${clock(dice)}`])}${dice.oneIn(2) ? '' : `.${fraction(dice)}`}'`;
      }
      // In the session's time zone; what would fall out of the range there becomes zero.
      return `FROM_UNIXTIME(${dice.between(dice.pick([0, 1, 1_000_000_000]), timestampMax)}.${fraction(dice)})`;
    },
    select: plain,
    expected: (raw) => `${ascii(raw).replace(' ', 'T')}Z`,
    key: 'whole',
    rowBytes: 7,
  };
}

export function timeColumn(dice: Dice): ColumnType {
  const digits = dice.between(0, 6);
  return {
    sql: declared('TIME', digits),
    value: (dice) => {
      const any = `${pad(dice.between(0, 838))}:${pad(dice.between(0, 59))}:${pad(dice.between(0, 59))}.${fraction(dice)}`;
      const small = `00:00:${pad(dice.between(0, 2))}.${fraction(dice)}`;
      const text = dice.pick([
        any,
        any,
        small,
        small,
        '838:59:59.999999',
        '838:59:59',
        '00:00:00',
        '23:59:59.999999',
        '99:59:59',
        '100:00:00',
      ]);
      return `'${dice.oneIn(2) ? '-' : ''}${text}'`;
    },
    select: plain,
    expected: ascii,
    key: 'whole',
    rowBytes: 6,
  };
}
