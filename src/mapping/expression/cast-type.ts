import { nearest } from '../../base/nearest.ts';
import type { ColumnType } from '../../core/table-schema.ts';
import { expressionError } from '../faults.ts';
import { TYPES, type ValueType } from './value-type.ts';

/** A type as a rule writes it: `decimal(10,2)`, `bigint unsigned`, `boolean`. */
export interface CastType {
  readonly type: ValueType;
  /** As it was written, in lower case and without needless spaces: for messages. */
  readonly text: string;
}

const PARTS = /^\s*([a-z]+)\s*(?:\(\s*([0-9]+)\s*(?:,\s*([0-9]+)\s*)?\))?(\s+unsigned)?\s*$/i;

interface Shape {
  readonly type: ColumnType;
  /** Bounds of the number in parentheses; null: there is none. */
  readonly length: readonly [min: number, max: number] | null;
  /** What holds without the number; null: it must be there. */
  readonly lengthDefault: number | null;
  readonly hasScale?: true;
  readonly hasSign?: true;
}

const INTEGER = { length: null, lengthDefault: null, hasSign: true } as const;
const FRACTION = { length: [0, 6], lengthDefault: 0 } as const;

const SHAPES: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ['boolean', { type: 'tinyint', length: null, lengthDefault: null }],
  ['tinyint', { type: 'tinyint', ...INTEGER }],
  ['smallint', { type: 'smallint', ...INTEGER }],
  ['mediumint', { type: 'mediumint', ...INTEGER }],
  ['int', { type: 'int', ...INTEGER }],
  ['bigint', { type: 'bigint', ...INTEGER }],
  ['decimal', { type: 'decimal', length: [1, 65], lengthDefault: 10, hasScale: true }],
  ['double', { type: 'double', length: null, lengthDefault: null }],
  ['char', { type: 'char', length: [1, 255], lengthDefault: null }],
  ['varchar', { type: 'varchar', length: [1, 16_383], lengthDefault: null }],
  ['text', { type: 'text', length: null, lengthDefault: null }],
  ['binary', { type: 'binary', length: [1, 255], lengthDefault: null }],
  ['varbinary', { type: 'varbinary', length: [1, 65_535], lengthDefault: null }],
  ['blob', { type: 'blob', length: null, lengthDefault: null }],
  ['date', { type: 'date', length: null, lengthDefault: null }],
  ['datetime', { type: 'datetime', ...FRACTION }],
  ['timestamp', { type: 'timestamp', ...FRACTION }],
  ['time', { type: 'time', ...FRACTION }],
  ['json', { type: 'json', length: null, lengthDefault: null }],
]);

const SCALE_MAX = 30;

/** @throws TidingsError MAPPING_INVALID naming the place, which `at` is added to */
export function parseCastType(text: string, at = 0): CastType {
  const parts = PARTS.exec(text);
  const name = (parts?.[1] ?? text.trim()).toLowerCase();
  const shape = SHAPES.get(name === 'integer' ? 'int' : name);
  if (parts === null || shape === undefined) {
    const near = nearest(name, [...SHAPES.keys()]);
    throw expressionError(
      `"${text.trim()}" is no type`,
      at,
      `${near === undefined ? '' : `Did you mean ${near}? `}The types are ${[...SHAPES.keys()].join(', ')}, with (length), (digits,scale) and unsigned where SQL has them.`,
    );
  }
  const length = parts[2] === undefined ? shape.lengthDefault : Number(parts[2]);
  const scale = parts[3] === undefined ? 0 : Number(parts[3]);
  const isUnsigned = parts[4] !== undefined;
  const fits =
    (parts[2] === undefined || shape.length !== null) &&
    (shape.length === null || (length !== null && length >= shape.length[0] && length <= shape.length[1])) &&
    (parts[3] === undefined || shape.hasScale === true) &&
    scale <= Math.min(SCALE_MAX, length ?? SCALE_MAX) &&
    (!isUnsigned || shape.hasSign === true);
  if (!fits) throw expressionError(`"${text.trim()}" is no type`, at, hintOf(name, shape));
  return {
    type: typeOf(name, shape, { length, scale, isUnsigned }),
    text: text.trim().toLowerCase().replaceAll(/\s+/g, ' '),
  };
}

function hintOf(name: string, { length, hasScale, hasSign }: Shape): string {
  if (hasScale === true) {
    return `It is ${name}(digits,scale), with up to 65 digits, up to ${SCALE_MAX} of them behind the point.`;
  }
  if (length !== null) return `It is ${name}(n), n from ${length[0]} to ${length[1]}.`;
  return `It is ${name}${hasSign === true ? ' or ' + name + ' unsigned' : ''}, and nothing in parentheses.`;
}

function typeOf(
  name: string,
  { type }: Shape,
  { length, scale, isUnsigned }: { length: number | null; scale: number; isUnsigned: boolean },
): ValueType {
  switch (type) {
    case 'decimal':
      return TYPES.decimal(length ?? 10, scale);
    case 'char':
    case 'varchar':
      return { ...TYPES.varchar(length ?? 1), type };
    case 'text':
      return TYPES.text;
    case 'binary':
    case 'varbinary':
      return { ...TYPES.blob, type, length };
    case 'blob':
      return TYPES.blob;
    case 'datetime':
    case 'timestamp':
    case 'time':
      return TYPES.moment(type, length ?? 0);
    default:
      return { ...TYPES.plain(type), unsigned: isUnsigned, isBoolean: name === 'boolean' };
  }
}
