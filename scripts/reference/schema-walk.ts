import { allowedText, quantityText, type SchemaNode } from '../../src/config/schema-model.ts';

/** An object of the configuration and the path at which it stands: `streams.<name>.retention`. */
export interface Section {
  readonly path: string;
  readonly node: SchemaNode;
}

/** All objects with keys, each before the ones in it. */
export function sectionsOf(node: SchemaNode, path = ''): Section[] {
  const branches = node.oneOf ?? node.anyOf;
  if (branches !== undefined) return branches.flatMap((branch) => sectionsOf(branch, path));
  if (node.items !== undefined) return sectionsOf(node.items, `${path}[]`);
  if (typeof node.additionalProperties === 'object') {
    return sectionsOf(node.additionalProperties, `${path}.<${node['x-key'] ?? 'key'}>`);
  }
  if (node.properties === undefined) return [];
  const inner = Object.entries(node.properties).flatMap(([key, child]) =>
    sectionsOf(child, path === '' ? key : `${path}.${key}`),
  );
  return [{ path, node }, ...inner];
}

/** The objects that have a name of their own: each once, wherever it stands. */
export function namedNodes(root: SchemaNode): ReadonlyMap<string, SchemaNode> {
  const named = new Map<string, SchemaNode>();
  for (const { node } of sectionsOf(root)) {
    const name = node['x-name'];
    if (name !== undefined && !named.has(name)) named.set(name, node);
  }
  return named;
}

/** What maps of several types share stands once, before what each type has of its own. */
export function withSharedKeys(node: SchemaNode): SchemaNode {
  const inner = (children: Readonly<Record<string, SchemaNode>>): Record<string, SchemaNode> =>
    Object.fromEntries(Object.entries(children).map(([key, child]) => [key, withSharedKeys(child)]));
  if (typeof node.additionalProperties === 'object') {
    return { ...node, additionalProperties: withSharedKeys(node.additionalProperties) };
  }
  if (node.oneOf === undefined) {
    return node.properties === undefined ? node : { ...node, properties: inner(node.properties) };
  }
  const [first, ...others] = node.oneOf;
  if (first?.properties === undefined || others.length === 0) return node;
  const isShared = (key: string): boolean =>
    others.every(({ properties }) => JSON.stringify(properties?.[key]) === JSON.stringify(first.properties?.[key]));
  const part = (branch: SchemaNode, isWanted: (key: string) => boolean): SchemaNode['properties'] =>
    Object.fromEntries(Object.entries(branch.properties ?? {}).filter(([key]) => isWanted(key)));
  const { 'x-name': _, ...shared } = first;
  return {
    ...node,
    oneOf: [
      { ...shared, properties: part(first, isShared) ?? {} },
      ...node.oneOf.map((branch) => ({ ...branch, properties: part(branch, (key) => !isShared(key)) ?? {} })),
    ],
  };
}

/** What a key takes, in a few words. */
export function takesText(node: SchemaNode): string {
  if (node.oneOf !== undefined) return 'a map, see below';
  if (typeof node.additionalProperties === 'object') {
    const { additionalProperties: values } = node;
    if (values.properties !== undefined || values.oneOf !== undefined) return 'a map of maps, see below';
    if (values.anyOf !== undefined) return `a map, each value ${allowedText(values)}: see below`;
    return values.type === 'array' ? 'a map of lists' : 'a map';
  }
  if (node.properties !== undefined) return 'a map, see below';
  if (node.items?.properties !== undefined) return 'a list of maps, see below';
  if (node.items !== undefined) return 'a list of texts';
  return allowedText(node);
}

/** What holds when the key is left out; null where it cannot be. */
export function defaultText(key: string, node: SchemaNode, parent: SchemaNode): string | null {
  if (parent.required?.includes(key) === true) return null;
  if (node['x-default'] !== undefined) return node['x-default'];
  if (typeof node.default === 'number') return `\`${quantityText(node.default, node['x-unit'])}\``;
  if (typeof node.default === 'string' || typeof node.default === 'boolean') return `\`${String(node.default)}\``;
  if (Array.isArray(node.default)) return 'none';
  return '';
}
