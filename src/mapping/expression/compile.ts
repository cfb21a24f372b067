import { nearest } from '../../base/nearest.ts';
import type { Row, Value } from '../../core/change.ts';
import type { Column, TableSchema } from '../../core/table-schema.ts';
import { compileLike } from '../../formats/log/like-pattern.ts';
import { expressionError } from '../faults.ts';
import { compileArithmetic, compileNegative } from './arithmetic.ts';
import { Call, type FunctionSpec } from './call.ts';
import { castMistake, compileCast } from './casts.ts';
import { type Compiled, condition, constantOf, type Evaluate, strict, textOf, valueOf } from './compiled.ts';
import { compileComparison, compileIn } from './comparisons.ts';
import { compileAnd, compileCase, compileCoalesce, compileNot, compileNullIf, compileOr } from './logic.ts';
import { NUMBER_FUNCTIONS } from './number-functions.ts';
import { CHANGE_FUNCTIONS, DATE_FUNCTIONS, JSON_FUNCTIONS } from './other-functions.ts';
import { callsOf, type Expression } from './syntax.ts';
import { TEXT_FUNCTIONS } from './text-functions.ts';
import { familyOf, ofColumn, typeText, TYPES } from './value-type.ts';

/** What an expression can refer to. */
export interface Scope {
  readonly table: TableSchema;
}

const FUNCTIONS: ReadonlyMap<string, FunctionSpec> = new Map(
  Object.entries({
    ...TEXT_FUNCTIONS,
    ...NUMBER_FUNCTIONS,
    ...DATE_FUNCTIONS,
    ...JSON_FUNCTIONS,
    ...CHANGE_FUNCTIONS,
    coalesce: { form: 'coalesce(value, …)', args: [1, 100], compile: compileCoalesce },
    nullif: { form: 'nullif(value, other)', args: [2, 2], compile: compileNullIf },
  } satisfies Record<string, FunctionSpec>),
);

/** How each of them is written. */
export const FUNCTION_FORMS: readonly string[] = [...FUNCTIONS.values()].map(({ form }) => form);

/** Functions of the table: `database()`, `table()`. */
const NAMES = new Set(['database', 'table']);

/** Whether it says something of the change and not of the row: then it cannot tell which row is meant. */
export function asksForChange(expression: Expression): boolean {
  return callsOf(expression).some(({ name }) => Object.hasOwn(CHANGE_FUNCTIONS, name));
}

/** Finds functions that do not exist, or not with so many arguments, without a table. @throws TidingsError MAPPING_INVALID */
export function checkCalls(expression: Expression): void {
  for (const { name, args, at } of callsOf(expression)) specOf(name, args.length, at);
}

/** @throws TidingsError MAPPING_INVALID naming the place, when the expression does not go with the table */
export function compileExpression(expression: Expression, scope: Scope): Compiled {
  const compile = (part: Expression): Compiled => compileExpression(part, scope);
  switch (expression.kind) {
    case 'number':
      return numberLiteral(expression.text, expression);
    case 'string':
      return constantOf(expression.text, { ...TYPES.varchar(expression.text.length), nullable: false }, expression);
    case 'bytes':
      return constantOf(expression.bytes, { ...TYPES.blob, nullable: false }, expression);
    case 'boolean':
      return constantOf(expression.value ? 1 : 0, { ...TYPES.boolean, nullable: false }, expression);
    case 'null':
      return constantOf(null, null, expression);
    case 'column':
      return columnOf(expression.name, expression.at, scope);
    case 'call':
      return callOf(expression, scope);
    case 'arithmetic':
      return compileArithmetic(expression, compile(expression.left), compile(expression.right));
    case 'negative':
      return compileNegative(expression, compile(expression.operand));
    case 'compare':
      return compileComparison(expression, compile(expression.left), compile(expression.right));
    case 'in':
      return compileIn(expression, compile(expression.left), expression.list.map(compile));
    case 'like':
      return likeOf(expression, compile(expression.left));
    case 'isNull': {
      const { evaluate, label } = compile(expression.operand);
      return condition((row, change) => {
        const value = evaluate(row, change);
        return value === undefined ? undefined : value === null ? 1 : 0;
      }, label);
    }
    case 'and':
      return compileAnd(expression.parts.map((part) => [part, compile(part)]));
    case 'or':
      return compileOr(expression.parts.map((part) => [part, compile(part)]));
    case 'not':
      return compileNot(expression.operand, compile(expression.operand));
    case 'case':
      return compileCase(
        expression,
        expression.branches.map(({ when, result }) => [compile(when), compile(result)]),
        compile(expression.otherwise),
      );
    case 'cast': {
      const operand = compile(expression.operand);
      const cast = compileCast(operand, expression.type);
      if (cast === null) throw expressionError(castMistake(operand, expression.type), expression.at);
      return cast;
    }
  }
}

const EXPONENT = /[eE]/;

/** With an exponent it is a DOUBLE, as in SQL; otherwise exact. */
function numberLiteral(text: string, literal: Expression): Compiled {
  if (EXPONENT.test(text)) return constantOf(Number(text), { ...TYPES.double, nullable: false }, literal);
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  if (whole.length + fraction.length > 65 || fraction.length > 30) {
    throw expressionError(
      'a number has too many digits',
      literal.at,
      'At most 65, at most 30 of them behind the point.',
    );
  }
  if (fraction !== '') {
    const digits = Math.max(whole.length, 1) + fraction.length;
    const decimal = `${text.startsWith('-') ? '-' : ''}${whole === '' ? '0' : whole}.${fraction}`;
    return constantOf(decimal, { ...TYPES.decimal(digits, fraction.length), nullable: false }, literal);
  }
  const value = BigInt(text.endsWith('.') ? text.slice(0, -1) : text);
  const isSafe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
  if (BigInt.asIntN(64, value) === value) {
    return constantOf(isSafe ? Number(value) : value, { ...TYPES.bigint, nullable: false }, literal);
  }
  return constantOf(String(value), { ...TYPES.decimal(whole.length, 0), nullable: false }, literal);
}

function columnOf(name: string, at: number, { table }: Scope): Compiled {
  const column = table.columns.find((known) => known.name === name);
  if (column === undefined) throw unknownColumn(name, at, table);
  return { ...valueOf(ofColumn(column), readerOf(name), `"${name}"`), label: `"${name}"` };
}

/** The value under a name. What every object inherits is no value of a row. */
export function readerOf(name: string): Evaluate {
  if (name in {}) {
    return (row) => (Object.hasOwn(row, name) ? ownValue(row, name) : undefined);
  }
  return (row) => row[name];
}

/** Also of a column called `__proto__`. */
function ownValue(row: Row, name: string): Value | undefined {
  return Object.getOwnPropertyDescriptor(row, name)?.value as Value | undefined;
}

function unknownColumn(name: string, at: number, { database, name: table, columns }: TableSchema): Error {
  const names = columns.map((column: Column) => column.name);
  const near = nearest(name, names);
  return expressionError(
    `${database}.${table} has no column "${name}"`,
    at,
    `${near === undefined ? '' : `Did you mean "${near}"? `}Its columns are ${names.join(', ')}.`,
  );
}

function callOf({ name, args, at }: Extract<Expression, { kind: 'call' }>, scope: Scope): Compiled {
  const spec = specOf(name, args.length, at);
  if (spec === null) {
    const { database, name: table } = scope.table;
    const text = name === 'table' ? table : database;
    return constantOf(text, { ...TYPES.varchar(64), nullable: false }, { kind: 'string', text, at });
  }
  const call = new Call(spec, { name, args: args.map((argument) => compileExpression(argument, scope)), at });
  return spec.compile(call);
}

/** Null: one of the functions of the table. */
function specOf(name: string, count: number, at: number): FunctionSpec | null {
  const spec = FUNCTIONS.get(name);
  if (spec === undefined && !NAMES.has(name)) {
    const near = nearest(name, [...FUNCTIONS.keys(), ...NAMES, 'if']);
    throw expressionError(
      `there is no function "${name}"`,
      at,
      near === undefined ? 'docs/mapping.md lists the functions.' : `Did you mean "${near}"?`,
    );
  }
  const [min, max] = spec?.args ?? [0, 0];
  if (count < min || count > max) {
    const wanted = min === max ? `${min}` : `${min} to ${max}`;
    throw expressionError(`"${name}" takes ${wanted} arguments, not ${count}`, at, `${spec?.form ?? `${name}()`}.`);
  }
  return spec ?? null;
}

/** As in a condition on the stream: it looks at the text that a consumer gets. */
function likeOf({ pattern, at }: Extract<Expression, { kind: 'like' }>, { type, evaluate, label }: Compiled): Compiled {
  if (type === null) return constantOf(null, null, { kind: 'null', at });
  const text = textOf(type);
  const isText = ['text', 'date', 'datetime', 'timestamp', 'time'].includes(familyOf(type.type));
  if (text === null || !isText) throw expressionError(`${label} is ${typeText(type)}, not text`, at);
  const matches = compileLike(pattern);
  return condition(
    strict(evaluate, (value) => (matches(text(value)) ? 1 : 0)),
    label,
  );
}
