import { quantityPattern, type SchemaNode } from '../../src/config/schema-model.ts';

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
    ...editorNode(root),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function editorNode(node: SchemaNode): object {
  const { description, 'x-unit': unit } = node;
  const about = { ...(description === undefined ? {} : { description }) };
  if (node.oneOf !== undefined) {
    const branches = node.oneOf.map(editorNode);
    return { ...about, ...(branches.length === 1 ? branches[0] : { oneOf: branches }) };
  }
  switch (node.type) {
    case 'object':
      return { ...about, ...objectNode(node) };
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
