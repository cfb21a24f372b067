import { charsetByName, type Charset } from '../charset/charset.ts';

const SINGLE_BYTES = 0x100;
const HIGH_BYTE = 0x80;
/** The first byte of the three-byte characters of ujis and eucjpms. */
const THREE_BYTES = 0x8f;
const REPLACEMENT_CHARACTER = '\ufffd';
/** These encode every character there is; of utf8mb3 and ucs2 that goes for the first 65,536. */
const UNICODE: ReadonlySet<string> = new Set(['utf8mb4', 'utf16', 'utf16le', 'utf32', 'gb18030']);
const BASIC_PLANE: ReadonlySet<string> = new Set(['utf8mb3', 'ucs2']);

const repertoires = new Map<string, ReadonlySet<string>>();

/**
 * Whether a character set has every character of the text. What it lacks the server replaces by a question mark, so this decides
 * whether the members of an ENUM are what the statement says.
 */
export function encodes(charset: string, text: string, flavour: 'mysql' | 'mariadb'): boolean {
  if (UNICODE.has(charset)) return text.isWellFormed();
  if (BASIC_PLANE.has(charset)) return !/[\ud800-\udfff]/.test(text);
  const known = charsetByName(charset, flavour);
  if (known === null || known.name === 'binary' || known.name === 'filename') return false;
  let repertoire = repertoires.get(known.name);
  if (repertoire === undefined) {
    repertoire = readRepertoire(known);
    repertoires.set(known.name, repertoire);
  }
  return Array.from(text).every((character) => repertoire.has(character));
}

/** Every character that some bytes decode to. Some ten thousand bytes at most; only done when a member is not ASCII. */
function readRepertoire(charset: Charset): ReadonlySet<string> {
  const characters = new Set<string>();
  const add = (...bytes: number[]): void => {
    const text = decode(charset, Buffer.from(bytes));
    if (text !== REPLACEMENT_CHARACTER && Array.from(text).length === 1) characters.add(text);
  };
  for (let first = 0; first < SINGLE_BYTES; first++) {
    add(first);
    if (first < HIGH_BYTE || charset.bytesPerCharMax === 1) continue;
    for (let second = 0x40; second < SINGLE_BYTES; second++) {
      add(first, second);
      if (first !== THREE_BYTES || charset.bytesPerCharMax < 3) continue;
      for (let third = HIGH_BYTE; third < SINGLE_BYTES; third++) add(first, second, third);
    }
  }
  return characters;
}

function decode(charset: Charset, bytes: Buffer): string {
  try {
    return charset.decode(bytes, 0, bytes.length);
  } catch {
    return ''; // the set has no such character: that is what is being found out
  }
}
