import type { TableSchema } from '../core/table-schema.ts';
import { compileExpression } from './expression/compile.ts';
import { type Compiled, type Evaluate, textOf } from './expression/compiled.ts';
import { columnsOf } from './expression/syntax.ts';
import { typeText } from './expression/value-type.ts';
import { expressionError, fault } from './faults.ts';
import type { Level, Rule } from './rules.ts';
import type { TargetName } from './targets.ts';
import { parseTargetName, type TargetNames, type Template } from './template.ts';

const DEFAULT_TARGET = parseTargetName('{database}.{table}');

/** What a rule says, and what holds where it says nothing: the innermost first. */
export function levelsOf(rule: Rule, database: string): readonly Level[] {
  return [rule.level, ...rule.levelsAbove(database)];
}

/** Those of all levels; of one that several give, the innermost counts. */
export function optionsOf(levels: readonly Level[]): Readonly<Record<string, unknown>> {
  return Object.assign({}, ...levels.map(({ options }) => options).toReversed()) as Record<string, unknown>;
}

function namesOf(levels: readonly Level[]): TargetNames {
  return levels.find(({ to }) => to !== null)?.to ?? DEFAULT_TARGET;
}

/** The target's name where no row has a say in it; null otherwise. */
export function staticTargetName(rule: Rule, table: TargetName): TargetName | null {
  const levels = levelsOf(rule, table.database);
  const names = namesOf(levels);
  const text = (template: Template): string | null => {
    const parts = template.map((part) =>
      part.kind === 'text' ? part.text : part.kind === 'value' ? null : renamed(part.kind, table, levels),
    );
    return parts.includes(null) ? null : parts.join('');
  };
  const [database, name] = [text(names.database), text(names.table)];
  return database === null || name === null ? null : { database, name };
}

/** The columns of the source that the target's name depends on. */
export function targetInputs(rule: Rule, database: string): string[] {
  const names = namesOf(levelsOf(rule, database));
  return [...names.database, ...names.table].flatMap((part) =>
    part.kind === 'value' ? [...columnsOf(part.expression)] : [],
  );
}

export type CompiledNames =
  | { readonly kind: 'one'; readonly name: TargetName }
  | { readonly kind: 'by value'; readonly of: <T>(make: (name: TargetName) => T) => TargetOf<T> };

/** Undefined: a column that it depends on was not logged. @throws ValueFault */
type TargetOf<T> = (...args: Parameters<Evaluate>) => T | undefined;

/** @throws TidingsError MAPPING_INVALID */
export function compileTargetNames(rule: Rule, table: TableSchema): CompiledNames {
  const name = staticTargetName(rule, table);
  if (name !== null) return { kind: 'one', name };
  const levels = levelsOf(rule, table.database);
  const names = namesOf(levels);
  const database = compileName(names.database, { table, levels });
  const bare = compileName(names.table, { table, levels });
  return { kind: 'by value', of: (make) => byValue({ database, name: bare }, make) };
}

interface NameContext {
  readonly table: TableSchema;
  readonly levels: readonly Level[];
}

function compileName(template: Template, { table, levels }: NameContext): Evaluate<string> {
  const parts = template.map((part): Evaluate<string> => {
    switch (part.kind) {
      case 'text':
        return () => part.text;
      case 'database':
      case 'table': {
        const name = renamed(part.kind, table, levels);
        return () => name;
      }
      case 'value':
        return nameValue(compileExpression(part.expression, { table }), part.expression.at);
    }
  });
  return (row, change) => {
    let name = '';
    for (const part of parts) {
      const text = part(row, change);
      if (text === undefined) return undefined;
      name += text;
    }
    return name;
  };
}

function renamed(kind: 'database' | 'table', { database, name }: TargetName, levels: readonly Level[]): string {
  const rename = levels
    .map((level) => (kind === 'database' ? level.renameDatabase : level.renameTable))
    .find((said) => said !== null);
  const given = kind === 'database' ? database : name;
  return rename === undefined ? given : rename(given);
}

/** @throws TidingsError MAPPING_INVALID when the value has no text */
function nameValue({ type, evaluate, label }: Compiled, at: number): Evaluate<string> {
  const text = type === null ? null : textOf(type);
  if (text === null) {
    throw expressionError(`${label} is ${type === null ? 'NULL' : typeText(type)}, which is no part of a name`, at);
  }
  return (row, change) => {
    const value = evaluate(row, change);
    if (value === undefined) return undefined;
    return value === null ? fault(`the target's name depends on ${label}, which is NULL`) : text(value);
  };
}

/** So many targets are remembered per rule; what comes after them costs the making of its definition again. */
const NAMES_MAX = 10_000;

function byValue<T>(
  nameOf: { readonly database: Evaluate<string>; readonly name: Evaluate<string> },
  make: (name: TargetName) => T,
): (...args: Parameters<Evaluate>) => T | undefined {
  const known = new Map<string, T>();
  return (row, change) => {
    const database = nameOf.database(row, change) ?? undefined;
    const name = nameOf.name(row, change) ?? undefined;
    if (database === undefined || name === undefined) return undefined;
    if (database === '' || name === '') return fault("the target's name is empty");
    const id = `${database.length} ${database}${name}`;
    let target = known.get(id);
    if (target === undefined) {
      if (known.size >= NAMES_MAX) known.clear();
      target = make({ database, name });
      known.set(id, target);
    }
    return target;
  };
}
