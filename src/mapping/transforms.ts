import { createHmac, hash } from 'node:crypto';
import { TidingsError } from '../core/errors.ts';
import { castMistake, compileCast } from './expression/casts.ts';
import type { CastType } from './expression/cast-type.ts';
import { type Compiled, constantOf, type Evaluate, strict, textOf, valueOf } from './expression/compiled.ts';
import { compileExpression, type Scope } from './expression/compile.ts';
import type { Expression } from './expression/syntax.ts';
import { characterCount, characters } from './expression/text-units.ts';
import { type Family, familyOf, textLengthMax, typeText, TYPES, type ValueType } from './expression/value-type.ts';
import type { HashConfig, MaskConfig } from './mapping-config.ts';

/** What is done to a value on its way, in this order. */
export interface Transforms {
  readonly cast: CastType | null;
  readonly truncate: number | null;
  readonly mask: MaskConfig | null;
  readonly hash: HashConfig | null;
  /** Stands for NULL. */
  readonly fallback: Expression | null;
}

export interface Transformed {
  readonly compiled: Compiled;
  /** Two different values of the source never become the same one: what makes it fit for a key. */
  readonly isInjective: boolean;
  /** The value is the source's own. */
  readonly isCopy: boolean;
}

/** @throws TidingsError MAPPING_INVALID */
export function applyTransforms(source: Compiled, transforms: Transforms, scope: Scope): Transformed {
  const { cast, truncate, mask, hash: hashing, fallback } = transforms;
  let compiled = source;
  let isInjective = true;
  if (cast !== null) {
    const result = compileCast(compiled, cast);
    if (result === null) throw invalid(castMistake(compiled, cast));
    isInjective = keepsDifferences(compiled.type, cast.type);
    compiled = result;
  }
  if (truncate !== null) {
    compiled = truncated(compiled, truncate);
    isInjective = false;
  }
  if (mask !== null) {
    compiled = masked(compiled, mask);
    isInjective = false;
  }
  if (hashing !== null) compiled = hashed(compiled, hashing);
  if (fallback !== null) {
    compiled = withFallback(compiled, fallback, scope);
    isInjective = false;
  }
  return { compiled, isInjective, isCopy: compiled === source };
}

/** Whether the cast can be undone: `01` and `1` are the same number, but no two numbers are the same text. */
function keepsDifferences(from: ValueType | null, to: ValueType): boolean {
  // Zeros are put behind what is shorter.
  if (to.type === 'binary') return from?.type === 'binary' && from.length === to.length;
  const [a, b] = [from === null ? null : familyOf(from.type), familyOf(to.type)];
  return a === b || a === 'integer' || ((a === 'decimal' || a === 'date') && b === 'text');
}

function truncated(operand: Compiled, length: number): Compiled {
  const family = familyIn(operand, ['text', 'bytes'], 'truncate');
  if (family === null) return operand;
  if (family === 'bytes') {
    const type: ValueType = { ...TYPES.blob, type: 'varbinary', length, nullable: isNullable(operand) };
    const evaluate = strict(operand.evaluate as Evaluate<Uint8Array>, (bytes) => bytes.subarray(0, length));
    return valueOf(type, evaluate, operand.label);
  }
  const max = operand.type === null ? null : textLengthMax(operand.type);
  const type = { ...TYPES.varchar(max === null ? length : Math.min(max, length)), nullable: isNullable(operand) };
  const cut = (text: string): string => (text.length <= length ? text : characters(text, 0, length));
  return valueOf(type, strict(operand.evaluate as Evaluate<string>, cut), operand.label);
}

function masked(operand: Compiled, mask: MaskConfig): Compiled {
  if (familyIn(operand, ['text'], 'mask') === null || operand.type === null) return operand;
  const { start = 0, end = 0, with: star = '*' } = mask === 'all' ? {} : mask;
  const apply = (text: string): string => {
    const count = characterCount(text);
    const hidden = count - start - end;
    // What is too short to hide anything of is hidden altogether.
    if (hidden <= 0) return star.repeat(count);
    return characters(text, 0, start) + star.repeat(hidden) + characters(text, start + hidden, end);
  };
  const max = textLengthMax(operand.type);
  const type = { ...(max === null ? TYPES.text : TYPES.varchar(max)), nullable: isNullable(operand) };
  return valueOf(type, strict(operand.evaluate as Evaluate<string>, apply), operand.label);
}

/** Of a text its bytes in UTF-8, of bytes these, of everything else its text. */
function hashed(operand: Compiled, config: HashConfig): Compiled {
  const { type, evaluate } = operand;
  if (type === null) return operand;
  const text = textOf(type);
  if (text === null && familyOf(type.type) !== 'bytes') {
    throw invalid(`${operand.label} is ${typeText(type)}, which has no hash`);
  }
  const digest =
    config === 'sha256'
      ? (input: string | Uint8Array) => hash('sha256', input)
      : (input: string | Uint8Array) => createHmac('sha256', config.key).update(input).digest('hex');
  const result: ValueType = { ...TYPES.varchar(64), type: 'char', charset: 'ascii', nullable: isNullable(operand) };
  return valueOf(
    result,
    strict(evaluate, (value) => digest(text === null ? (value as Uint8Array) : text(value))),
    operand.label,
  );
}

/** A literal takes the type of the value that it stands for. */
function withFallback(operand: Compiled, fallback: Expression, scope: Scope): Compiled {
  if (fallback.kind === 'null') return operand;
  const literal = compileExpression(fallback, scope);
  if (operand.type === null) return literal;
  const wanted = { type: operand.type, text: typeText(operand.type) };
  const isText = literal.type?.type === 'varchar' && familyOf(operand.type.type) === 'text';
  const value = isText ? literal : compileCast(literal, wanted);
  if (value === null) throw invalid(`the default of ${operand.label} is no ${wanted.text}`);
  const { evaluate } = operand;
  const instead = value.evaluate;
  const type: ValueType = { ...operand.type, nullable: false };
  return valueOf(
    type,
    (row, change) => {
      const found = evaluate(row, change);
      return found === null ? instead(row, change) : found;
    },
    operand.label,
  );
}

/** What stands for a column that the table does not have. */
export function fallbackOnly(fallback: Expression, transforms: Transforms, scope: Scope): Compiled {
  const literal = fallback.kind === 'null' ? constantOf(null, null, fallback) : compileExpression(fallback, scope);
  if (transforms.cast === null) return literal;
  const cast = compileCast(literal, transforms.cast);
  if (cast === null) throw invalid(castMistake(literal, transforms.cast));
  return cast;
}

function familyIn({ type, label }: Compiled, wanted: readonly Family[], what: string): Family | null {
  if (type === null) return null;
  const family = familyOf(type.type);
  if (wanted.includes(family)) return family;
  throw invalid(`${label} is ${typeText(type)}: ${what} is for ${wanted.join(' and ')}`, 'Cast it to varchar first.');
}

function isNullable({ type }: Compiled): boolean {
  return type === null || type.nullable;
}

function invalid(message: string, hint?: string): TidingsError {
  return new TidingsError('MAPPING_INVALID', message, hint === undefined ? {} : { hint });
}
