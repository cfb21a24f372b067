import type { Column, ColumnType } from '../../core/table-schema.ts';

/** Types of one kind, narrowest first. */
const LADDERS: readonly (readonly ColumnType[])[] = [
  ['tinyint', 'smallint', 'mediumint', 'int', 'bigint'],
  ['float', 'double'],
  ['varchar', 'text'],
  ['varbinary', 'blob'],
];

/** Lengths that mean room. For BLOB and TEXT they name the type. */
const BY_LENGTH: ReadonlySet<ColumnType> = new Set([
  'char',
  'varchar',
  'text',
  'varbinary',
  'blob',
  'bit',
  'datetime',
  'timestamp',
  'time',
]);

/**
 * The target's column, made as wide as the source's; null when nothing is to be done, or it cannot be done without harm to what is there: then rows that do not fit are
 * refused one by one.
 */
export function widens(target: Column, source: Column): Column | null {
  if (target.type !== source.type) return climb(target, source);
  if (target.type === 'decimal') return widerDecimal(target, source);
  if (target.type === 'enum' || target.type === 'set') return moreMembers(target, source);
  if (BY_LENGTH.has(target.type) && (source.length ?? 0) > (target.length ?? 0)) {
    return { ...target, length: source.length };
  }
  if (isWhole(target) && target.unsigned && !source.unsigned) return signed(target);
  if (isWhole(target) && !target.unsigned && source.unsigned) return wideEnough(target, source);
  return null;
}

function climb(target: Column, source: Column): Column | null {
  const ladder = LADDERS.find((types) => types.includes(target.type) && types.includes(source.type));
  if (ladder === undefined || ladder.indexOf(source.type) < ladder.indexOf(target.type)) return null;
  if (isWhole(target) && target.unsigned !== source.unsigned) {
    return target.unsigned
      ? { ...target, type: source.type, unsigned: false }
      : wideEnough({ ...target, type: source.type }, source);
  }
  return { ...target, type: source.type, length: source.length };
}

function isWhole({ type }: Column): boolean {
  return LADDERS[0]?.includes(type) === true;
}

/** Signed, with room for what the unsigned column may hold already. */
function signed(target: Column): Column | null {
  const next = LADDERS[0]?.[(LADDERS[0]?.indexOf(target.type) ?? 0) + 1];
  return next === undefined ? null : { ...target, type: next, unsigned: false };
}

/** A signed column with room for an unsigned one; a signed BIGINT has none, and keeps what it has. */
function wideEnough(target: Column, source: Column): Column | null {
  const whole = LADDERS[0] ?? [];
  const next = whole[whole.indexOf(source.type) + 1];
  return next === undefined ? null : { ...target, type: next };
}

function widerDecimal(target: Column, source: Column): Column | null {
  const [own, other] = [target, source].map(({ length, scale }) => ({
    whole: (length ?? 10) - (scale ?? 0),
    scale: scale ?? 0,
  }));
  if (own === undefined || other === undefined || (other.whole <= own.whole && other.scale <= own.scale)) return null;
  const scale = Math.max(own.scale, other.scale);
  const length = Math.max(own.whole, other.whole) + scale;
  return length > 65 ? null : { ...target, length, scale };
}

/** Only behind the ones there are: rows hold a member's number. */
function moreMembers(target: Column, source: Column): Column | null {
  const [own, other] = [target.members ?? [], source.members ?? []];
  return other.length > own.length && own.every((member, i) => other[i] === member)
    ? { ...target, members: other }
    : null;
}
