import { TidingsError } from '../core/errors.ts';
import { checkCalls } from './expression/compile.ts';
import { parseCastType } from './expression/cast-type.ts';
import { parseExpression } from './expression/parser.ts';
import type { Expression } from './expression/syntax.ts';
import type { ColumnConfig, ColumnSpec, ValueConfig } from './mapping-config.ts';
import { parseTargetPath, type TargetPath } from './target-path.ts';
import type { Transforms } from './transforms.ts';

/** A value for a place in the target. */
export interface ColumnRule {
  readonly path: TargetPath;
  /** The column of the source that it is made of; null for constants and expressions. */
  readonly from: string | null;
  readonly expression: Expression;
  readonly transforms: Transforms;
}

type Places = readonly (string | number)[];

/** What of the places that are written does not go together: each holds one value, and is a column or within one, a member or an element. */
export function placeMistakes(columns: readonly ColumnRule[]): { readonly place: string; readonly message: string }[] {
  const all = columns.map(({ path: { column, steps, text } }) => ({ text, places: [column, ...steps] }));
  return all.flatMap(({ text, places }, index) => {
    const other = all.slice(0, index).find((before) => clash(before.places, places));
    if (other !== undefined) {
      const message = `does not go with ${other.text}: one would be inside the other, or be both a member and an element`;
      return [{ place: text, message }];
    }
    const isGap = places.some(
      (step, at) =>
        typeof step === 'number' &&
        step > 0 &&
        !all.some((one) => isAt(one.places, [...places.slice(0, at), step - 1])),
    );
    return isGap ? [{ place: text, message: 'is an element whose predecessor nothing is said of' }] : [];
  });
}

function isAt(places: Places, from: Places): boolean {
  return from.every((step, index) => places[index] === step);
}

/** One place is the other or lies inside it, or one step of both is once a name and once an index. */
function clash(a: Places, b: Places): boolean {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (typeof a[i] !== typeof b[i]) return true;
    if (a[i] !== b[i]) return false;
  }
  return true;
}

/** @throws TidingsError MAPPING_INVALID */
export function columnRule(target: string, config: ColumnConfig): ColumnRule {
  const path = parseTargetPath(target);
  const spec: ColumnSpec = typeof config === 'string' ? { from: config } : config;
  const sources = [spec.from, spec.value, spec.expr].filter((source) => source !== undefined);
  if (sources.length > 1) {
    throw new TidingsError('MAPPING_INVALID', 'a value has one origin', { hint: 'Give one of from, value and expr.' });
  }
  const transforms: Transforms = {
    cast: spec.cast === undefined ? null : parseCastType(spec.cast),
    truncate: spec.truncate ?? null,
    mask: spec.mask ?? null,
    hash: spec.hash ?? null,
    fallback: spec.default === undefined ? null : valueExpression(spec.default),
  };
  if (spec.value !== undefined) return { path, from: null, expression: constantExpression(spec.value), transforms };
  if (spec.expr !== undefined) {
    const expression = parseExpression(spec.expr);
    checkCalls(expression);
    return { path, from: null, expression, transforms };
  }
  const from = spec.from ?? path.column;
  if (spec.from === undefined && path.steps.length > 0) {
    throw new TidingsError('MAPPING_INVALID', 'a place in a document needs an origin', {
      hint: 'Give one of from, value and expr.',
    });
  }
  return { path, from, expression: { kind: 'column', name: from, at: 0 }, transforms };
}

/** @throws TidingsError MAPPING_INVALID */
export function valueExpression(value: ValueConfig): Expression {
  if (typeof value !== 'object' || value === null) return constantExpression(value);
  const expression = parseExpression(value.expr);
  checkCalls(expression);
  return expression;
}

function constantExpression(value: unknown): Expression {
  switch (typeof value) {
    case 'string':
      return { kind: 'string', text: value, at: 0 };
    case 'number':
      if (!Number.isFinite(value)) break;
      return { kind: 'number', text: String(value), at: 0 };
    case 'bigint':
      return { kind: 'number', text: String(value), at: 0 };
    case 'boolean':
      return { kind: 'boolean', value, at: 0 };
    case 'object':
      if (value === null) return { kind: 'null', at: 0 };
      return {
        kind: 'cast',
        operand: { kind: 'string', text: JSON.stringify(value), at: 0 },
        type: parseCastType('json'),
        at: 0,
      };
    default:
      break;
  }
  throw new TidingsError('MAPPING_INVALID', 'the constant is no value', {
    hint: 'Give text, a number, true, false, null, a list or a map.',
  });
}
