import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTablePattern } from './table-pattern.ts';

test.each<[string, string, string[], string[]]>([
  [
    'a table',
    'shop.orders',
    ['shop.orders'],
    ['shop.order', 'shop.orders2', 'Shop.orders', 'shop.Orders', 'xshop.orders'],
  ],
  ['a database', 'shop.*', ['shop.orders', 'shop.x.y'], ['shop2.orders']],
  ['stars in both names', 's*p.o*s', ['shop.orders', 'sp.os'], ['shop.order', 'shops.orders']],
  ['a star that stands for nothing', 'shop.orders*', ['shop.orders', 'shop.orders_2026'], ['shop.order']],
  ['several stars', 'a.*b*b*', ['a.bb', 'a.xbxbx'], ['a.b', 'a.xbx']],
  ['pieces that must not overlap', 'a.aba*aba', ['a.abaaba', 'a.abaxaba'], ['a.aba', 'a.ababa']],
  ['a name without a database', 'orders', ['shop.orders', 'crm.orders'], ['shop.lines']],
  ['names in backticks', '`odd.name`.`a*b`', ['odd.name.a*b'], ['odd.name.axb']],
  ['doubled backticks', '`a``b`.*', ['a`b.c'], ['ab.c']],
  ['signs of regular expressions', 'shop.a+(b)', ['shop.a+(b)'], ['shop.aab']],
  [
    'a regular expression',
    '/^(shop|crm)\\.(orders|users)$/',
    ['shop.orders', 'crm.users'],
    ['shop.lines', 'xshop.orders'],
  ],
  ['its flags', '/^shop/i', ['Shop2.orders'], ['crm.users']],
  ['its flags that keep a state, which are left out', '/shop/gy', ['my shop.orders'], ['crm.users']],
])('%s: %s', (_, pattern, matching, others) => {
  const { matches } = parseTablePattern(pattern);
  const isMatched = (name: string): boolean => {
    const point = name.startsWith('odd.name') ? 8 : name.indexOf('.');
    return matches(name.slice(0, point), name.slice(point + 1));
  };
  expect([matching.filter(isMatched), others.filter(isMatched)]).toEqual([matching, []]);
});

test('a bare name belongs to the database that is given, with dots and stars of its name meant literally', () => {
  const { matches, database } = parseTablePattern('orders_*', { database: 's*p' });
  expect(database).toBe('s*p');
  expect([matches('s*p', 'orders_1'), matches('shop', 'orders_1'), matches('s*p', 'orders')]).toEqual([
    true,
    false,
    false,
  ]);
  expect(parseTablePattern('crm.users', { database: 'shop' }).matches('crm', 'users')).toBe(true);
});

test('a pattern tells of which databases it can match a table', () => {
  const touched = (pattern: string): string[] =>
    ['shop', 'shop2', 'crm'].filter((name) => parseTablePattern(pattern).touches(name));
  expect(touched('shop.orders')).toEqual(['shop']);
  expect(touched('sh*.orders')).toEqual(['shop', 'shop2']);
  expect(touched('orders')).toEqual(['shop', 'shop2', 'crm']);
  expect(touched('/crm/')).toEqual(['shop', 'shop2', 'crm']);
});

test.each(['', '.', 'a.b.c', 'shop.', '.orders', '/(/', '`shop.orders', 'a`b.c', `shop.${'x'.repeat(1000)}`])(
  '"%s" is refused',
  (pattern) => {
    expect(() => parseTablePattern(pattern)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  },
);

test('stars match what the regular expression with .* in their place matches', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 8 });
  const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
  fc.assert(
    fc.property(text, name, (pattern, table) => {
      const expression = new RegExp(`^${pattern.replaceAll('*', '.*')}$`, 's');
      expect(parseTablePattern(`db.${pattern}`).matches('db', table)).toBe(expression.test(table));
    }),
  );
});

test('a regular expression that runs away is interrupted, with its name and that of the table', () => {
  const pattern = parseTablePattern('/^(.*.*)*x$/');
  expect(() => pattern.matches('shop', 'a_table_with_quite_a_long_name')).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: '"/^(.*.*)*x$/" takes too long to tell whether it matches shop.a_table_with_quite_a_long_name',
    }),
  );
});

test('no pattern of stars takes long', () => {
  const { matches } = parseTablePattern(`db.${'*a'.repeat(400)}*b`);
  expect(matches('db', 'a'.repeat(5000))).toBe(false);
});

test.each<[string, string | null, string | null]>([
  ['shop.orders', 'shop', 'orders'],
  ['`my.shop`.`a*b`', 'my.shop', 'a*b'],
  ['shop.*', 'shop', null],
  ['*.orders', null, 'orders'],
  ['orders', null, 'orders'],
  ['/shop[.]orders/', null, null],
])('a pattern tells the names that it says literally: %s', (text, database, table) => {
  expect(parseTablePattern(text)).toMatchObject({ database, table });
});
