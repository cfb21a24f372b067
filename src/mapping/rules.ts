import { isTidingsError, TidingsError } from '../core/errors.ts';
import { parseTablePattern, type TablePattern } from '../core/table-pattern.ts';
import { parseWhere } from '../formats/log/where-parser.ts';
import { conditionExpression } from './condition.ts';
import { type ColumnRule, columnRule, placeMistakes, valueExpression } from './column-rules.ts';
import { asksForChange, checkCalls } from './expression/compile.ts';
import { understood } from './expression/comparisons.ts';
import { columnsOf, type Expression } from './expression/syntax.ts';
import { changeMistake } from './faults.ts';
import type { ColumnConfig, DeleteConfig, MappingConfig, MappingDefaults, RuleConfig } from './mapping-config.ts';
import { compileNamePatterns, compileRename, isName, type NameMatcher, type Renamer } from './naming.ts';
import { parseTargetPath, type TargetPath } from './target-path.ts';
import { parseTargetName, type TargetNames, type Template } from './template.ts';

/** A mapping as it was written, taken apart, but not yet joined with any table. */
export interface MappingRules {
  /** In their order: the first whose pattern matches a table has its rules. */
  readonly tables: readonly TableRules[];
  /** What is wrong in itself, whatever the tables. */
  readonly mistakes: readonly RuleMistake[];
}

export interface TableRules {
  readonly patternText: string;
  readonly pattern: TablePattern;
  /** The table, where the pattern means a single one. */
  readonly one: { readonly database: string; readonly name: string } | null;
  /** None: the tables are left out. */
  readonly rules: readonly Rule[];
}

export interface RuleMistake {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface Rule {
  /** For messages: the pattern, and which of its rules. */
  readonly label: string;
  readonly level: Level;
  /** What holds for a table's database and for the sink: asked when the rule has nothing to say. */
  readonly levelsAbove: (database: string) => readonly Level[];
  readonly where: Expression | null;
  readonly columns: readonly ColumnRule[];
  readonly include: NameMatcher | null;
  readonly rename: Renamer | null;
  /** Names of the target's columns; null: those that the table's key has become. */
  readonly key: readonly string[] | null;
  readonly merge: 'any' | 'disjoint' | null;
  /** The list in another table's document that rows are elements of. */
  readonly into: TargetPath | null;
  readonly elementKey: readonly string[] | null;
  /** The columns of the source that it reads; null: perhaps all. */
  readonly sourceColumns: ReadonlySet<string> | null;
  /** The columns of the source that `include` and `exclude` name, not by a pattern. */
  readonly named: { readonly include: readonly string[]; readonly exclude: readonly string[] };
}

/** What can be said at each level: sink, database, rule. */
export interface Level {
  readonly to: TargetNames | null;
  readonly exclude: NameMatcher;
  readonly renameDatabase: Renamer | null;
  readonly renameTable: Renamer | null;
  readonly renameColumn: Renamer | null;
  readonly onDelete: DeletePolicy | null;
  readonly nulls: 'keep' | 'omit' | null;
  readonly missing: 'leave' | 'fail' | null;
  readonly truncate: 'empty' | 'ignore' | null;
  readonly options: Readonly<Record<string, unknown>>;
}

export type DeletePolicy =
  | { readonly kind: 'delete' | 'ignore' }
  | { readonly kind: 'soft'; readonly values: readonly { readonly column: string; readonly expression: Expression }[] };

type Path = readonly (string | number)[];

/** Takes a mapping apart. Mistakes are collected, so that all are told at once. */
export function parseRules(config: MappingConfig): MappingRules {
  return new RulesParser(config).parse();
}

class RulesParser {
  readonly #config: MappingConfig;
  readonly #mistakes: RuleMistake[] = [];
  readonly #databases = new Map<string, Level>();

  constructor(config: MappingConfig) {
    this.#config = config;
  }

  parse(): MappingRules {
    const sink = this.#level(this.#config, []);
    for (const [name, defaults] of Object.entries(this.#config.databases ?? {})) {
      this.#databases.set(name, this.#level(defaults, ['databases', name]));
    }
    const tables = Object.entries(this.#config.tables ?? { '*': {} }).flatMap(([patternText, table]): TableRules[] => {
      const path: Path = ['tables', patternText];
      const pattern = this.#attempt(path, () => parseTablePattern(patternText));
      if (pattern === null) return [];
      const one = oneTable(patternText);
      if (table === 'skip') return [{ patternText, pattern, one, rules: [] }];
      const written = isList(table) ? table : [table];
      const rules = written.map((rule, index) =>
        this.#rule(rule, {
          path: isList(table) ? [...path, index] : path,
          label: written.length === 1 ? patternText : `${patternText}[${index}]`,
          sink,
        }),
      );
      return [{ patternText, pattern, one, rules }];
    });
    return { tables, mistakes: this.#mistakes };
  }

  #level(defaults: MappingDefaults, path: Path): Level {
    const { to, exclude = [], rename, nulls = null, missing = null, truncate = null, options = {} } = defaults;
    return {
      to: to === undefined ? null : this.#attempt([...path, 'to'], () => checkedTarget(to)),
      exclude: this.#attempt([...path, 'exclude'], () => compileNamePatterns(exclude)) ?? (() => false),
      renameDatabase: this.#renamer(rename?.databases, [...path, 'rename', 'databases']),
      renameTable: this.#renamer(rename?.tables, [...path, 'rename', 'tables']),
      renameColumn: this.#renamer(rename?.columns, [...path, 'rename', 'columns']),
      onDelete: this.#deletePolicy(defaults.delete, [...path, 'delete']),
      nulls,
      missing,
      truncate,
      options,
    };
  }

  #renamer(config: Parameters<typeof compileRename>[0], path: Path): Renamer | null {
    return config === undefined ? null : this.#attempt(path, () => compileRename(config));
  }

  #deletePolicy(config: DeleteConfig | undefined, path: Path): DeletePolicy | null {
    if (config === undefined) return null;
    if (typeof config === 'string') return { kind: config };
    const values = Object.entries(config.soft).flatMap(([column, value]) => {
      const expression = this.#attempt([...path, 'soft', column], () => valueExpression(value));
      return expression === null ? [] : [{ column, expression }];
    });
    if (values.length === 0) {
      this.#add([...path, 'soft'], 'names no column: a row that is no more must be told from the others');
    }
    return { kind: 'soft', values };
  }

  #rule(
    config: RuleConfig,
    { path, label, sink }: { readonly path: Path; readonly label: string; readonly sink: Level },
  ): Rule {
    const { rename, ...rest } = config;
    const keyColumns =
      config.key === undefined || isList(config.key) ? [] : this.#columns(config.key, [...path, 'key']);
    for (const { path: place } of keyColumns) {
      if (place.steps.length > 0) this.#add([...path, 'key', place.text], 'is inside a document, and no column');
    }
    const columns = [...keyColumns, ...this.#columns(config.columns ?? {}, [...path, 'columns'])];
    for (const { place, message } of placeMistakes(columns)) this.#add([...path, 'columns', place], message);
    const { where } = config;
    const rule: Rule = {
      label,
      level: this.#level(rest, path),
      levelsAbove: (database) => {
        const own = this.#databases.get(database);
        return own === undefined ? [sink] : [own, sink];
      },
      where:
        where === undefined
          ? null
          : this.#attempt([...path, 'where'], () => conditionExpression(understood(() => parseWhere(where)))),
      columns,
      include: this.#include(config.include, [...path, 'include']),
      rename: this.#renamer(rename, [...path, 'rename']),
      key:
        config.key === undefined ? null : isList(config.key) ? config.key : keyColumns.map((rule) => rule.path.column),
      merge: config.merge ?? null,
      into: config.into === undefined ? null : this.#attempt([...path, 'into'], () => listPath(config.into ?? '')),
      elementKey: config.elementKey ?? null,
      sourceColumns: null,
      named: { include: (config.include ?? []).filter(isName), exclude: (config.exclude ?? []).filter(isName) },
    };
    this.#checkElement(config, path);
    const levels = [rule.level, ...this.#databases.values(), sink];
    return { ...rule, sourceColumns: sourceColumnsOf(rule, config.include, levels) };
  }

  #include(include: readonly string[] | undefined, path: Path): NameMatcher | null {
    return include === undefined ? null : this.#attempt(path, () => compileNamePatterns(include));
  }

  #columns(config: Readonly<Record<string, ColumnConfig>>, path: Path): ColumnRule[] {
    return Object.entries(config).flatMap(([target, column]) => {
      const rule = this.#attempt([...path, target], () => columnRule(target, column));
      return rule === null ? [] : [rule];
    });
  }

  #checkElement(config: RuleConfig, path: Path): void {
    if (config.into === undefined) {
      if (config.elementKey !== undefined) this.#add([...path, 'elementKey'], 'goes with into alone');
      return;
    }
    if (config.key === undefined || isList(config.key)) {
      this.#add([...path, 'key'], 'an element needs the key of its document, as a map: { id: order_id }');
    }
    for (const name of ['delete', 'merge', 'missing', 'truncate'] as const) {
      const value = config[name];
      if (value !== undefined && value !== 'delete' && value !== 'ignore') {
        this.#add([...path, name], 'does not go with into');
      }
    }
  }

  #attempt<T>(path: Path, parse: () => T): T | null {
    try {
      return parse();
    } catch (error) {
      if (!isTidingsError(error)) throw error;
      this.#add(path, `${error.message}. ${error.hint}`);
      return null;
    }
  }

  #add(path: Path, message: string): void {
    this.#mistakes.push({ path, message });
  }
}

/** A name in backticks is not looked into: the table is then one of many. */
function oneTable(pattern: string): TableRules['one'] {
  const parts = /^([^.*`/]+)\.([^.*`/]+)$/.exec(pattern);
  return parts === null ? null : { database: parts[1] ?? '', name: parts[2] ?? '' };
}

function isList<T>(value: T): value is Extract<T, readonly unknown[]> {
  return Array.isArray(value);
}

function checkedTarget(text: string): TargetNames {
  const names = parseTargetName(text);
  for (const part of [...names.database, ...names.table]) {
    if (part.kind !== 'value') continue;
    checkCalls(part.expression);
    if (asksForChange(part.expression)) throw changeMistake("the target's name");
  }
  return names;
}

function listPath(text: string): TargetPath {
  const path = parseTargetPath(text);
  if (path.steps.at(-1) !== 0 || path.steps.slice(0, -1).some((step) => typeof step === 'number')) {
    throw new TidingsError('MAPPING_INVALID', `"${text}" is no list`, { hint: 'Write items[] or a.items[].' });
  }
  return path;
}

function sourceColumnsOf(
  { columns, where }: Rule,
  include: readonly string[] | undefined,
  levels: readonly Level[],
): ReadonlySet<string> | null {
  // A column that the table need not have cannot be asked for by name.
  const isOptional = columns.some(({ transforms }) => transforms.fallback !== null);
  if (include === undefined || !include.every(isName) || isOptional) return null;
  const expressions = [
    ...columns.map(({ expression }) => expression),
    ...(where === null ? [] : [where]),
    ...levels.flatMap(expressionsOf),
  ];
  return new Set([...include, ...expressions.flatMap((expression) => [...columnsOf(expression)])]);
}

function expressionsOf({ to, onDelete }: Level): Expression[] {
  const parts: Template = [...(to?.database ?? []), ...(to?.table ?? [])];
  const values = onDelete?.kind === 'soft' ? onDelete.values : [];
  return [
    ...parts.flatMap((part) => (part.kind === 'value' ? [part.expression] : [])),
    ...values.map(({ expression }) => expression),
  ];
}
