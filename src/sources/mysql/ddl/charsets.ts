import { charsetByName } from '../charset/charset.ts';
import type { CharsetAndCollation } from '../schema/table-definition.ts';
import type { DdlContext } from './effect.ts';
import { NotUnderstood } from './token-reader.ts';

/** What a definition says about a character set; nothing of it means "inherit". */
export interface CharsetSpec {
  readonly charset: string | null;
  readonly collation: string | null;
  /** The attribute BINARY: the character set's `_bin` collation. */
  readonly binary: boolean;
}

const NOT_ASCII: ReadonlySet<string> = new Set(['ucs2', 'utf16', 'utf16le', 'utf32', 'swe7', 'binary']);

/** MariaDB's collations that may be named without a character set, and the sets that they go with. */
const CONTEXT_COLLATION = /^uca1400_/;
const CONTEXT_COLLATION_CHARSETS: ReadonlySet<string> = new Set(['utf8mb3', 'utf8mb4', 'ucs2', 'utf16', 'utf32']);

/** The most bytes that one character takes. */
export function charsetWidth(charset: string, flavour: 'mysql' | 'mariadb'): number {
  const known = charsetByName(charset, flavour);
  if (known === null) throw new NotUnderstood('unknown character set');
  return known.bytesPerCharMax;
}

/** Whether an ASCII text is the same bytes in this character set as in ASCII. */
export function isAsciiSuperset(charset: string): boolean {
  return !NOT_ASCII.has(charset);
}

/** The name under which information_schema of a current server lists it. */
export function charsetName(name: string, utf8: 'utf8mb3' | 'utf8mb4'): string {
  const lower = name.toLowerCase();
  return lower === 'utf8' ? utf8 : lower;
}

export function collationName(name: string, utf8: 'utf8mb3' | 'utf8mb4'): string {
  return name.toLowerCase().replace(/^utf8_/, `${utf8}_`);
}

/** What a column, table or database gets that says `spec` where `inherited` is the default. */
export function resolveCharset(
  spec: CharsetSpec,
  inherited: CharsetAndCollation | null,
  context: DdlContext,
): CharsetAndCollation {
  const { charset, collation } = spec;
  if (collation !== null && CONTEXT_COLLATION.test(collation)) {
    const base = charset ?? inherited?.charset;
    if (base === undefined || !CONTEXT_COLLATION_CHARSETS.has(base)) {
      throw new NotUnderstood('collation without character set');
    }
    return { charset: base, collation: `${base}_${collation}` };
  }
  if (collation !== null) {
    const own = collation === 'binary' ? 'binary' : context.charsetOfCollation(collation);
    if (own === null || (charset !== null && charset !== own)) throw new NotUnderstood('unknown collation');
    return { charset: own, collation };
  }
  if (charset === null && !spec.binary) {
    if (inherited === null) throw new NotUnderstood('unknown default character set');
    return inherited;
  }
  const name = charset ?? inherited?.charset;
  if (name === undefined) throw new NotUnderstood('unknown default character set');
  if (name === 'binary') return { charset: name, collation: name };
  charsetWidth(name, context.flavour); // refuses a set that is not known
  return { charset: name, collation: spec.binary ? `${name}_bin` : context.defaultCollation(name) };
}
