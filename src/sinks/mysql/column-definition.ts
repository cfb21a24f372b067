import type { Column } from '../../core/table-schema.ts';
import { attributesText, type ColumnAttributes } from './column-attributes.ts';
import { keepsSpaces } from './exact-values.ts';
import { quoteName, quoteText } from './sql-text.ts';
import type { TargetServer } from './target-server.ts';

const TEXT_TYPES: ReadonlyMap<number, string> = new Map([
  [255, 'TINY'],
  [65_535, ''],
  [16_777_215, 'MEDIUM'],
]);
const VARBINARY_MAX = 65_000;

/** How a column is made in the target. */
interface ColumnText {
  /** The type, without the name. */
  readonly type: string;
  /** What it is, where the target does not have what the source has. */
  readonly instead: string | null;
}

interface DefinitionOptions {
  readonly server: TargetServer;
  readonly inKey: boolean;
  readonly nullable: boolean;
}

/** A column's definition with its name, NULL or NOT NULL. */
export function columnDefinition(
  column: Column,
  { server, inKey, nullable }: DefinitionOptions,
): { readonly sql: string; readonly instead: string | null } {
  const { type, instead } = columnType(column, { server, inKey });
  // Without a default the first TIMESTAMP of a table would be one that changes by itself, on servers with the old rules.
  const fallback =
    column.type === 'timestamp' && !nullable ? ` DEFAULT '0000-00-00 00:00:00${fractionZeros(column.length)}'` : '';
  return { sql: `${quoteName(column.name)} ${type} ${nullable ? 'NULL' : 'NOT NULL'}${fallback}`, instead };
}

/** The definition of a column that is there already and keeps what it has beside its type. */
export function changedDefinition(
  column: Column,
  attributes: ColumnAttributes,
  { server, inKey, nullable }: DefinitionOptions,
): string {
  const { type } = columnType(column, { server, inKey });
  const zerofill = attributes.zerofill && column.unsigned ? ' ZEROFILL' : '';
  const text = attributesText(attributes, column, server.flavour);
  return `${quoteName(column.name)} ${type}${zerofill} ${nullable ? 'NULL' : 'NOT NULL'} ${text}`.trimEnd();
}

function fractionZeros(digits: number | null): string {
  return digits === null || digits === 0 ? '' : `.${'0'.repeat(digits)}`;
}

/** The type that holds each value of the column exactly. */
function columnType(column: Column, { server, inKey }: { server: TargetServer; inKey: boolean }): ColumnText {
  const { type, length, unsigned } = column;
  const plain = (text: string): ColumnText => ({ type: text, instead: null });
  const unsignedText = unsigned ? ' UNSIGNED' : '';
  switch (type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'float':
    case 'double':
      return plain(`${type.toUpperCase()}${unsignedText}`);
    case 'year':
    case 'date':
      return plain(type.toUpperCase());
    case 'bit':
      return plain(`BIT(${length ?? 1})`);
    case 'decimal':
      return plain(`DECIMAL(${length ?? 10},${column.scale ?? 0})${unsignedText}`);
    case 'datetime':
    case 'timestamp':
    case 'time':
      return plain(`${type.toUpperCase()}(${length ?? 0})`);
    case 'binary':
    case 'varbinary':
      return plain(`${type.toUpperCase()}(${length ?? 255})`);
    case 'blob':
      return plain(`${TEXT_TYPES.get(length ?? 0) ?? 'LONG'}BLOB`);
    case 'char':
      if (!keepsSpaces(column)) return textType(`CHAR(${length ?? 255})`, column, { server, inKey });
      return {
        instead: `VARCHAR(${length ?? 255})`,
        type: columnType({ ...column, type: 'varchar' }, { server, inKey }).type,
      };
    case 'varchar':
      return textType(`${type.toUpperCase()}(${length ?? 255})`, column, { server, inKey });
    case 'text':
      return textType(`${TEXT_TYPES.get(length ?? 0) ?? 'LONG'}TEXT`, column, { server, inKey });
    case 'enum':
    case 'set': {
      const members = (column.members ?? []).map(quoteText).join(',');
      return textType(`${type.toUpperCase()}(${members})`, column, { server, inKey });
    }
    case 'json':
      if (server.flavour === 'mysql') return plain('JSON');
      // MariaDB's own JSON would refuse documents that are nested deeper than its check can follow.
      return { type: 'LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin', instead: 'LONGTEXT' };
    case 'geometry':
      return plain('GEOMETRY');
    case 'vector': {
      const dimensions = length ?? 0;
      const known = server.version >= (server.flavour === 'mysql' ? 90_000 : 110_700);
      if (known) return plain(`VECTOR(${dimensions})`);
      const bytes = dimensions * 4;
      const text = bytes <= VARBINARY_MAX ? `VARBINARY(${bytes})` : 'LONGBLOB';
      return { type: text, instead: text };
    }
    case 'uuid':
      if (server.flavour === 'mariadb' && server.version >= 100_700) return plain('UUID');
      return { type: 'CHAR(36) CHARACTER SET ascii COLLATE ascii_bin', instead: 'CHAR(36)' };
    case 'inet4':
      if (server.flavour === 'mariadb' && server.version >= 101_000) return plain('INET4');
      return { type: 'VARCHAR(15) CHARACTER SET ascii COLLATE ascii_bin', instead: 'VARCHAR(15)' };
    case 'inet6':
      if (server.flavour === 'mariadb') return plain('INET6');
      return { type: 'VARCHAR(39) CHARACTER SET ascii COLLATE ascii_bin', instead: 'VARCHAR(39)' };
  }
}

function textType(
  type: string,
  { charset, collation }: Column,
  { server, inKey }: { readonly server: TargetServer; readonly inKey: boolean },
): ColumnText {
  const chosen = chooseCollation({ charset, collation, inKey }, server);
  const own = collation === null || chosen === collation;
  return {
    type: `${type} CHARACTER SET ${server.collations.get(chosen) ?? 'utf8mb4'} COLLATE ${chosen}`,
    instead: own ? null : chosen,
  };
}

/**
 * MariaDB from 11.4.5 on has collations of these names that are of Unicode 14: there texts are one that are several in MySQL, as are letters whose
 * case is younger than Unicode 9.
 */
const MYSQL_UNICODE_9 = /_0900_a/;

/**
 * The source's collation, if the target has it. Otherwise a near one: what tells case and accents apart goes on doing so. For a key that would not be
 * enough, as two rows of the source must never be one in the target: it gets the collation that tells most apart.
 */
export function chooseCollation(
  { charset, collation, inKey }: { charset: string | null; collation: string | null; inKey: boolean },
  { flavour, collations }: TargetServer,
): string {
  const isUsable = collation !== null && !(inKey && flavour === 'mariadb' && MYSQL_UNICODE_9.test(collation));
  if (isUsable && collations.has(collation)) return collation;
  const has = (name: string): boolean => collations.has(name);
  const known = charset !== null && [...collations.values()].includes(charset);
  const to = known ? charset : 'utf8mb4';
  const distinct = [`${to}_0900_bin`, `${to}_nopad_bin`, `${to}_bin`];
  if (to === 'utf8mb4' && collation !== null && !inKey && !collation.includes('bin')) {
    const caseSensitive = /_cs(?:_|$)/.test(collation);
    const accentSensitive = caseSensitive || /_as(?:_|$)/.test(collation);
    const noPad = collation.includes('0900') || collation.includes('nopad');
    const suffix = `${accentSensitive ? 'as' : 'ai'}_${caseSensitive ? 'cs' : 'ci'}`;
    const near =
      flavour === 'mysql'
        ? [`utf8mb4_0900_${suffix}`]
        : [...(noPad ? [`utf8mb4_uca1400_nopad_${suffix}`] : []), `utf8mb4_uca1400_${suffix}`];
    const old = accentSensitive ? [] : [...(noPad ? ['utf8mb4_unicode_520_nopad_ci'] : []), 'utf8mb4_unicode_520_ci'];
    const found = [...near, ...old].find(has);
    if (found !== undefined) return found;
  }
  // Also for a charset without a collation that is known: its own default would be a guess.
  return (
    (collation === null && !inKey ? [`${to}_general_ci`, `${to}_bin`] : distinct).find(has) ??
    [...collations].find(([, of]) => of === to)?.[0] ??
    'utf8mb4_bin'
  );
}
