import { quantityPattern, type SchemaNode } from '../../src/config/schema-model.ts';
import { namedNodes } from './schema-walk.ts';

/** A reference may stand wherever a value stands. */
const REFERENCE = { type: 'string', pattern: String.raw`\$\{` };

/**
 * The JSON Schema for editors: what the file may hold, before texts with units become numbers and references their values. It lets through
 * what only the parser can judge (limits of sizes, URLs, patterns), and refuses nothing that the parser takes.
 */
export function renderEditorSchema(root: SchemaNode): string {
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Configuration of Tidings',
    ...objectNode(root),
    definitions: Object.fromEntries(
      [...namedNodes(root)].flatMap(([name, node]) => (node === root ? [] : [[name, objectNode(node)]])),
    ),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function editorNode(node: SchemaNode): object {
  const { description, 'x-unit': unit } = node;
  const about = { ...(description === undefined ? {} : { description }) };
  if (node.oneOf !== undefined) {
    const branches = node.oneOf.flatMap((branch) => [editorNode(branch), ...shortOf(branch)]);
    return { ...about, ...(branches.length === 1 ? branches[0] : { oneOf: branches }) };
  }
  if (node.anyOf !== undefined) return { ...about, anyOf: [...node.anyOf.map(editorNode), REFERENCE] };
  switch (node.type) {
    case undefined:
      return node.const === undefined && node.enum === undefined
        ? about
        : { ...about, ...fallback(node), ...textNode(node) };
    case 'null':
      return { ...about, type: 'null' };
    case 'object': {
      const name = node['x-name'];
      // Beside a $ref nothing else counts.
      if (name !== undefined) return { ...about, allOf: [{ $ref: `#/definitions/${name}` }] };
      return { ...about, ...objectNode(node) };
    }
    case 'array':
      return {
        ...about,
        type: 'array',
        ...(node.items === undefined ? {} : { items: editorNode(node.items) }),
        ...(node.minItems === undefined ? {} : { minItems: node.minItems }),
      };
    case 'integer':
    case 'number':
      return { ...about, ...numberNode(node, unit) };
    case 'boolean':
      return { ...about, ...fallback(node), anyOf: [{ type: 'boolean' }, REFERENCE] };
    default:
      return { ...about, ...fallback(node), ...textNode(node) };
  }
}

function objectNode(node: SchemaNode): object {
  const { properties, required, additionalProperties, propertyNames } = node;
  return {
    type: 'object',
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([key, child]) => [key, editorNode(child)])) }),
    ...(required === undefined ? {} : { required }),
    ...(propertyNames?.pattern === undefined ? {} : { propertyNames: { pattern: propertyNames.pattern } }),
    additionalProperties: typeof additionalProperties === 'object' ? editorNode(additionalProperties) : false,
  };
}

/** A branch whose type is written in short. */
function shortOf(branch: SchemaNode): object[] {
  const { 'x-short': short, properties = {}, required = [] } = branch;
  if (short === undefined) return [];
  const others = Object.entries(properties).flatMap(([key, child]) =>
    key === 'type' || key === short.as ? [] : [[key, editorNode(child)] as const],
  );
  return [
    {
      ...objectNode(branch),
      properties: { type: { type: 'string', pattern: short.pattern }, ...Object.fromEntries(others) },
      required: required.filter((key) => key !== short.as),
    },
  ];
}

function numberNode(node: SchemaNode, unit: SchemaNode['x-unit']): object {
  const number = { type: node.type, minimum: node.minimum, maximum: node.maximum };
  if (unit === undefined) return { ...fallback(node), anyOf: [number, REFERENCE] };
  const text = { type: 'string', pattern: quantityPattern(unit) };
  return { anyOf: [text, unit === 'duration' ? { const: 0 } : number, REFERENCE] };
}

function textNode(node: SchemaNode): object {
  if (node.const !== undefined) return { const: node.const };
  if (node.enum !== undefined) return { anyOf: [{ enum: node.enum }, REFERENCE] };
  return { type: 'string', ...(node.minLength === undefined ? {} : { minLength: node.minLength }) };
}

function fallback(node: SchemaNode): object {
  return node.default === undefined ? {} : { default: node.default };
}
