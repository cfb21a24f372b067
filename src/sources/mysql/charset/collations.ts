import {
  MARIADB_COLLATIONS,
  MARIADB_DEFAULT_COLLATIONS,
  MYSQL_COLLATIONS,
  MYSQL_DEFAULT_COLLATIONS,
  UCA1400_CHARSETS,
  UCA1400_TAILORINGS,
} from './collation-lists.generated.ts';

type Flavour = 'mysql' | 'mariadb';

/** The internal collation of file names, which no server lists. */
const FILENAME_COLLATION = { id: 17, name: 'filename' };
/** The first of MariaDB's uca1400 collations. */
const UCA1400_ID = 2048;

const names: Record<Flavour, ReadonlyMap<number, string> | null> = { mysql: null, mariadb: null };
const defaults: Record<Flavour, ReadonlyMap<string, string> | null> = { mysql: null, mariadb: null };

/**
 * The name of a collation, or null when no server of that flavour has this id. Spelled as current servers do: MySQL 5.7 and MariaDB
 * 10.5 say `utf8_…` where this says `utf8mb3_…`.
 */
export function collationName(id: number, flavour: Flavour): string | null {
  names[flavour] ??= readNames(flavour);
  return names[flavour].get(id) ?? null;
}

/** The character set of a collation, as a TableMap's metadata names it by id; null when no server of that flavour has this id. */
export function charsetOfCollation(id: number, flavour: Flavour): string | null {
  const name = collationName(id, flavour);
  return name === null ? null : charsetOfCollationName(name);
}

/**
 * The character set of a collation's name, in any case: names start with their character set's.
 *
 * Null for a name that starts with none: also for `uca1400_…`, which MariaDB from 10.10 takes with any Unicode character set, so
 * that only the column, table or database at hand says which one it is. The name is not checked beyond its character set.
 */
export function charsetOfCollationName(name: string): string | null {
  const prefix = /^[^_]*/.exec(name.toLowerCase())?.[0] ?? '';
  const charset = prefix === 'utf8' ? 'utf8mb3' : prefix;
  if (charset === FILENAME_COLLATION.name) return charset;
  return (defaultCollationOf(charset, 'mysql') ?? defaultCollationOf(charset, 'mariadb')) ? charset : null;
}

/**
 * The collation that a character set has when a definition names none: of MySQL 8.0 to 9, and of MariaDB. MySQL 5.7 has
 * utf8mb4_general_ci for utf8mb4; MariaDB's variable `character_set_collations`, which statements carry, says another one, from 11.5
 * on by default: `…_uca1400_ai_ci` for the Unicode sets. Null for a character set that the server does not list.
 */
export function defaultCollationOf(charset: string, flavour: Flavour): string | null {
  const lines = flavour === 'mysql' ? MYSQL_DEFAULT_COLLATIONS : MARIADB_DEFAULT_COLLATIONS;
  defaults[flavour] ??= new Map(
    lines
      .trim()
      .split('\n')
      .map((name): [string, string] => [/^[^_]*/.exec(name)?.[0] ?? '', name]),
  );
  const lower = charset.toLowerCase();
  return defaults[flavour].get(lower === 'utf8' ? 'utf8mb3' : lower) ?? null;
}

function readNames(flavour: Flavour): Map<number, string> {
  const ids = new Map<number, string>([[FILENAME_COLLATION.id, FILENAME_COLLATION.name]]);
  // MariaDB from 11.4.5 on takes MySQL's utf8mb4_…_0900_… under MySQL's ids, as other names of its uca1400 collations
  // (MariaDB source, strings/ctype-uca0900.c). Its own ids follow and win.
  for (const [id, name] of readList(MYSQL_COLLATIONS)) {
    if (flavour === 'mysql' || name.includes('_0900_')) ids.set(id, name);
  }
  if (flavour === 'mysql') return ids;
  for (const [id, name] of readList(MARIADB_COLLATIONS)) ids.set(id, name);
  for (const [charsetIndex, charset] of UCA1400_CHARSETS.entries()) {
    for (const [tailoringIndex, tailoring] of UCA1400_TAILORINGS.entries()) {
      if (tailoring === null) continue;
      for (let variant = 0; variant < 8; variant++) {
        const parts = [
          charset,
          'uca1400',
          tailoring,
          variant & 4 ? 'nopad' : '',
          variant & 2 ? 'as' : 'ai',
          variant & 1 ? 'cs' : 'ci',
        ];
        const id = UCA1400_ID + 256 * charsetIndex + 8 * tailoringIndex + variant;
        ids.set(id, parts.filter((part) => part !== '').join('_'));
      }
    }
  }
  return ids;
}

function readList(list: string): [number, string][] {
  return list
    .trim()
    .split('\n')
    .map((line) => {
      const [id = '', name = ''] = line.split(' ');
      return [Number(id), name];
    });
}
