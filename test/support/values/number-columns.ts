import { type ColumnType, ascii, integer, plain } from './column-spec.ts';
import type { Dice } from './dice.ts';
import { shortestFloat32 } from './shortest-float32.ts';

const INTEGER_BITS: Readonly<Record<string, number>> = { TINYINT: 8, SMALLINT: 16, MEDIUMINT: 24, INT: 32, BIGINT: 64 };

export function integerColumn(dice: Dice): ColumnType {
  const name = dice.pick(Object.keys(INTEGER_BITS));
  const bits = BigInt(INTEGER_BITS[name] ?? 0);
  const unsigned = dice.oneIn(2);
  const attributes = unsigned ? dice.pick([' UNSIGNED', ' UNSIGNED', ' UNSIGNED ZEROFILL']) : '';
  const least = unsigned ? 0n : -(1n << (bits - 1n));
  const most = unsigned ? (1n << bits) - 1n : (1n << (bits - 1n)) - 1n;
  const near = [
    0n,
    1n,
    -1n,
    127n,
    128n,
    least,
    least + 1n,
    most,
    most - 1n,
    0x7fff_ffffn,
    0x8000_0000n,
    0xffff_ffffn,
    1n << 32n,
  ];
  const safe = [
    1n << 53n,
    (1n << 53n) - 1n,
    (1n << 53n) + 1n,
    -(1n << 53n),
    -(1n << 53n) + 1n,
    -(1n << 53n) - 1n,
    -(1n << 32n),
  ];
  return {
    sql: `${name}${dice.oneIn(4) ? `(${dice.between(1, 20)})` : ''}${attributes}`,
    value: (dice) => {
      const any = least + (dice.u64() % (most - least + 1n));
      const value = dice.pick(
        [any, any, any >> BigInt(dice.between(0, 63)), ...near, ...safe].filter((n) => n >= least && n <= most),
      );
      return String(value);
    },
    // Without `+ 0` ZEROFILL would show zeros: they are display only.
    select: (column) => `${column} + 0`,
    expected: integer,
    key: 'whole',
    rowBytes: 8,
  };
}

export function bitColumn(dice: Dice): ColumnType {
  const bits = dice.pick([1, 7, 8, 9, 16, 31, 32, 33, 48, 52, 53, 54, 55, 56, 57, 63, 64, dice.between(1, 64)]);
  const all = (1n << BigInt(bits)) - 1n;
  return {
    sql: `BIT(${bits})`,
    value: (dice) => `b'${dice.pick([0n, 1n & all, all, all - 1n, dice.u64() & all, dice.u64() & all]).toString(2)}'`,
    select: (column) => `${column} + 0`,
    expected: integer,
    key: 'whole',
    rowBytes: 8,
  };
}

export function yearColumn(): ColumnType {
  return {
    sql: 'YEAR',
    value: (dice) => dice.pick(['0', "'0000'", '1901', '2155', '2000', '1970', String(dice.between(1901, 2155))]),
    select: plain,
    expected: integer,
    key: 'whole',
    rowBytes: 1,
  };
}

export function decimalColumn(dice: Dice): ColumnType {
  const precision = dice.oneIn(2) ? dice.between(1, 65) : dice.pick([1, 9, 10, 18, 19, 27, 30, 36, 64, 65]);
  const most = Math.min(30, precision);
  const scale = dice.pick(
    [0, 1, 2, 9, 10, precision, precision - 1, precision - 9, dice.between(0, most)].filter((n) => n >= 0 && n <= most),
  );
  const attributes = dice.pick(['', '', '', ' UNSIGNED', ' ZEROFILL']);
  const whole = precision - scale;
  const joined = (integer: string, fraction: string): string =>
    `${integer === '' ? '0' : integer}${scale === 0 ? '' : `.${fraction}`}`;
  return {
    sql: `DECIMAL(${precision},${scale})${attributes}`,
    value: (dice) => {
      const number = dice.pick([
        joined('9'.repeat(whole), '9'.repeat(scale)),
        joined('0', '0'.repeat(scale)),
        joined('0', scale === 0 ? '' : `${'0'.repeat(scale - 1)}1`),
        joined(whole === 0 ? '0' : `1${'0'.repeat(whole - 1)}`, '0'.repeat(scale)),
        joined(dice.digits(whole), dice.digits(scale)),
        joined(dice.digits(dice.between(0, whole)), dice.digits(scale)),
        joined(`${'0'.repeat(Math.max(0, whole - 9))}${dice.digits(Math.min(9, whole))}`, dice.digits(scale)),
      ]);
      return `${attributes === '' && dice.oneIn(2) ? '-' : ''}${number}`;
    },
    select: plain,
    // ZEROFILL pads what SELECT shows.
    expected: (raw) => (attributes === ' ZEROFILL' ? ascii(raw).replace(/^0+(?=\d)/, '') : ascii(raw)),
    key: 'whole',
    rowBytes: 30,
  };
}

function anyFloat(dice: Dice, bytes: 4 | 8): number {
  for (;;) {
    const raw = dice.bytes(bytes);
    const value = bytes === 4 ? raw.readFloatLE() : raw.readDoubleLE();
    if (Number.isFinite(value)) return value;
  }
}

const FLOATS = [
  0, -0, 1, -1, 0.1, 0.5, 1.5, 100, 16_777_215, 16_777_216, 16_777_217, 33_554_432, 1e10, 123_456.789, 3.402_823_466e38,
  -3.402_823_466e38,
];
const SMALL_FLOATS = [
  1.175_494_351e-38,
  1.4e-45,
  1e-44,
  5.877_471_754e-39,
  -7.006_492_321e-45,
  2 ** -126,
  2 ** -24,
  2 ** 60,
  2 ** 100,
];

export function floatColumn(dice: Dice): ColumnType {
  const decimals = dice.oneIn(4) ? dice.between(0, 6) : null;
  const digits = decimals === null ? null : dice.between(Math.max(1, decimals), 20);
  return {
    sql: `FLOAT${decimals === null ? '' : `(${digits},${decimals})`}${dice.oneIn(5) ? ' UNSIGNED' : ''}`,
    value: (dice) => {
      const value = dice.pick([
        ...FLOATS,
        ...SMALL_FLOATS,
        anyFloat(dice, 4),
        anyFloat(dice, 4),
        dice.between(-1e6, 1e6) / 100,
        2 ** dice.between(-149, 127),
      ]);
      return Object.is(value, -0) ? '-0e0' : value.toExponential();
    },
    // A FLOAT by itself is shown with six digits; the double that it is, is shown with all of them.
    select: (column) => `CAST(${column} AS DOUBLE)`,
    expected: (raw) => shortestFloat32(Number(ascii(raw))),
    key: 'whole',
    rowBytes: 4,
  };
}

export function doubleColumn(dice: Dice): ColumnType {
  const decimals = dice.oneIn(5) ? dice.between(0, 6) : null;
  return {
    sql: `DOUBLE${decimals === null ? '' : `(${dice.between(Math.max(1, decimals), 30)},${decimals})`}${dice.oneIn(5) ? ' UNSIGNED' : ''}`,
    value: (dice) => {
      const value = dice.pick([
        ...FLOATS,
        0.1 + 0.2,
        1.797_693_134_862_315_7e308,
        2.225_073_858_507_201_4e-308,
        anyFloat(dice, 8),
        anyFloat(dice, 8),
        dice.between(-1e9, 1e9) / 1000,
      ]);
      return Object.is(value, -0) ? '-0e0' : value.toExponential();
    },
    select: (column) => (decimals === null ? column : `CAST(${column} AS DOUBLE)`),
    expected: (raw) => Number(ascii(raw)),
    key: 'whole',
    rowBytes: 8,
  };
}
