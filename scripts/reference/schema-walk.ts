import { allowedText, quantityText, type SchemaNode } from '../../src/config/schema-model.ts';

/** An object of the configuration and the path at which it stands: `streams.<name>.retention`. */
export interface Section {
  readonly path: string;
  readonly node: SchemaNode;
}

/** All objects with keys, each before the ones in it. */
export function sectionsOf(node: SchemaNode, path = ''): Section[] {
  if (node.oneOf !== undefined) return node.oneOf.flatMap((branch) => sectionsOf(branch, path));
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

/** What a key takes, in a few words. */
export function takesText(node: SchemaNode): string {
  if (node.oneOf !== undefined) return 'a map, see below';
  if (typeof node.additionalProperties === 'object') {
    return node.additionalProperties.properties === undefined ? 'a map of lists' : 'a map of maps, see below';
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
