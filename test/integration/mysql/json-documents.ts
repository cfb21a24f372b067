/** Random JSON documents as SQL expressions, so that every kind of value that the server can store comes up. */

/** A repeatable stream of random numbers (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  bits(): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** From 0 up to, not including, `limit`. */
  below(limit: number): number {
    return this.bits() % limit;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }

  list<T>(count: number, make: () => T): T[] {
    return Array.from({ length: count }, make);
  }
}

const CHARACTERS: readonly [string, ...string[]] = [
  'a', 'b', 'Z', '0', '7', ' ', '_', '$', '"', '\\', '/', "'", '.', '[', ']', '*', '`', '<', '\b', '\t', '\n', '\f', '\r', '\0', '\x01', '\x1f', '\x7f',
  'é', 'ß', 'Ł', 'ы', '中', '\u2028', '\ufeff', '\ufffd', '\u0300', '😀', '𝄞', '\u{10ffff}',
]; // prettier-ignore

export function randomString(random: Random, charactersMax: number): string {
  return random.list(random.below(charactersMax + 1), () => random.pick(CHARACTERS)).join('');
}

/** Any finite double: random bits, round numbers, neighbours of powers of two and ten, denormals. */
export function randomDouble(random: Random): number {
  const bytes = Buffer.alloc(8);
  const sign = random.pick([1, -1]);
  switch (random.below(8)) {
    case 0:
      return (sign * random.below(1_000_000)) / random.pick([1, 10, 100, 1000]);
    case 1:
      return sign * 10 ** (random.below(632) - 323);
    case 2:
      return sign * 2 ** (random.below(2097) - 1074);
    case 3:
      return sign * Number(`${random.bits()}${random.below(100_000)}e${random.below(40) - 30}`);
    case 4:
      return sign * random.below(100) * Number.MIN_VALUE;
    case 5:
      return random.pick([
        0,
        -0,
        Number.MAX_VALUE,
        Number.MIN_VALUE,
        2 ** 53,
        2 ** 63,
        1e15,
        1e-15,
        999999999999999.9,
        0.1 + 0.2,
      ]);
    default:
      bytes.writeUInt32LE(random.bits(), 0);
      bytes.writeUInt32LE(random.bits(), 4);
      return Number.isFinite(bytes.readDoubleLE(0)) ? bytes.readDoubleLE(0) : sign;
  }
}

/** With as many digits as it takes to get the same double. */
export function doubleLiteral(value: number): string {
  return Object.is(value, -0) ? '-0e0' : value.toExponential();
}

/** An SQL expression of type JSON, or one that JSON_ARRAY and JSON_OBJECT turn into a JSON value. */
export function randomExpression(random: Random, depthMax: number): string {
  const kind = random.below(depthMax > 0 ? 14 : 11);
  switch (kind) {
    case 0:
      return random.pick(['true', 'false', 'NULL']);
    case 1:
      return randomInteger(random);
    case 2:
      return doubleLiteral(randomDouble(random));
    case 3:
      return `CAST(${randomDecimal(random)})`;
    case 4:
      return randomTemporal(random);
    case 5:
      return `CAST(x'${hex(Buffer.from(random.list(random.below(200), () => random.bits() & 0xff)))}' AS BINARY)`;
    case 6:
      return `CAST('[${doubleLiteral(randomDouble(random))}, ${random.bits()}]' AS JSON)`;
    case 7:
      return text(randomString(random, 300));
    case 11:
      return randomObject(random, depthMax);
    case 12:
    case 13:
      return `JSON_ARRAY(${random.list(random.below(8), () => randomExpression(random, depthMax - 1)).join()})`;
    default:
      return text(randomString(random, 12));
  }
}

export function randomObject(random: Random, depthMax: number): string {
  const member = (): string => `${text(randomString(random, 6))},${randomExpression(random, depthMax - 1)}`;
  return `JSON_OBJECT(${random.list(random.below(10), member).join()})`;
}

function randomInteger(random: Random): string {
  const bits = BigInt(random.below(65));
  const value = ((BigInt(random.bits()) << 32n) | BigInt(random.bits())) >> (64n - bits);
  return random.below(2) === 0 ? String(value) : `-${value >> 1n}`;
}

function randomDecimal(random: Random): string {
  const scale = random.below(31);
  const whole = random.below(65 - scale) + 1;
  const digits = (count: number): string => random.list(count, () => String(random.below(10))).join('');
  return `'${random.pick(['', '-'])}${digits(random.below(whole) + 1)}.${digits(scale)}' AS DECIMAL(${whole + scale},${scale})`;
}

function randomTemporal(random: Random): string {
  const digits = random.below(7);
  const two = (limit: number): string => String(random.below(limit)).padStart(2, '0');
  const date = `${String(random.below(10_000)).padStart(4, '0')}-${two(13)}-${two(29)}`;
  const clock = `${two(24)}:${two(60)}:${two(60)}.${random.below(1_000_000)}`;
  switch (random.below(4)) {
    case 0:
      return `CAST('${date}' AS DATE)`;
    case 1:
      return `CAST('${random.pick(['', '-'])}${random.below(839)}:${two(60)}:${two(60)}.${random.below(1_000_000)}' AS TIME(${digits}))`;
    case 2:
      return `FROM_UNIXTIME(${random.below(2 ** 31)}.${random.below(1_000_000)})`;
    default:
      return `CAST('${date} ${clock}' AS DATETIME(${digits}))`;
  }
}

/** A string literal that no SQL mode reads differently. */
function text(value: string): string {
  return `CONVERT(x'${hex(Buffer.from(value))}' USING utf8mb4)`;
}

function hex(bytes: Buffer): string {
  return bytes.toString('hex');
}
