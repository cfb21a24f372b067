/** A JSON schema as data. */
export type JsonSchema = { readonly [keyword: string]: unknown };

// The pieces that the schemas of the API are made of, each with its description.

export const text = (description: string): JsonSchema => ({ type: 'string', description });
export const textOrNull = (description: string): JsonSchema => ({ type: ['string', 'null'], description });
export const time = (description: string): JsonSchema => ({ type: 'string', format: 'date-time', description });
export const timeOrNull = (description: string): JsonSchema => ({ type: ['string', 'null'], description });
export const count = (description: string): JsonSchema => ({ type: 'integer', minimum: 0, description });
export const countOrNull = (description: string): JsonSchema => ({
  type: ['integer', 'null'],
  minimum: 0,
  description,
});
export const scn = (description: string): JsonSchema => ({ type: 'integer', minimum: 0, description });
export const scnOrNull = (description: string): JsonSchema => ({ type: ['integer', 'null'], description });
export const numberOrNull = (description: string): JsonSchema => ({ type: ['number', 'null'], description });
export const partitions = (description: string): JsonSchema => ({
  type: 'array',
  items: { type: 'integer', minimum: 0, maximum: 65_535 },
  maxItems: 65_536,
  description,
});
/** Every property is required: what may be missing is null. */
export const object = (
  properties: Readonly<Record<string, JsonSchema>>,
  optional: readonly string[] = [],
): JsonSchema => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});
export const listOf = (name: string): JsonSchema => ({ type: 'array', items: ref(name) });

export function ref(name: string): JsonSchema {
  return { $ref: `${name}#` };
}
