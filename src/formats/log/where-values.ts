import { nearest } from '../../base/nearest.ts';
import { TidingsError } from '../../core/errors.ts';
import type { Column, TableSchema } from '../../core/table-schema.ts';
import { compileLike } from './like-pattern.ts';
import { article, kindOf, type ValueKind } from './value-kinds.ts';
import { conditionError } from './where-lexer.ts';
import type { Condition, ValueTest } from './where-parser.ts';

/** Tells whether the value at `at`, which is not NULL, passes. Its bytes have been checked to lie within the row. */
export type TestValue = (bytes: Buffer, view: DataView, at: number) => boolean;

/** @throws TidingsError CONFIG_INVALID when the test does not go with the column */
export function compileValueTest(test: Exclude<ValueTest, { kind: 'null' }>, column: Column): TestValue {
  const kind = kindOf(column);
  if (kind === null) {
    throw conditionError(
      `"${column.name}" is ${article(column)} column, whose values cannot be compared`,
      test.column.at,
      'Only "is null" and "is not null" can be asked.',
    );
  }
  switch (test.kind) {
    case 'compare':
      return compileComparison(kind, test, column);
    case 'in': {
      const literals = test.literals.map((literal) => kind.literal(literal));
      const { decode, compare } = kind;
      return (bytes, view, at) => {
        const value = decode(bytes, view, at);
        return literals.some((literal) => compare(value, literal) === 0);
      };
    }
    case 'like': {
      const { text } = kind;
      if (text === null || test.literal.kind !== 'string') {
        throw conditionError(
          text === null ? `"${column.name}" is ${article(column)} column, not text` : '"like" takes a string',
          text === null ? test.column.at : test.literal.at,
        );
      }
      const matches = compileLike(test.literal.text);
      return (bytes, view, at) => matches(text(bytes, view, at));
    }
  }
}

function compileComparison<V, L>(
  { decode, literal, compare, isOrdered }: ValueKind<V, L>,
  test: Extract<ValueTest, { kind: 'compare' }>,
  column: Column,
): TestValue {
  const { sign } = test;
  if (!isOrdered && sign !== '=' && sign !== '<>') {
    throw conditionError(
      `"${column.name}" is ${article(column)} column, whose values have no order`,
      test.column.at,
      'Use =, <>, in or like.',
    );
  }
  const right = literal(test.literal);
  switch (sign) {
    case '=':
      return (bytes, view, at) => compare(decode(bytes, view, at), right) === 0;
    case '<>':
      return (bytes, view, at) => compare(decode(bytes, view, at), right) !== 0;
    case '<':
      return (bytes, view, at) => compare(decode(bytes, view, at), right) < 0;
    case '<=':
      return (bytes, view, at) => compare(decode(bytes, view, at), right) <= 0;
    case '>':
      return (bytes, view, at) => compare(decode(bytes, view, at), right) > 0;
    case '>=':
      return (bytes, view, at) => compare(decode(bytes, view, at), right) >= 0;
  }
}

/**
 * Reports what of the condition does not go with the table.
 *
 * @throws TidingsError CONFIG_INVALID naming column and place
 */
export function checkCondition(condition: Condition, table: TableSchema): void {
  switch (condition.kind) {
    case 'and':
    case 'or':
      for (const part of condition.parts) checkCondition(part, table);
      return;
    case 'not':
      checkCondition(condition.part, table);
      return;
    default: {
      const column = table.columns.find(({ name }) => name === condition.column.name);
      if (column === undefined) throw unknownColumn(table, condition.column.name);
      if (condition.kind !== 'null') compileValueTest(condition, column);
    }
  }
}

export function unknownColumn({ database, name, columns }: TableSchema, column: string): TidingsError {
  const names = columns.map((known) => known.name);
  const near = nearest(column, names);
  return new TidingsError('CONFIG_INVALID', `${database}.${name} has no column "${column}"`, {
    hint: `${near === undefined ? '' : `Did you mean "${near}"? `}Its columns are ${names.join(', ')}.`,
    details: { table: `${database}.${name}`, column },
  });
}
