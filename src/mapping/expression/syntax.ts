import type { Comparison } from '../../formats/log/where-parser.ts';
import type { CastType } from './cast-type.ts';

/** An expression as it was written. `at` is where in its text, counted from 0. */
export type Expression =
  | { readonly kind: 'number'; readonly text: string; readonly at: number }
  | { readonly kind: 'string'; readonly text: string; readonly at: number }
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly at: number }
  | { readonly kind: 'boolean'; readonly value: boolean; readonly at: number }
  | { readonly kind: 'null'; readonly at: number }
  | { readonly kind: 'column'; readonly name: string; readonly at: number }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[]; readonly at: number }
  | {
      readonly kind: 'arithmetic';
      readonly sign: ArithmeticSign;
      readonly left: Expression;
      readonly right: Expression;
      readonly at: number;
    }
  | { readonly kind: 'negative'; readonly operand: Expression; readonly at: number }
  | {
      readonly kind: 'compare';
      readonly sign: Comparison;
      readonly left: Expression;
      readonly right: Expression;
      readonly at: number;
    }
  | { readonly kind: 'in'; readonly left: Expression; readonly list: readonly Expression[]; readonly at: number }
  | { readonly kind: 'like'; readonly left: Expression; readonly pattern: string; readonly at: number }
  | { readonly kind: 'isNull'; readonly operand: Expression; readonly at: number }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Expression[]; readonly at: number }
  | { readonly kind: 'not'; readonly operand: Expression; readonly at: number }
  | {
      readonly kind: 'case';
      readonly branches: readonly CaseBranch[];
      readonly otherwise: Expression;
      readonly at: number;
    }
  | { readonly kind: 'cast'; readonly operand: Expression; readonly type: CastType; readonly at: number };

export type ArithmeticSign = '+' | '-' | '*' | '/';

export interface CaseBranch {
  readonly when: Expression;
  readonly result: Expression;
}

/** The columns that an expression reads. */
export function columnsOf(expression: Expression): ReadonlySet<string> {
  const names = new Set<string>();
  visit(expression, (node) => {
    if (node.kind === 'column') names.add(node.name);
  });
  return names;
}

/** The functions that it calls. */
export function callsOf(expression: Expression): readonly Extract<Expression, { kind: 'call' }>[] {
  const calls: Extract<Expression, { kind: 'call' }>[] = [];
  visit(expression, (node) => {
    if (node.kind === 'call') calls.push(node);
  });
  return calls;
}

function visit(expression: Expression, see: (node: Expression) => void): void {
  see(expression);
  for (const part of partsOf(expression)) visit(part, see);
}

function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'number':
    case 'string':
    case 'bytes':
    case 'boolean':
    case 'null':
    case 'column':
      return [];
    case 'call':
      return expression.args;
    case 'arithmetic':
    case 'compare':
      return [expression.left, expression.right];
    case 'in':
      return [expression.left, ...expression.list];
    case 'like':
      return [expression.left];
    case 'negative':
    case 'isNull':
    case 'not':
    case 'cast':
      return [expression.operand];
    case 'and':
    case 'or':
      return expression.parts;
    case 'case':
      return [...expression.branches.flatMap(({ when, result }) => [when, result]), expression.otherwise];
  }
}
