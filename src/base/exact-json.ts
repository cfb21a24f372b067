type Revive = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

// Both are part of the language since 2025, and of every engine that runs this; the compiler's library does not know them yet.
const parse = JSON.parse as (text: string, revive: Revive) => unknown;
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

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
