import { type ConfigPath, isMap, pathKey } from './mistake.ts';
import type { ReferencedValues } from './references.ts';
import { childOf, chosen, parseQuantity, type SchemaNode } from './schema-model.ts';

export interface CoercedTree {
  readonly value: unknown;
  /** Numbers that lack their unit. */
  readonly withoutUnit: readonly ConfigPath[];
}

/**
 * Turns texts into what the schema wants of them: `30s` into milliseconds, `64GiB` into bytes, and what a reference such as `${PORT}` has
 * become into the number or the true or false that it looks like. A text that was written as text stays one.
 */
export function coerce(tree: unknown, root: SchemaNode, referenced: ReferencedValues): CoercedTree {
  const withoutUnit: ConfigPath[] = [];

  const visit = (value: unknown, node: SchemaNode | undefined, path: ConfigPath): unknown => {
    if (node === undefined) return value;
    const here = chosen(node, value);
    if (Array.isArray(value)) {
      return value.map((item: unknown, index) => visit(item, childOf(here, index), [...path, index]));
    }
    if (isMap(value)) {
      const entries = Object.entries(value).map(([key, item]) => [
        key,
        visit(item, childOf(here, key), [...path, key]),
      ]);
      return Object.fromEntries(entries) as unknown;
    }
    const unit = here['x-unit'];
    if (unit === 'duration' && typeof value === 'number' && value !== 0) withoutUnit.push(path);
    if (typeof value !== 'string') return value;
    const plain = referenced.has(pathKey(path)) ? plainValue(value, here.type) : undefined;
    return plain ?? (unit === undefined ? undefined : parseQuantity(value, unit)) ?? value;
  };

  return { value: visit(tree, root, []), withoutUnit };
}

function plainValue(text: string, type: string | undefined): number | boolean | undefined {
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  if (type === 'integer' || type === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
  return undefined;
}
