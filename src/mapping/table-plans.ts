import { TidingsError } from '../core/errors.ts';
import { rowShape } from '../core/rows/row-shape.ts';
import type { SinkTarget } from '../core/sink.ts';
import type { TableSchema } from '../core/table-schema.ts';
import { compilePlan } from './compile-plan.ts';
import { ElementProgram } from './element-program.ts';
import type { PlanProblem } from './plan.ts';
import { RowProgram } from './row-program.ts';
import type { RuleProgram } from './rule-program.ts';
import type { MappingRules, Rule, TableRules } from './rules.ts';
import { levelsOf, optionsOf, staticTargetName } from './target-names.ts';
import type { TargetName, Targets } from './targets.ts';

/** So many definitions and tables are remembered; more of them are compiled again. */
const PLANS_MAX = 4096;

export interface TablePlansOptions {
  readonly rules: MappingRules;
  readonly targets: Targets;
  readonly patches: boolean;
  readonly keepsKeys: boolean;
}

/** What the rules make of each table, compiled once per definition. */
export class TablePlans {
  readonly #options: TablePlansOptions;
  /** A definition comes as several objects, one per row shape: looked up by object first, then by content. */
  readonly #byObject = new WeakMap<TableSchema, readonly RuleProgram[]>();
  readonly #byContent = new Map<string, readonly RuleProgram[]>();
  /** The latest of each table. */
  readonly #latest = new Map<string, readonly RuleProgram[]>();

  constructor(options: TablePlansOptions) {
    this.#options = options;
  }

  /** None: the table's rows are left out. @throws TidingsError MAPPING_INVALID */
  of(table: TableSchema): readonly RuleProgram[] {
    const known = this.#byObject.get(table);
    if (known !== undefined) return known;
    const content = rowShape({ table, before: null, after: null }).text;
    let programs = this.#byContent.get(content);
    if (programs === undefined) {
      programs = this.#compile(table);
      if (this.#byContent.size >= PLANS_MAX) this.#byContent.clear();
      this.#byContent.set(content, programs);
    }
    this.#byObject.set(table, programs);
    const id = idOf(table.database, table.name);
    if (this.#latest.size >= PLANS_MAX) this.#latest.clear();
    this.#latest.set(id, programs);
    return programs;
  }

  /** The rules of a table. */
  rulesOf(database: string, table: string): readonly Rule[] {
    return rulesFor(this.#options.rules, { database, name: table })?.rules ?? [];
  }

  /** Whether the rules want nothing of a truncation of the table. */
  ignoresTruncation(database: string, table: string): boolean {
    return this.rulesOf(database, table).every(
      (rule) => truncationOf(rule, { database, name: table }).kind === 'nothing',
    );
  }

  /** What a truncation of the table empties. @throws TidingsError MAPPING_INVALID when that cannot be done */
  emptiedBy(database: string, table: string): readonly SinkTarget[] {
    const programs = this.#latest.get(idOf(database, table));
    return this.rulesOf(database, table).flatMap((rule, index): SinkTarget[] => {
      const wish = truncationOf(rule, { database, name: table });
      if (wish.kind === 'nothing') return [];
      if (wish.kind === 'impossible') {
        throw new TidingsError(
          'MAPPING_INVALID',
          `${database}.${table} was truncated, and ${wish.why} (rule ${rule.label})`,
          {
            hint: 'Take its rows out of the target by hand and say `truncate: ignore` in the rule; `truncate: empty` empties a target that other tables share.',
            details: { table: `${database}.${table}`, rule: rule.label },
          },
        );
      }
      const known = programs?.[index]?.plan.target;
      if (known?.kind === 'one') return [known.target];
      // Nobody has seen a row of it yet: the name is all that is known, and all that it takes.
      const form = { columns: [], key: [], options: optionsOf(levelsOf(rule, database)), patched: [] };
      const owner = { table: `${database}.${table}`, rule: rule.label, merge: rule.merge };
      return [this.#options.targets.of(wish.name, form, owner)];
    });
  }

  #compile(table: TableSchema): readonly RuleProgram[] {
    const { rules, targets, patches, keepsKeys } = this.#options;
    const found = rulesFor(rules, table);
    return (found?.rules ?? []).map((rule) => {
      const isForOne = found?.one !== null;
      const { plan, problems } = compilePlan({ rule, table, isForOne, targets, patches, keepsKeys });
      if (plan === null) throw mismatch(table, rule, problems);
      return plan.element === null ? new RowProgram(plan) : new ElementProgram(plan, plan.element);
    });
  }
}

/** The first pattern that matches counts. */
export function rulesFor({ tables }: MappingRules, { database, name }: TargetName): TableRules | undefined {
  return tables.find(({ pattern }) => pattern.matches(database, name));
}

export type Truncation =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'target'; readonly name: TargetName }
  | { readonly kind: 'impossible'; readonly why: string };

/** What a rule wants of a truncation of a table. */
export function truncationOf(rule: Rule, table: TargetName): Truncation {
  const levels = levelsOf(rule, table.database);
  const truncate = levels.map((level) => level.truncate).find((said) => said !== null);
  const policy = levels.map(({ onDelete }) => onDelete?.kind).find((kind) => kind !== undefined) ?? 'delete';
  if (truncate === 'ignore' || (policy === 'ignore' && truncate === undefined)) return { kind: 'nothing' };
  const name = staticTargetName(rule, table);
  if (rule.into !== null) return { kind: 'impossible', why: "its rows are elements of another table's documents" };
  if (name === null) return { kind: 'impossible', why: 'its rows are in targets that depend on their values' };
  if (truncate === undefined && policy === 'soft') {
    return { kind: 'impossible', why: 'its rows are marked, not deleted' };
  }
  if (truncate === undefined && rule.merge !== null) {
    return { kind: 'impossible', why: "other tables' rows are in its target, too" };
  }
  return { kind: 'target', name };
}

function mismatch(table: TableSchema, rule: Rule, problems: readonly PlanProblem[]): TidingsError {
  const name = `${table.database}.${table.name}`;
  const [first] = problems;
  const more = problems.length > 1 ? `, and ${problems.length - 1} more` : '';
  return new TidingsError(
    'MAPPING_INVALID',
    `${name} does not go with rule ${rule.label}: ${problemText(first)}${more}`,
    {
      ...(first === undefined ? {} : { hint: first.hint }),
      details: {
        table: name,
        rule: rule.label,
        ...(typeof first?.column === 'string' ? { column: first.column } : {}),
      },
    },
  );
}

export function problemText(problem: PlanProblem | undefined): string {
  if (problem === undefined) return '';
  return problem.column === null ? problem.message : `column "${problem.column}": ${problem.message}`;
}

function idOf(database: string, table: string): string {
  return JSON.stringify([database, table]);
}
