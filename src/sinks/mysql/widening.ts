import type { Column, ColumnType } from '../../core/table-schema.ts';

/** Types of one kind, narrowest first. */
const LADDERS: readonly (readonly ColumnType[])[] = [
  ['tinyint', 'smallint', 'mediumint', 'int', 'bigint'],
  ['float', 'double'],
  ['char', 'varchar', 'text'],
  ['binary', 'varbinary', 'blob'],
];

/** The most digits of a whole number. */
const WHOLE_DIGITS: Readonly<Partial<Record<ColumnType, number>>> = {
  tinyint: 3,
  smallint: 5,
  mediumint: 8,
  int: 10,
  bigint: 20,
};

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
const TEXTS: ReadonlySet<ColumnType> = new Set(['char', 'varchar', 'text']);
/** Of a character, in every character set of the servers. */
const CHARACTER_BYTES_MAX = 4;
/** Of TEXT and BLOB. */
const LENGTHS: readonly number[] = [255, 65_535, 16_777_215, 4_294_967_295];
const DECIMAL_DIGITS_MAX = 65;
/** Every decimal number of so many digits is told apart as a DOUBLE. */
const DOUBLE_DIGITS = 15;
const SET_MEMBERS_MAX = 64;

/**
 * The target's column, made as wide as the source's; null when nothing is to be done, or it cannot be done without harm to what is there: then rows that do not fit are
 * refused one by one.
 *
 * @param numbersItself the target's column has to remain a whole number
 */
export function widens(target: Column, source: Column, numbersItself: boolean): Column | null {
  if (target.type !== source.type) return climb(target, source) ?? (numbersItself ? null : converted(target, source));
  if (target.type === 'decimal') return widerDecimal(target, source);
  if (target.type === 'enum' || target.type === 'set') return moreMembers(target, source);
  if (BY_LENGTH.has(target.type) && (source.length ?? 0) > (target.length ?? 0)) {
    return { ...target, length: source.length };
  }
  // A longer BINARY would put zeros behind what is there.
  if (target.type === 'binary' && (source.length ?? 0) > (target.length ?? 0)) {
    return { ...target, type: 'varbinary', length: source.length };
  }
  if (isWhole(target) && target.unsigned && !source.unsigned) return signed(target);
  if (isWhole(target) && !target.unsigned && source.unsigned) return wideEnough(target, source);
  return null;
}

function climb(target: Column, source: Column): Column | null {
  const ladder = LADDERS.find((types) => types.includes(target.type) && types.includes(source.type));
  if (ladder === undefined) return null;
  const isHigher = ladder.indexOf(source.type) > ladder.indexOf(target.type);
  if (isWhole(target) && target.unsigned && !source.unsigned) {
    return isHigher ? { ...target, type: source.type, unsigned: false } : signed(target);
  }
  if (!isHigher) return longer(target, source);
  if (isWhole(target) && source.unsigned && !target.unsigned) return wideEnough(target, source);
  if (!BY_LENGTH.has(source.type)) return { ...target, type: source.type, length: source.length };
  return { ...target, type: source.type, length: Math.max(lengthFor(target, source.type), source.length ?? 0) };
}

/** A target of the roomier type, which may nonetheless have less room. */
function longer(target: Column, source: Column): Column | null {
  if (!BY_LENGTH.has(target.type)) return null;
  const length = lengthFor(source, target.type);
  return length > (target.length ?? 0) ? { ...target, length } : null;
}

/** The length with which a column of the type has room for the other one's values. */
function lengthFor({ type, length, members }: Column, wanted: ColumnType): number {
  const own = members === null ? (length ?? 0) : longestOf(type, members);
  if (type === wanted || (wanted !== 'text' && wanted !== 'blob')) return own;
  const bytes = wanted === 'text' ? own * CHARACTER_BYTES_MAX : own;
  return LENGTHS.find((most) => most >= bytes) ?? bytes;
}

function longestOf(type: ColumnType, members: readonly string[]): number {
  const lengths = members.map(({ length }) => length);
  return type === 'set' ? lengths.reduce((sum, each) => sum + each + 1, 0) : Math.max(0, ...lengths);
}

function isWhole({ type }: Column): boolean {
  return LADDERS[0]?.includes(type) === true;
}

/** A type of another kind that holds what is there exactly, and what comes. */
function converted(target: Column, source: Column): Column | null {
  if (source.type === 'decimal' && isWhole(target)) {
    return widerDecimal({ ...target, type: 'decimal', length: WHOLE_DIGITS[target.type] ?? 0, scale: 0 }, source, true);
  }
  if (target.type === 'decimal' && isWhole(source)) {
    return widerDecimal(target, { ...source, type: 'decimal', length: WHOLE_DIGITS[source.type] ?? 0, scale: 0 });
  }
  const isDouble = source.type === 'double' || source.type === 'float';
  const digits = target.type === 'decimal' ? (target.length ?? 10) : (WHOLE_DIGITS[target.type] ?? Infinity);
  if (isDouble && digits <= DOUBLE_DIGITS) {
    return { ...target, type: 'double', length: null, scale: null, unsigned: target.unsigned && source.unsigned };
  }
  if ((target.type === 'enum' || target.type === 'set') && TEXTS.has(source.type)) {
    const length = Math.max(lengthFor(target, source.type), source.length ?? 0);
    return { ...target, type: source.type, length, members: null };
  }
  return null;
}

/** Signed, with room for what the unsigned column may hold already. */
function signed(target: Column): Column | null {
  const next = LADDERS[0]?.[(LADDERS[0]?.indexOf(target.type) ?? 0) + 1];
  return next === undefined ? null : { ...target, type: next, unsigned: false };
}

/** A signed column with room for an unsigned one. There is none for a BIGINT: what is beyond a signed one is refused. */
function wideEnough(target: Column, source: Column): Column | null {
  const whole = LADDERS[0] ?? [];
  const next = whole[whole.indexOf(source.type) + 1];
  if (next !== undefined) return { ...target, type: next };
  return target.type === source.type ? null : { ...target, type: source.type };
}

/** @param changes also when it has room enough: it is not a DECIMAL yet */
function widerDecimal(target: Column, source: Column, changes = false): Column | null {
  const [own, other] = [target, source].map(({ length, scale }) => ({
    whole: (length ?? 10) - (scale ?? 0),
    scale: scale ?? 0,
  }));
  if (own === undefined || other === undefined) return null;
  const fits = other.whole <= own.whole && other.scale <= own.scale;
  const unsigned = target.unsigned && source.unsigned;
  if (fits && !changes && unsigned === target.unsigned) return null;
  const scale = Math.max(own.scale, other.scale);
  const length = Math.max(own.whole, other.whole) + scale;
  return length > DECIMAL_DIGITS_MAX ? null : { ...target, length, scale, unsigned };
}

/** The source's members, and behind them what only the target has: what is in the rows is a member's name, whatever its number becomes. */
function moreMembers(target: Column, source: Column): Column | null {
  const [own, other] = [target.members ?? [], source.members ?? []];
  const known = new Set(own);
  const added = other.filter((member) => !known.has(member));
  if (added.length === 0) return null;
  const folded = new Set(own.map((member) => member.toLowerCase()));
  // One of them, by the column's collation: it cannot be told whether there may be two.
  if (added.some((member) => folded.has(member.toLowerCase()))) return null;
  const wanted = new Set(other);
  const members = [...other, ...own.filter((member) => !wanted.has(member))];
  return target.type === 'set' && members.length > SET_MEMBERS_MAX ? null : { ...target, members };
}
