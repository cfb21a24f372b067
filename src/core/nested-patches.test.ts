import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { patchedTree, patchOf, treeOf } from '../../test/support/sinks/patched-documents.ts';
import { applyNestedPatches } from './nested-patches.ts';
import type { NestedPatch } from './sink.ts';

const put = (element: string, key: Record<string, string>): NestedPatch => ({
  kind: 'put',
  path: ['d', 'list'],
  key,
  element,
});
const set = (path: readonly [string, ...string[]], value: string | null): NestedPatch => ({ kind: 'set', path, value });

describe('changes of parts of a document', () => {
  test('leave it as values, members and elements say, whatever they are made to, and twice as once', () => {
    fc.assert(
      fc.property(fc.array(patchOf('d'), { maxLength: 12 }), (patches) => {
        const text = applyNestedPatches(null, patches);
        const tree = patches.reduce<ReturnType<typeof patchedTree>>(patchedTree, undefined);
        expect(text === null ? undefined : treeOf(text)).toEqual(tree);
        for (const patch of patches) {
          const once = applyNestedPatches(text, [patch]);
          expect(applyNestedPatches(once, [patch])).toBe(once);
        }
      }),
    );
  });

  test('leave every other character where it is', () => {
    const text = '{ "n":1.500,"list" : [ {"no":1 ,"v":1e2}, 7 ], "x":"}" }';
    expect(applyNestedPatches(text, [set(['d', 'x'], '12345678901234567890')])).toBe(
      '{"n": 1.500, "list": [ {"no":1 ,"v":1e2}, 7 ], "x": 12345678901234567890}',
    );
    expect(applyNestedPatches(text, [set(['d', 'y'], null)])).toBe(text);
  });

  test.each([
    ['2', '2.0'],
    ['1.50', '1.5'],
    ['1e2', '100.0'],
    ['-0', '0'],
    [String.raw`"\u00e9/"`, String.raw`"é\/"`],
    ['null', 'null'],
  ])('find an element by its key, however the store writes it: %s, %s', (wanted, stored) => {
    const text = `{"list": [{"no": ${stored}}, {"no": 7}]}`;
    expect(applyNestedPatches(text, [put('{"no": 1}', { no: wanted })])).toBe('{"list": [{"no": 1}, {"no": 7}]}');
  });

  test('find an element whose key is NULL where such members are left out', () => {
    const remove: NestedPatch = { kind: 'remove', path: ['d', 'list'], key: { no: 'null' } };
    expect(applyNestedPatches('{"list": [{"v": 1}, {"no": 0}]}', [remove])).toBe('{"list": [{"no": 0}]}');
  });

  test('tell neighbours apart that are one number to a double', () => {
    const text = '{"list": [{"no": 9007199254740993}]}';
    const made = applyNestedPatches(text, [put('{"no": 9007199254740992}', { no: '9007199254740992' })]);
    expect(made).toBe('{"list": [{"no": 9007199254740993}, {"no": 9007199254740992}]}');
  });

  test.each<[document: string, patch: NestedPatch, message: string]>([
    ['[1', set(['d', 'a'], '1'), 'the document is no JSON'],
    ['7', set(['d', 'a'], '1'), 'the document has no object at d'],
    ['null', set(['d', 'a'], '1'), 'the document has no object at d'],
    ['{"a": [1]}', set(['d', 'a', 'b'], '1'), 'the document has no object at d.a'],
    ['{"list": {}}', put('{}', { no: '1' }), 'the document has no list at d.list'],
    ['{"list": "x"}', { kind: 'remove', path: ['d', 'list'], key: {} }, 'the document has no list at d.list'],
  ])('are refused where the way to them is of another kind: %s', (document, patch, message) => {
    expect(() => applyNestedPatches(document, [patch])).toThrow(message);
  });
});
