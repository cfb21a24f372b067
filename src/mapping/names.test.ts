import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileNamePattern, compileRename, type RenameConfig } from './naming.ts';
import { parseTargetPath } from './target-path.ts';
import { parseTargetName, parseTemplate } from './template.ts';

test.each<[rename: RenameConfig, name: string, renamed: string]>([
  ['camel', 'order_line_id', 'orderLineId'],
  ['camel', 'ORDER_ID', 'orderId'],
  ['camel', 'orderId', 'orderId'],
  ['camel', 'HTTPServer2Go', 'httpServer2Go'],
  ['camel', '_id', 'id'],
  ['camel', '___', '___'],
  ['pascal', 'order-line id', 'OrderLineId'],
  ['snake', 'OrderLineID', 'order_line_id'],
  ['snake', 'größeÜber', 'größe_über'],
  ['lower', 'ID', 'id'],
  ['upper', 'id', 'ID'],
  [{ id: 'key' }, 'id', 'key'],
  [{ id: 'key' }, 'id2', 'id2'],
  [{ '/^f_(.*)$/': '$1', f_x: 'never' }, 'f_x', 'x'],
  [{ '/(.)(.)/i': '$2$1' }, 'ABC', 'BAC'],
  [[{ '/^f_/': '' }, 'camel', { orderId: 'id' }], 'f_order_id', 'id'],
])('%j makes %s %s', (rename, name, renamed) => {
  expect(compileRename(rename)(name)).toBe(renamed);
});

test('snake and camel lead back and forth between words of letters', () => {
  const words = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'z'), minLength: 2, maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(words, (list) => {
      const name = list.join('_');
      expect(compileRename('snake')(compileRename('camel')(name))).toBe(name);
    }),
  );
});

test.each<[pattern: string, name: string, matches: boolean]>([
  ['email', 'email', true],
  ['email', 'e-mail', false],
  ['secret_*', 'secret_', true],
  ['*_id', 'order_id', true],
  ['a*b*c', 'aXbYc', true],
  ['a*b*c', 'aXbY', false],
  ['a.c*', 'abc', false],
  ['/^x/i', 'Xa', true],
])('the pattern %s on %s: %s', (pattern, name, matches) => {
  expect(compileNamePattern(pattern)(name)).toBe(matches);
});

test('what is no regular expression is a mistake', () => {
  for (const text of ['/(/', `/${'a'.repeat(1001)}/`, '/a/q']) {
    expect(() => compileNamePattern(text)).toThrow(expect.objectContaining({ code: 'MAPPING_INVALID' }));
  }
});

describe('the name of a target', () => {
  test.each<[text: string, database: number, table: string]>([
    ['orders', 1, '["text:orders"]'],
    ['shop.orders', 1, '["text:orders"]'],
    ['shop.orders.v1', 1, '["text:orders.v1"]'],
    ['{database}.{table}', 1, '["table"]'],
    ["{concat(a, '.')}x.y{ b }", 2, '["text:y","value"]'],
    ["{if(a = '}', 'x', '{')}", 1, '["value"]'],
    ['a{{b}}', 1, '["text:a{b}"]'],
    ['{`table`}', 1, '["value"]'],
  ])('%s', (text, database, table) => {
    const names = parseTargetName(text);
    expect(names.database).toHaveLength(database);
    expect(JSON.stringify(names.table.map((part) => (part.kind === 'text' ? `text:${part.text}` : part.kind)))).toBe(
      table,
    );
  });

  test.each([
    ['x{', '"{" has no end, at character 2'],
    ['x}', '"}" ends nothing, at character 2'],
    ['x.{}', 'expected a value, a column or a function, found the end, at character 4'],
    ['x{a b}', 'expected an operator or the end, found "b", at character 5'],
    ['.x', 'a part of the name is empty, at character 1'],
    ['x.', 'a part of the name is empty, at character 1'],
    ['', 'the name is empty, at character 1'],
  ])('%s is none: %s', (text, message) => {
    expect(() => parseTargetName(text)).toThrow(message);
  });

  test('whatever is written, it is a template or a mistake of the mapping', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('{', '}', 'a', '.', "'", '`', '(', ')', ' '), maxLength: 12 }),
        (text) => {
          try {
            parseTemplate(text);
          } catch (error) {
            expect(error).toMatchObject({ code: 'MAPPING_INVALID' });
          }
        },
      ),
    );
  });
});

test.each<[text: string, column: string, steps: readonly (string | number)[]]>([
  ['total', 'total', []],
  ['a.b.c', 'a', ['b', 'c']],
  ['items[]', 'items', [0]],
  ['items[].sku', 'items', [0, 'sku']],
  ['a[1][2].b', 'a', [1, 2, 'b']],
  ['`a.b`.`c``d`', 'a.b', ['c`d']],
  ['größe x', 'größe x', []],
])('%s is a place', (text, column, steps) => {
  expect(parseTargetPath(text)).toEqual({ column, steps, text });
});

test.each(['', '.', 'a.', 'a..b', '[0]', 'a[b]', 'a[0', 'a]', '`a', 'a`b'])('%s is no place', (text) => {
  expect(() => parseTargetPath(text)).toThrow('it is no column and no place in a document');
});
