import type { Finding } from '../core/finding.ts';
import { isTidingsError } from '../core/errors.ts';
import type { TableSchema } from '../core/table-schema.ts';
import { compilePlan } from './compile-plan.ts';
import { HookRows } from './hook-rows.ts';
import type { MappingHooks } from './hooks.ts';
import type { MappingConfig } from './mapping-config.ts';
import type { RulePlan } from './plan.ts';
import { type MappingRules, parseRules, type Rule } from './rules.ts';
import { problemText, rulesFor, truncationOf } from './table-plans.ts';
import { Targets } from './targets.ts';

export interface CheckMappingOptions {
  /** The tables that are known, as they stand. */
  readonly tables: readonly TableSchema[];
  readonly hooks?: MappingHooks;
  /** Whether the sink can change parts of documents. */
  readonly patches?: boolean;
}

/** Joins a mapping with the tables that there are, and says everything that does not go together before the first row does. */
export function checkMapping(
  mapping: MappingConfig,
  { tables, hooks = {}, patches = false }: CheckMappingOptions,
): Finding[] {
  const rules = parseRules(mapping);
  if (rules.mistakes.length > 0) {
    return rules.mistakes.map(({ path, message }) =>
      finding('error', 'MAPPING_INVALID', { message: `${path.join('.')}: ${message}` }),
    );
  }
  const targets = new Targets();
  let extend = (table: TableSchema): TableSchema => table;
  try {
    const rows = new HookRows(hooks, targets);
    extend = (table) => rows.extend(table);
  } catch (error) {
    if (!isTidingsError(error)) throw error;
    return [finding('error', error.code, { message: `hooks: ${error.message}`, cure: error.hint })];
  }
  const isMappedByHook = hooks.map !== undefined || hooks.mapBatch !== undefined;
  const findings: Finding[] = [...unmatched(rules, tables), ...unknownExclusions(rules, tables)];
  let mapped = 0;
  for (const table of tables) {
    const found = rulesFor(rules, table);
    if (found === undefined || found.rules.length === 0) continue;
    mapped += 1;
    if (isMappedByHook) continue;
    for (const rule of found.rules) {
      const result = compilePlan({
        rule,
        table: extend(table),
        isForOne: found.one !== null,
        targets,
        patches,
        keepsKeys: hooks.keepsKeys !== false,
      });
      const name = `${table.database}.${table.name}`;
      for (const problem of result.problems) {
        findings.push(
          finding('error', 'MAPPING_INVALID', {
            message: `${name}, rule ${rule.label}: ${problemText(problem)}`,
            cure: problem.hint,
          }),
        );
      }
      if (result.plan !== null) findings.push(...drawbacks(result.plan, rule, name));
    }
  }
  if (findings.some(({ level }) => level !== 'ok')) return findings;
  return [...findings, finding('ok', 'MAPPING', { message: `${mapped} of ${tables.length} tables are mapped` })];
}

/** Patterns that no table has come to. */
function unmatched({ tables: patterns }: MappingRules, tables: readonly TableSchema[]): Finding[] {
  return patterns.flatMap(({ pattern, patternText }, index) => {
    const matching = tables.filter(({ database, name }) => pattern.matches(database, name));
    const isFirst = ({ database, name }: TableSchema): boolean =>
      !patterns.slice(0, index).some((earlier) => earlier.pattern.matches(database, name));
    if (matching.some(isFirst)) return [];
    if (matching.length > 0) {
      const message = `every table that ${patternText} matches is matched by a pattern before it, whose rules count`;
      return [finding('warning', 'MAPPING_SHADOWED', { message, cure: 'Put the narrower pattern first.' })];
    }
    return [finding('warning', 'MAPPING_UNMATCHED', { message: `${patternText} matches no table that is known` })];
  });
}

/** A name that no table has may be misspelt, and the column that was meant pass on. */
function unknownExclusions(rules: MappingRules, tables: readonly TableSchema[]): Finding[] {
  return rules.tables.flatMap((entry) => {
    const own = tables.filter((table) => rulesFor(rules, table) === entry);
    const known = new Set(own.flatMap(({ columns }) => columns.map(({ name }) => name)));
    const unknown =
      own.length === 0
        ? []
        : entry.rules.flatMap(({ label, named }) =>
            named.exclude.filter((name) => !known.has(name)).map((name) => ({ label, name })),
          );
    return unknown.map(({ label, name }) =>
      finding('warning', 'MAPPING_UNMATCHED', {
        message: `rule ${label} excludes "${name}", and none of its tables has such a column`,
      }),
    );
  });
}

function drawbacks({ keepsKey, pickKey, table }: RulePlan, rule: Rule, name: string): Finding[] {
  const findings: Finding[] = [];
  if (!keepsKey && pickKey !== null && table.key.length > 0) {
    const message = `rows of ${name} (rule ${rule.label}) are written one after the other: the target's key does not follow from the table's alone`;
    findings.push(finding('warning', 'MAPPING_SERIAL', { message }));
  }
  const truncation = truncationOf(rule, table);
  if (truncation.kind === 'impossible') {
    const message = `a truncation of ${name} will stop the sink (rule ${rule.label}): ${truncation.why}`;
    findings.push(finding('warning', 'MAPPING_TRUNCATE', { message, cure: 'truncate: ignore' }));
  }
  return findings;
}

function finding(
  level: Finding['level'],
  code: string,
  { message, cure = null }: { readonly message: string; readonly cure?: string | null },
): Finding {
  return { level, code, message, cure };
}
