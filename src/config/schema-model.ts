import { z } from 'zod';
import {
  DURATION_PATTERN,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  SIZE_PATTERN,
} from '../base/quantity.ts';
import { type ConfigPath, isMap, valueAt } from './mistake.ts';

/**
 * How a number is written as text: `duration` with its unit only, `milliseconds` and `bytes` (whose keys name the unit) also bare.
 */
export type Unit = 'duration' | 'milliseconds' | 'bytes';

/**
 * The schema as data: what zod writes as JSON Schema, with notes of ours in the `x-` keys. Messages, pages, types and the schema for
 * editors are made from it, so that each key is described in one place.
 */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
  readonly propertyNames?: SchemaNode;
  readonly items?: SchemaNode;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly pattern?: string;
  /** Maps, of which `type` chooses one. */
  readonly oneOf?: readonly SchemaNode[];
  /** Values of different kinds, of which the kind chooses one. */
  readonly anyOf?: readonly SchemaNode[];
  /** How a number may be written. */
  readonly 'x-unit'?: Unit;
  /** A value that is never shown. */
  readonly 'x-secret'?: boolean;
  /** What is allowed, where types and limits do not say it. */
  readonly 'x-allowed'?: string;
  /** What is used when the key is left out, where that is no fixed value. */
  readonly 'x-default'?: string;
  /** The TypeScript name of an object. */
  readonly 'x-name'?: string;
  /** What the keys of a map of things are, for the reference: `name`. */
  readonly 'x-key'?: string;
  /** Of one of the maps that `type` chooses: texts of this pattern may stand for its `type`, and are the value of the key `as`. */
  readonly 'x-short'?: { readonly pattern: string; readonly as: string };
}

export function schemaModel(schema: z.ZodType): SchemaNode {
  const written = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return JSON.parse(JSON.stringify(written), (_key, value: unknown) => withOneType(value)) as SchemaNode;
}

/** A list of types is short for branches of them. */
function withOneType(value: unknown): unknown {
  if (!isMap(value) || !Array.isArray(value['type'])) return value;
  const { type: types, ...node } = value;
  return { ...node, anyOf: (types as unknown[]).map((type) => ({ type })) };
}

/** The node for a place, following the branch of a union that the value's `type` chooses. Undefined for places that are unknown. */
export function nodeAt(root: SchemaNode, path: ConfigPath, tree: unknown): SchemaNode | undefined {
  const place = placeAt(root, path, tree);
  return place === undefined ? undefined : chosen(place, valueAt(tree, path));
}

/** The same, without a choice between kinds of values at the place itself: all that may stand there. */
export function placeAt(root: SchemaNode, path: ConfigPath, tree: unknown): SchemaNode | undefined {
  let place = root;
  let value = tree;
  for (const step of path) {
    const next = childOf(chosen(place, value), step);
    if (next === undefined) return undefined;
    value = valueAt(value, [step]);
    place = next;
  }
  return place.oneOf === undefined ? place : chosen(place, value);
}

export function childOf(node: SchemaNode, step: string | number): SchemaNode | undefined {
  if (typeof step === 'number') return node.items;
  if (node.properties !== undefined && Object.hasOwn(node.properties, step)) return node.properties[step];
  return typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
}

export function chosen(node: SchemaNode, value: unknown): SchemaNode {
  if (node.anyOf !== undefined) return node.anyOf.find((branch) => isOfKind(value, branch.type)) ?? node;
  if (node.oneOf === undefined) return node;
  const type = isMap(value) ? value['type'] : undefined;
  const branch = node.oneOf.find(({ properties }) => properties?.['type']?.const === type);
  return branch ?? typesOnly(node.oneOf);
}

function isOfKind(value: unknown, type: string | undefined): boolean {
  if (value === null || value === undefined) return type === 'null';
  if (Array.isArray(value)) return type === 'array';
  return typeof value === (type === 'integer' ? 'number' : type);
}

/** As long as nothing chooses a branch, all that is known is which types there are. */
function typesOnly(branches: readonly SchemaNode[]): SchemaNode {
  const types = branches.map(({ properties }) => properties?.['type']?.const);
  return { type: 'object', properties: { type: { type: 'string', enum: types } }, required: ['type'] };
}

/** In words: what may stand here. */
export function allowedText(node: SchemaNode): string {
  const said = node['x-allowed'];
  if (said !== undefined) return said;
  if (typeof node.const === 'string') return node.const;
  if (node.enum !== undefined) return node.enum.join(', ');
  switch (node.type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
    case 'number':
      return numberText(node);
    case 'array':
      return node.items === undefined ? 'a list' : `a list of: ${allowedText(node.items)}`;
    case 'object':
      return node.properties === undefined ? 'a map' : `a map with ${keysText(node)}`;
    default:
      return 'text';
  }
}

function keysText({ properties = {} }: SchemaNode): string {
  return Object.keys(properties).join(', ');
}

/** A number as it is written in a file. */
export function quantityText(value: number, unit: Unit | undefined): string {
  if (unit === undefined) return String(value);
  return unit === 'bytes' ? formatSize(value) : formatDuration(value);
}

/** The number that a text with a unit stands for; null when it stands for none. */
export function parseQuantity(text: string, unit: Unit): number | null {
  return unit === 'bytes' ? parseSize(text) : parseDuration(text);
}

export function quantityPattern(unit: Unit): string {
  return unit === 'bytes' ? SIZE_PATTERN : DURATION_PATTERN;
}

function numberText(node: SchemaNode): string {
  const unit = node['x-unit'];
  const kinds = {
    duration: 'a duration such as 500ms, 30s, 12h or 7d',
    milliseconds: 'milliseconds, or a duration such as 500ms or 30s',
    bytes: 'a size such as 512KiB, 64GiB or 10MB',
  };
  const kind = unit === undefined ? `a ${node.type === 'integer' ? 'whole ' : ''}number` : kinds[unit];
  // What JSON Schema adds for "a safe integer" tells nobody anything.
  const minimum = node.minimum === undefined || node.minimum <= Number.MIN_SAFE_INTEGER ? undefined : node.minimum;
  const maximum = node.maximum === undefined || node.maximum >= Number.MAX_SAFE_INTEGER ? undefined : node.maximum;
  if (minimum === undefined && maximum === undefined) return kind;
  const separator = unit === undefined ? ' ' : ', ';
  if (maximum === undefined) return `${kind}${separator}of at least ${quantityText(minimum ?? 0, unit)}`;
  return `${kind}${separator}from ${quantityText(minimum ?? 0, unit)} to ${quantityText(maximum, unit)}`;
}
