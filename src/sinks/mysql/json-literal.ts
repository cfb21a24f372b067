/** `-12.340`, `18446744073709551616`, `1e300` outside of strings. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null|[[\]{},:]/gsu;
const PLAIN_NUMBER = /^-?\d+(?:\.\d+)?$/;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;
/** Within these MySQL prints a double without an exponent. */
const PLAIN_MIN = 1e-4;
const PLAIN_MAX = 1e14;

/**
 * A document for a JSON column of MySQL, so that SELECT shows the same text again.
 *
 * Read as text, every number with a fraction, or beyond 64 bits, becomes a double. A document may hold DECIMAL values, too (`12.340`), which are printed with their
 * digits; such a document is built by functions, with the numbers cast.
 */
export function jsonLiteral(text: string, quoted: (text: string) => string): string {
  const tokens = text.match(TOKEN) ?? [];
  if (!tokens.some(isDecimal)) return quoted(text);
  return new Builder(tokens, quoted).value();
}

/** Whether the number would be printed otherwise after it was read as a double. */
function isDecimal(token: string): boolean {
  if (!PLAIN_NUMBER.test(token)) return false;
  if (!token.includes('.')) {
    const whole = BigInt(token);
    return whole < INT64_MIN || whole > UINT64_MAX;
  }
  const value = Number(token);
  if (value === 0) return token !== '0.0' && token !== '-0.0';
  const size = Math.abs(value);
  if (size < PLAIN_MIN || size >= PLAIN_MAX) return true;
  const shortest = String(value);
  return token !== shortest && token !== `${shortest}.0`;
}

/** Turns the tokens of a document into an SQL expression. */
class Builder {
  readonly #tokens: readonly string[];
  readonly #quoted: (text: string) => string;
  #at = 0;

  constructor(tokens: readonly string[], quoted: (text: string) => string) {
    this.#tokens = tokens;
    this.#quoted = quoted;
  }

  value(): string {
    const token = this.#tokens[this.#at++] ?? 'null';
    if (token === '{') return `JSON_OBJECT(${this.#parts('}', () => `${this.#name()},${this.value()}`)})`;
    if (token === '[') return `JSON_ARRAY(${this.#parts(']', () => this.value())})`;
    if (!isDecimal(token)) return `CAST(${this.#quoted(token)} AS JSON)`;
    const scale = token.includes('.') ? token.length - token.indexOf('.') - 1 : 0;
    const digits = token.replaceAll(/[-.]/g, '').length;
    return `CAST(CAST(${token} AS DECIMAL(${digits},${scale})) AS JSON)`;
  }

  #name(): string {
    const token = this.#tokens[this.#at++] ?? '""';
    this.#at++; // The colon.
    return this.#quoted(JSON.parse(token) as string);
  }

  #parts(end: string, part: () => string): string {
    const parts: string[] = [];
    while (this.#at < this.#tokens.length && this.#tokens[this.#at] !== end) {
      parts.push(part());
      if (this.#tokens[this.#at] === ',') this.#at++;
    }
    this.#at++;
    return parts.join(',');
  }
}
