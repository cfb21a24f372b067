/**
 * SQL's LIKE: `%` stands for any characters, `_` for one (a code point), everything else for itself; a backslash takes the meaning from
 * the `%`, `_` or backslash behind it. Upper and lower case differ.
 *
 * The pattern is cut at its `%`. The first piece must stand at the beginning, the last at the end, and each of the others at its
 * first place behind the one before it: which place is taken makes no difference for the rest, so nothing is ever tried again. A
 * piece is found in time proportional to the text, times a 32nd of the piece's length when it has a `_`: no pattern and no text
 * can stop the thread for long.
 */
export function compileLike(pattern: string): (text: string) => boolean {
  const pieces = piecesOf(pattern);
  const first = pieces[0] as Piece;
  const last = pieces.at(-1) as Piece;
  if (pieces.length === 1) return (text) => matchAt(first, text, 0) === text.length;
  const middle = pieces.slice(1, -1).flatMap((piece) => (piece.units.length === 0 ? [] : [finder(piece)]));
  return (text) => {
    let at = matchAt(first, text, 0);
    for (const find of middle) {
      if (at < 0) return false;
      at = find(text, at);
    }
    if (at < 0) return false;
    const lastAt = backwards(text, last.units.length);
    return lastAt >= at && matchAt(last, text, lastAt) === text.length;
  };
}

/** The offset behind the first place at or behind `from` where a piece stands, otherwise -1. */
type Find = (text: string, from: number) => number;

interface Piece {
  /** Code points; ANY for `_`. */
  readonly units: readonly number[];
  /** The same as text, when there is no `_` in it. */
  readonly text: string | null;
}

const ANY = -1;

function piecesOf(pattern: string): Piece[] {
  const pieces: number[][] = [[]];
  const characters = Array.from(pattern);
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] as string;
    const piece = pieces.at(-1) as number[];
    const next = characters[i + 1];
    if (character === '%') pieces.push([]);
    else if (character === '_') piece.push(ANY);
    else if (character === '\\' && (next === '%' || next === '_' || next === '\\')) {
      piece.push(next.charCodeAt(0));
      i++;
    } else piece.push(character.codePointAt(0) as number);
  }
  return pieces.map((units) => ({ units, text: units.includes(ANY) ? null : String.fromCodePoint(...units) }));
}

/** The offset behind the piece when it stands at `at`, otherwise -1. */
function matchAt({ units, text: literal }: Piece, text: string, at: number): number {
  if (literal !== null) return text.startsWith(literal, at) ? at + literal.length : -1;
  let p = at;
  for (const unit of units) {
    const found = text.codePointAt(p);
    if (found === undefined || (unit !== ANY && unit !== found)) return -1;
    p += found > 0xffff ? 2 : 1;
  }
  return p;
}

/** Where the last `count` code points of the text begin; -1 when it has fewer. */
function backwards(text: string, count: number): number {
  let p = text.length;
  for (let i = 0; i < count; i++) {
    if (p === 0) return -1;
    p -= 1;
    if (p > 0 && isLow(text.charCodeAt(p)) && isHigh(text.charCodeAt(p - 1))) p -= 1;
  }
  return p;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function finder({ units, text: literal }: Piece): Find {
  if (literal === null) return shiftAnd(units);
  return (text, from) => {
    const at = text.indexOf(literal, from);
    return at < 0 ? -1 : at + literal.length;
  };
}

/**
 * Bit n of the state: the text up to here ends with the first n + 1 units of the piece. (Shift-and, Baeza-Yates and Gonnet: A new approach
 * to text searching, 1992.)
 */
function shiftAnd(units: readonly number[]): Find {
  const words = (units.length + 31) >> 5;
  const anyMask = new Uint32Array(words);
  for (const [i, unit] of units.entries()) if (unit === ANY) setBit(anyMask, i);
  const masks = new Map<number, Uint32Array>();
  for (const [i, unit] of units.entries()) {
    if (unit === ANY) continue;
    const mask = masks.get(unit) ?? anyMask.slice();
    setBit(mask, i);
    masks.set(unit, mask);
  }
  const state = new Uint32Array(words);
  const lastBit = 1 << ((units.length - 1) & 31);
  return (text, from) => {
    state.fill(0);
    for (let p = from; p < text.length;) {
      const unit = text.codePointAt(p) as number;
      p += unit > 0xffff ? 2 : 1;
      const mask = masks.get(unit) ?? anyMask;
      let carry = 1;
      for (let word = 0; word < words; word++) {
        const before = state[word] as number;
        state[word] = ((before << 1) | carry) & (mask[word] as number);
        carry = before >>> 31;
      }
      if (((state[words - 1] as number) & lastBit) !== 0) return p;
    }
    return -1;
  };
}

function setBit(mask: Uint32Array, bit: number): void {
  mask[bit >> 5] = (mask[bit >> 5] as number) | (1 << (bit & 31));
}
