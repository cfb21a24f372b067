import { expect, test } from 'vitest';
import { parseCommandLine } from './arguments.ts';
import { FILTER_OPTIONS, parseFilterOptions } from './consume-arguments.ts';

function parse(...args: readonly string[]): ReturnType<typeof parseFilterOptions> {
  return parseFilterOptions(
    parseCommandLine(args, { name: 'x', summary: '', positionals: [], options: FILTER_OPTIONS, examples: [''] }),
  );
}

test('what is not asked for is not filtered', () => {
  expect(parse()).toEqual({});
});

test('lists, patterns and conditions are taken apart where they end, and nowhere else', () => {
  expect(
    parse(
      ...['--tables', 'shop.*,/^a,b$/', '--tables', '`c,d`.e', '--ops', 'insert,update', '--columns', 'a.b=id,x;c.d=y'],
      ...['--where', "shop.orders: status = 'a:b'", '--where', '/^x:y\\/$/: id > 5', '--where', '`a:b`.c:id in (1, 2)'],
    ),
  ).toEqual({
    tables: ['shop.*', '/^a,b$/', '`c,d`.e'],
    ops: ['insert', 'update'],
    columns: { 'a.b': ['id', 'x'], 'c.d': ['y'] },
    where: { 'shop.orders': "status = 'a:b'", '/^x:y\\/$/': 'id > 5', '`a:b`.c': 'id in (1, 2)' },
  });
});
