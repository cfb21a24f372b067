import { expect, test } from 'vitest';
import { hooksOfModule } from './hooks-of-module.ts';

const before = (): null => null;

test('hooks are exports of their names, or of the default, also of a module that was compiled to CommonJS', () => {
  expect(hooksOfModule({ before, mask: 1, alter: 2, add: before, keepsKeys: false })).toMatchObject({ before });
  expect(hooksOfModule({ default: { before } })).toEqual({ before });
  expect(hooksOfModule({ default: { __esModule: true, default: { before } } })).toEqual({ before });
  // An object without a prototype, as a namespace is.
  expect(hooksOfModule(Object.assign(Object.create(null) as object, { before }) as Record<string, unknown>)).toEqual({
    before,
  });
});

test.each([
  [{ befor: before }, 'it exports "befor", which is no hook; did you mean before?'],
  [{ after: before, MapBatch: before }, 'it exports "MapBatch", which is no hook; did you mean mapBatch?'],
  [{ default: { befores: before } }, 'it exports "befores", which is no hook; did you mean before?'],
  [{ before, keeps_keys: false }, 'it exports "keeps_keys", which is no hook; did you mean keepsKeys?'],
  [{ anonymise: before }, /^it exports none of before, beforeBatch, map, /],
  [{}, /^it exports none of /],
  [{ default: before }, /^it exports none of /],
  [{ before: 'x' }, 'its export "before" is no function'],
  [{ adds: null }, 'its export "adds" is no object'],
  [{ keepsKeys: 'no' }, 'its export "keepsKeys" is no boolean'],
])('%o is refused: %s', (module, message) => {
  expect(() => hooksOfModule(module)).toThrow(message);
});

test('a module that is its own default and has no hook is refused like any other', () => {
  const module: Record<string, unknown> = {};
  module['default'] = module;
  expect(() => hooksOfModule(module)).toThrow(/^it exports none of /);
});
