import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ValueFault } from '../faults.ts';
import { jsonAt, parseJsonPath, scalarText } from './json-path.ts';

test.each<[text: string, path: readonly (string | number)[] | null]>([
  ['a', ['a']],
  ['$.a.b[0]', ['a', 'b', 0]],
  ['[3].x', [3, 'x']],
  ['$[3]', [3]],
  ['a."b.c"', ['a', 'b.c']],
  ['"a\\"b"', ['a"b']],
  ['größe.x-y', ['größe', 'x-y']],
  ['', null],
  ['$', null],
  ['a.', null],
  ['a..b', null],
  ['a[', null],
  ['a[-1]', null],
  ['a b', null],
])('the path %j is %j', (text, path) => {
  expect(parseJsonPath(text)).toEqual(path);
});

const names = fc.constantFrom('a', 'b', 'c"d', 'e\\', '', '\u00e9');
const { json } = fc.letrec<{ json: unknown; list: unknown[]; map: Record<string, unknown> }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, 0, -1.5, 1e30, '', 'x', 'a"b\\', '[{'),
    tie('list'),
    tie('map'),
  ),
  list: fc.array(tie('json'), { maxLength: 3 }),
  map: fc.dictionary(names, tie('json'), { maxKeys: 3 }),
}));
const path = fc.array(fc.oneof(names, fc.nat(2)), { minLength: 1, maxLength: 3 });

test('what stands at a path is what a parser finds there, in any layout', () => {
  fc.assert(
    fc.property(json, path, fc.constantFrom<string | number>('', 1, '\t'), (document, steps, space) => {
      const text = JSON.stringify(document, null, space);
      const found = steps.reduce<unknown>((value, step) => {
        if (typeof step === 'number') return Array.isArray(value) ? value[step] : undefined;
        const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
        return isMap && Object.hasOwn(value, step) ? (value as Record<string, unknown>)[step] : undefined;
      }, document);
      const at = jsonAt(text, steps);
      expect(at === null ? undefined : JSON.parse(at)).toEqual(found);
    }),
    { numRuns: 2000 },
  );
});

test('numbers keep their digits, strings lose their quotes, null is NULL', () => {
  const text = '{"n": 12345678901234567890.120, "s": "a\\"b", "z": null, "b": true, "o": {"x": 1}}';
  const scalar = (name: string): string | null => scalarText(jsonAt(text, [name]) ?? '');
  expect(['n', 's', 'z', 'b', 'o'].map(scalar)).toEqual(['12345678901234567890.120', 'a"b', null, 'true', '{"x": 1}']);
});

test('every truncation of a document is refused, or has nothing at the path that is cut off', () => {
  const text = '{"a": [1, {"b": "x\\\\y"}, true], "c": {"d": 10}}';
  for (let end = 0; end < text.length; end++) {
    try {
      expect(jsonAt(text.slice(0, end), ['c', 'd'])).toSatisfy(
        (found: string | null) => found === null || /^10?$/.test(found),
      );
    } catch (error) {
      expect(error).toBeInstanceOf(ValueFault);
    }
  }
});
