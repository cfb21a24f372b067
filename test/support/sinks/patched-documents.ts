import * as fc from 'fast-check';
import type { NestedPatch } from '../../../src/core/sink.ts';

/** A parsed document; numbers as their digits, `#12.50`, and texts behind a quote. */
export type Tree = string | boolean | null | readonly Tree[] | { readonly [name: string]: Tree };

type Revive = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parse = JSON.parse as (text: string, revive: Revive) => unknown;

export function treeOf(text: string): Tree {
  return parse(text, (_key, value, { source = '' }) =>
    typeof value === 'number' ? `#${plainNumber(source)}` : typeof value === 'string' ? `"${value}` : value,
  ) as Tree;
}

/** `2.50` and `2.5` are one number; so are `18446744073709551617` and itself, but not its neighbour. */
function plainNumber(source: string): string {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d*?)0*)?$/.exec(source) ?? [];
  return whole === '' ? source : `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/** What patches make of a document, told by its values instead of its text. The oracle of all tests of patches. */
export function patchedTree(document: Tree | undefined, patch: NestedPatch): Tree | undefined {
  const [, ...members] = patch.path;
  return at(document, members, (part) => {
    if (patch.kind === 'set') return patch.value === null ? undefined : treeOf(patch.value);
    const isIt = (element: Tree): boolean =>
      Object.entries(patch.key).every(
        ([name, text]) =>
          JSON.stringify((element as Record<string, Tree>)[name] ?? null) === JSON.stringify(treeOf(text)),
      );
    const elements = (part ?? []) as readonly Tree[];
    if (patch.kind === 'remove') return part === undefined ? undefined : elements.filter((each) => !isIt(each));
    const made = treeOf(patch.element);
    return elements.some(isIt) ? elements.map((each) => (isIt(each) ? made : each)) : [...elements, made];
  });
}

function at(
  part: Tree | undefined,
  [name, ...rest]: readonly string[],
  change: (part: Tree | undefined) => Tree | undefined,
): Tree | undefined {
  if (name === undefined) return change(part);
  const { [name]: old, ...others } = (part ?? {}) as { readonly [name: string]: Tree };
  const value = at(old, rest, change);
  if (value === undefined) return part === undefined ? undefined : others;
  return { ...others, [name]: value };
}

const number = fc.constantFrom('0', '-1', '2.50', '9007199254740993', '18446744073709551617', '0.1234567890123456789');
const scalar = fc.oneof(
  number,
  fc.constantFrom('true', 'null', '"it\'s"', String.raw`"a\"b\\c,}]"`, '"é漢🚲"', String.raw`"\u00e9"`),
);
const list = fc.array(scalar, { maxLength: 2 }).map((parts) => `[${parts.join(', ')}]`);
const value = fc.oneof(
  { weight: 3, arbitrary: scalar },
  { weight: 1, arbitrary: list },
  { weight: 1, arbitrary: scalar.map((text) => `{"x": ${text}}`) },
);

/** Patches of one column, whose documents are objects: members `a` and `b.c`, lists `lines` and `in.deep`. */
export function patchOf(column: string): fc.Arbitrary<NestedPatch> {
  const key = fc.constantFrom('1', '2', '9007199254740993', '9007199254740992');
  const listPath = fc.constantFrom<readonly [string, ...string[]]>([column, 'lines'], [column, 'in', 'deep']);
  return fc.oneof(
    fc.record({
      kind: fc.constant('set' as const),
      path: fc.constantFrom<readonly [string, ...string[]]>([column, 'a'], [column, 'b', 'c'], [column, 'd\'"\\']),
      value: fc.option(value),
    }),
    fc.tuple(listPath, key, value).map(([path, no, text]) => ({
      kind: 'put' as const,
      path,
      key: { no },
      element: `{"no": ${no}, "v": ${text}}`,
    })),
    fc.tuple(listPath, key).map(([path, no]) => ({ kind: 'remove' as const, path, key: { no } })),
  );
}
