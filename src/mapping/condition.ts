import type { Condition, Literal } from '../formats/log/where-parser.ts';
import type { Expression } from './expression/syntax.ts';

/** A condition of docs/reference/filters.md as an expression: both are evaluated in one way. */
export function conditionExpression(condition: Condition): Expression {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return { kind: condition.kind, parts: condition.parts.map(conditionExpression), at: 0 };
    case 'not':
      return { kind: 'not', operand: conditionExpression(condition.part), at: 0 };
    case 'null':
      return { kind: 'isNull', operand: { kind: 'column', ...condition.column }, at: condition.column.at };
    case 'compare': {
      const { column, sign, literal } = condition;
      return {
        kind: 'compare',
        sign,
        left: { kind: 'column', ...column },
        right: literalExpression(literal),
        at: literal.at,
      };
    }
    case 'in': {
      const { column, literals } = condition;
      return { kind: 'in', left: { kind: 'column', ...column }, list: literals.map(literalExpression), at: column.at };
    }
    case 'like': {
      const { column, literal } = condition;
      const left: Expression = { kind: 'column', ...column };
      // What is no string is no pattern: the comparison says so.
      if (literal.kind !== 'string') {
        return { kind: 'compare', sign: '=', left, right: literalExpression(literal), at: literal.at };
      }
      return { kind: 'like', left, pattern: literal.text, at: column.at };
    }
  }
}

function literalExpression(literal: Literal): Expression {
  if (literal.kind !== 'number') return literal;
  return { ...literal, text: literal.text.replace(/^\+/, '') };
}
