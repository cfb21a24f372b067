import { isTidingsError } from '../core/errors.ts';
import type { TableSchema } from '../core/table-schema.ts';
import { compileDocument, type Leaf } from './document.ts';
import { asksForChange, compileExpression, readerOf } from './expression/compile.ts';
import type { Compiled } from './expression/compiled.ts';
import { columnsOf } from './expression/syntax.ts';
import { ofColumn, TYPES } from './expression/value-type.ts';
import type { PlanColumn, PlanProblem } from './plan.ts';
import type { ColumnRule } from './column-rules.ts';
import { applyTransforms, fallbackOnly, type Transformed } from './transforms.ts';

/** Collects what does not go together, so that all of it is told at once. */
export class Problems {
  readonly list: PlanProblem[] = [];

  add(column: string | null, message: string, hint: string): void {
    this.list.push({ column, message, hint });
  }

  /** Null where it threw. */
  attempt<T>(column: string | null, compile: () => T): T | null {
    try {
      return compile();
    } catch (error) {
      if (!isTidingsError(error)) throw error;
      this.add(column, error.message, error.hint);
      return null;
    }
  }
}

export interface ColumnsRequest {
  readonly table: TableSchema;
  readonly rules: readonly ColumnRule[];
  /** Whether a column is passed on that no rule is about. */
  readonly passes: (name: string) => boolean;
  readonly rename: (name: string) => string;
  readonly nulls: 'keep' | 'omit';
}

/**
 * The columns of a target: those that are passed on, in the table's order, and those that rules make. What is made of a column of the source stands in its place, what
 * has the name of one that would be passed on instead of it, everything else at the end.
 */
export function compileColumns(
  { table, rules, passes, rename, nulls }: ColumnsRequest,
  problems: Problems,
): PlanColumn[] {
  const groups = Map.groupBy(rules, ({ path }) => path.column);
  const made = new Map<string, PlanColumn>();
  for (const [name, group] of groups) {
    const column = compileGroup(name, group, { table, nulls, problems });
    if (column !== null) made.set(name, column);
  }
  // A column that goes somewhere does not go there under its own name as well.
  const taken = new Set(rules.flatMap(({ from }) => (from === null ? [] : [from])));
  const columns: PlanColumn[] = [];
  const place = (name: string): void => {
    const column = made.get(name);
    if (column !== undefined) columns.push(column);
    made.delete(name);
  };
  for (const column of table.columns) {
    for (const [name, group] of groups) if (group.some(({ from }) => from === column.name)) place(name);
    if (taken.has(column.name) || !passes(column.name)) continue;
    const name = rename(column.name);
    if (groups.has(name)) place(name);
    else columns.push(copied(column.name, name, table));
  }
  for (const name of made.keys()) place(name);
  reportTwins(columns, problems);
  return columns;
}

function copied(from: string, name: string, { columns }: TableSchema): PlanColumn {
  const column = columns.find((known) => known.name === from);
  if (column === undefined) throw new RangeError(`there is no column ${from}`);
  return {
    name,
    evaluate: readerOf(from),
    copyOf: from,
    type: ofColumn(column),
    inputs: new Set([from]),
    isInjective: true,
    isOfChange: false,
    leaves: [],
  };
}

interface GroupContext {
  readonly table: TableSchema;
  readonly nulls: 'keep' | 'omit';
  readonly problems: Problems;
}

/** A column, or the document that it holds. */
function compileGroup(
  name: string,
  group: readonly ColumnRule[],
  { table, nulls, problems }: GroupContext,
): PlanColumn | null {
  const values = group.map((rule) => problems.attempt(rule.path.text, () => compileValue(rule, table)));
  const [rule] = group;
  const [value] = values;
  if (rule === undefined || value === undefined) return null;
  const inputs = new Set(group.flatMap(({ expression }) => [...columnsOf(expression)]));
  const isOfChange = group.some(({ expression }) => asksForChange(expression));
  if (rule.path.steps.length > 0) {
    if (values.includes(null)) return null;
    const leaves = group.map(({ path, expression }, index): Leaf => ({
      steps: path.steps,
      compiled: (values[index] as Transformed).compiled,
      inputs: columnsOf(expression),
    }));
    const evaluate = compileDocument(leaves, nulls);
    return { name, evaluate, copyOf: null, type: TYPES.json, inputs, isInjective: false, isOfChange, leaves };
  }
  if (value === null) return null;
  const { compiled, isCopy, isInjective } = value;
  if (compiled.type === null) {
    problems.add(name, 'its value is NULL, of no type', 'Give the column a cast.');
    return null;
  }
  return {
    name,
    evaluate: compiled.evaluate,
    copyOf: isCopy ? rule.from : null,
    // A copy is the column that it was, a calculated one an ordinary column.
    type: isCopy ? compiled.type : { ...compiled.type, generated: null, invisible: false },
    inputs,
    isInjective: isInjective && rule.from !== null,
    isOfChange,
    leaves: [],
  };
}

/** @throws TidingsError MAPPING_INVALID */
function compileValue({ from, expression, transforms }: ColumnRule, table: TableSchema): Transformed {
  const scope = { table };
  const { fallback } = transforms;
  const isThere = from === null || table.columns.some(({ name }) => name === from);
  if (!isThere && fallback !== null) {
    return { compiled: fallbackOnly(fallback, transforms, scope), isInjective: false, isCopy: false };
  }
  const source: Compiled = compileExpression(expression, scope);
  return applyTransforms(source, transforms, scope);
}

function reportTwins(columns: readonly PlanColumn[], problems: Problems): void {
  for (const [name, twins] of Map.groupBy(columns, (column) => column.name)) {
    if (twins.length < 2) continue;
    const sources = twins.map(({ copyOf, inputs }) => copyOf ?? [...inputs].join(', ')).join(' and ');
    problems.add(name, `it would have the values of ${sources}`, 'Give one of them another name, or exclude it.');
  }
}
