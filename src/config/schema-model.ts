import { z } from 'zod';
import {
  DURATION_PATTERN,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  SIZE_PATTERN,
} from '../base/quantity.ts';
import { type ConfigPath, isMap } from './mistake.ts';

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
  readonly oneOf?: readonly SchemaNode[];
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
}

export function schemaModel(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as SchemaNode;
}

/** The node for a place, following the branch of a union that the value's `type` chooses. Undefined for places that are unknown. */
export function nodeAt(root: SchemaNode, path: ConfigPath, tree: unknown): SchemaNode | undefined {
  let node = chosen(root, tree);
  let value = tree;
  for (const step of path) {
    value = isMap(value) || Array.isArray(value) ? (value as Record<string | number, unknown>)[step] : undefined;
    const next = childOf(node, step);
    if (next === undefined) return undefined;
    node = chosen(next, value);
  }
  return node;
}

export function childOf(node: SchemaNode, step: string | number): SchemaNode | undefined {
  if (typeof step === 'number') return node.items;
  if (node.properties !== undefined && Object.hasOwn(node.properties, step)) return node.properties[step];
  return typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
}

export function chosen(node: SchemaNode, value: unknown): SchemaNode {
  if (node.oneOf === undefined) return node;
  const type = isMap(value) ? value['type'] : undefined;
  const branch = node.oneOf.find(({ properties }) => properties?.['type']?.const === type);
  return branch ?? typesOnly(node.oneOf);
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
