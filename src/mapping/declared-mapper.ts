import type { StreamChange } from '../core/consumer.ts';
import { isTidingsError, TidingsError } from '../core/errors.ts';
import type { MappedRow } from '../core/mapper.ts';
import type { SinkTarget } from '../core/sink.ts';
import type { TableSchema } from '../core/table-schema.ts';
import { ValueFault } from './faults.ts';
import type { RulePlan } from './plan.ts';
import { requestedColumns } from './requested-columns.ts';
import { presenceOf, type RuleProgram } from './rule-program.ts';
import type { MappingRules } from './rules.ts';
import type { TablePlans } from './table-plans.ts';
import type { LeftOut, LeftOutReason, MappingTrace, TracingMapper } from './trace.ts';

/** The rules alone. */
export class DeclaredMapper implements TracingMapper {
  readonly tables: readonly string[];
  readonly columns: Readonly<Record<string, readonly string[]>> | null;
  readonly #plans: TablePlans;

  constructor(rules: MappingRules, plans: TablePlans) {
    this.tables = rules.tables.filter((table) => table.rules.length > 0).map(({ patternText }) => patternText);
    this.columns = requestedColumns(rules);
    this.#plans = plans;
  }

  map(change: StreamChange): readonly MappedRow[] {
    const programs = this.#plans.of(change.table);
    const rows: MappedRow[] = [];
    for (let i = 0; i < programs.length; i++) {
      const program = programs[i] as RuleProgram;
      try {
        program.map(change, rows);
      } catch (error) {
        throw rowError(error, program, change);
      }
    }
    return rows;
  }

  passing(table: TableSchema): SinkTarget | null {
    const programs = this.#plans.of(table);
    const [program] = programs;
    if (program === undefined || programs.length > 1) return null;
    return program.plan.target.kind === 'one' && isPassing(program.plan) ? program.plan.target.target : null;
  }

  selects(database: string, table: string): boolean {
    return this.#plans.rulesOf(database, table).length > 0;
  }

  trace(change: StreamChange): MappingTrace {
    const rows: MappedRow[] = [];
    const leftOut: LeftOut[] = [];
    for (const program of this.#plans.of(change.table)) {
      const made = rows.length;
      try {
        program.map(change, rows);
      } catch (error) {
        throw rowError(error, program, change);
      }
      if (rows.length > made) continue;
      leftOut.push({ rule: program.plan.rule.label, hook: null, reason: reasonFor(program, change) });
    }
    return { rows, leftOut };
  }

  targetsOf(database: string, table: string): readonly SinkTarget[] {
    return this.#plans.emptiedBy(database, table);
  }
}

/** Whether each change of the table is, as it is, one of the target's. */
function isPassing({ rule, image, pickKey, keepsKey, condition, policy, mayBeThere, element }: RulePlan): boolean {
  const isRowsOwn = image.isIdentity && pickKey !== null && keepsKey && element === null;
  return isRowsOwn && condition === null && policy === 'delete' && !mayBeThere && rule.merge === null;
}

/** Why a rule made nothing of a change. */
function reasonFor({ plan }: RuleProgram, change: StreamChange): LeftOutReason {
  const { before } = change;
  const wasIn = before !== null && presenceOf(plan, before, change) !== false;
  return wasIn && plan.policy === 'ignore' ? 'delete' : 'where';
}

/** Says which column it is about: the rows' functions do not keep account of it while all goes well. */
function rowError(error: unknown, { plan }: RuleProgram, change: StreamChange): unknown {
  if (isTidingsError(error)) return error;
  const after = change.after === null ? null : { ...change.before, ...change.after };
  const image = after ?? change.before ?? {};
  // What failed may have been the condition, the key or the target's name instead.
  const first = plan.image.firstFault(image, change);
  const found = first !== null && reasonOf(first.error) === reasonOf(error) ? first : null;
  const table = `${change.table.database}.${change.table.name}`;
  const column = found?.column;
  const where = column === undefined ? '' : ` column "${column}":`;
  return new TidingsError('MAPPING_FAILED', `a row of ${table}, rule ${plan.rule.label}:${where} ${reasonOf(error)}`, {
    details: { table, rule: plan.rule.label, scn: change.scn, ...(column === undefined ? {} : { column }) },
  });
}

/** What the language throws may quote a value (I10). */
function reasonOf(error: unknown): string {
  return error instanceof ValueFault ? error.reason : 'a value is not of the type that its column has';
}
