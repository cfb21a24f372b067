type Revive = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

// Both are part of the language since 2025, and of every engine that runs this; the compiler's library does not know them yet.
const parse = JSON.parse as (text: string, revive: Revive) => unknown;
const { rawJSON, isRawJSON } = JSON as unknown as {
  readonly rawJSON: (text: string) => { readonly rawJSON: string };
  readonly isRawJSON: (value: unknown) => value is { readonly rawJSON: string };
};

const MANY_DIGITS = /\d{16}/;
const INTEGER = /^-?\d+$/;

/** What `JSON.parse` yields, but for integers beyond ±(2^53−1): they are bigints, where it would round them. @throws SyntaxError */
export function parseExactJson(text: string): unknown {
  if (!MANY_DIGITS.test(text)) return JSON.parse(text);
  return parse(text, (_key, value, { source = '' }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && INTEGER.test(source) ? BigInt(source) : value,
  );
}

/** The other way around: what `JSON.stringify` writes as the integer's digits. */
export function exactJsonInteger(value: bigint): unknown {
  return rawJSON(value.toString());
}

/**
 * What `JSON.parse` yields, but for numbers that a double does not print as they were written: those are kept as their text, which `JSON.stringify` writes again and
 * `numberText` tells. So no digit of a document is lost on the way. @throws SyntaxError
 */
export function parseJsonDigits(text: string): unknown {
  return parse(text, (_key, value, { source = '' }) =>
    typeof value === 'number' && String(value) !== source ? rawJSON(source) : value,
  );
}

/** A number as it was written; null for what is none. */
export function numberText(value: unknown): string | null {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  // Texts may be kept so, too; `parseJsonDigits` does not.
  return isRawJSON(value) && /^[-\d]/.test(value.rawJSON) ? value.rawJSON : null;
}
