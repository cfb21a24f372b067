import { TidingsError } from '../core/errors.ts';
import { keyNames } from '../core/plain-rows.ts';
import type { Column, TableSchema } from '../core/table-schema.ts';
import { type ColumnsRequest, compileColumns, Problems } from './compile-columns.ts';
import { compileDocument, isPatchable, leafWriter } from './document.ts';
import { castMistake, compileCast } from './expression/casts.ts';
import { asksForChange, compileExpression } from './expression/compile.ts';
import { type Compiled, constantOf, type Evaluate, valueOf } from './expression/compiled.ts';
import { columnsOf, type Expression } from './expression/syntax.ts';
import { TYPES, typeText, type ValueType } from './expression/value-type.ts';
import { changeMistake } from './faults.ts';
import type { Condition, ElementPlan, PlanColumn, PlanResult, PlanTarget, RulePlan } from './plan.ts';
import { compileKey, compilePresence, type ImageColumn, RowImage } from './row-image.ts';
import type { DeletePolicy, Level, Rule } from './rules.ts';
import type { TargetForm, TargetOwner, Targets } from './targets.ts';
import { compileTargetNames, levelsOf, optionsOf, targetInputs } from './target-names.ts';

export interface PlanRequest {
  readonly rule: Rule;
  readonly table: TableSchema;
  /** The rule is for this table alone, so that what it names must be there. */
  readonly isForOne: boolean;
  readonly targets: Targets;
  /** Whether the sink can change parts of documents. */
  readonly patches: boolean;
  /** False: hooks change keys as they like. */
  readonly keepsKeys: boolean;
}

/** Joins a rule with a table. What does not go together is told all at once. */
export function compilePlan(request: PlanRequest): PlanResult {
  return new PlanCompiler(request).compile();
}

const DELETE: DeletePolicy = { kind: 'delete' };

class PlanCompiler {
  readonly #request: PlanRequest;
  readonly #rule: Rule;
  readonly #table: TableSchema;
  readonly #levels: readonly Level[];
  readonly #policy: DeletePolicy;
  readonly #problems = new Problems();

  constructor(request: PlanRequest) {
    this.#request = request;
    this.#rule = request.rule;
    this.#table = request.table;
    this.#levels = levelsOf(request.rule, request.table.database);
    this.#policy = this.#said(({ onDelete }) => onDelete) ?? DELETE;
  }

  compile(): PlanResult {
    const rule = this.#rule;
    const problems = this.#problems;
    this.#checkInclude();
    const made = compileColumns(this.#columnsRequest(), problems);
    const markers = this.#markers(made);
    const columns = [...made, ...markers.added];
    const key = this.#key(columns);
    this.#checkNames(columns, { key, markers: markers.values });
    const condition = this.#condition();
    const element = rule.into === null ? null : this.#element(columns, key);
    const shown = element === null ? columns : columns.filter(({ name }) => key.includes(name));
    const patched = this.#patched(shown);
    const target = this.#target(this.#form(shown, { key, patched }));
    if (problems.list.length > 0 || target === null) return { plan: null, problems: problems.list };
    const image = new RowImage(
      shown,
      this.#table.columns.map(({ name }) => name),
    );
    const inputs = new Set([
      ...columns.flatMap((column) => [...column.inputs]),
      ...(condition?.inputs ?? []),
      ...targetInputs(rule, this.#table.database),
    ]);
    const plan: RulePlan = {
      rule,
      table: this.#table,
      image,
      calculated: shown.filter(({ copyOf }) => copyOf === null),
      pickKey: key.length === 0 ? null : compileKey(key),
      keepsKey: this.#request.keepsKeys && this.#keepsKey(columns, key),
      condition,
      target,
      policy: this.#policy.kind,
      markers: this.#policy.kind === 'soft' ? new RowImage(markers.values, []) : null,
      missing: this.#said(({ missing }) => missing) ?? 'leave',
      mayBeThere: rule.merge === 'any' || rule.into !== null || this.#policy.kind !== 'delete',
      hasInputs: compilePresence([...inputs]),
      element,
      patches: patched.length > 0,
      nulls: this.#said(({ nulls }) => nulls) ?? 'keep',
    };
    return { plan, problems: [] };
  }

  /** What the innermost level says that says something. */
  #said<T>(ask: (level: Level) => T | null): T | null {
    for (const level of this.#levels) {
      const answer = ask(level);
      if (answer !== null) return answer;
    }
    return null;
  }

  /** A rule for many tables may name columns that only some of them have. */
  #checkInclude(): void {
    if (!this.#request.isForOne) return;
    const names = this.#table.columns.map(({ name }) => name);
    for (const name of this.#rule.named.include) {
      if (names.includes(name)) continue;
      const { database, name: table } = this.#table;
      this.#problems.add(
        name,
        `${database}.${table} has no such column to include`,
        `Its columns are ${names.join(', ')}.`,
      );
    }
  }

  #columnsRequest(): ColumnsRequest {
    const { include, rename, columns } = this.#rule;
    const isExcluded = (name: string): boolean => this.#levels.some(({ exclude }) => exclude(name));
    return {
      table: this.#table,
      rules: columns,
      passes: (name) => !isExcluded(name) && (include === null || include(name)),
      rename: rename ?? this.#said(({ renameColumn }) => renameColumn) ?? ((name) => name),
      nulls: this.#said(({ nulls }) => nulls) ?? 'keep',
    };
  }

  /** The names of the target's key. */
  #key(columns: readonly PlanColumn[]): readonly string[] {
    const { key } = this.#rule;
    if (key !== null) {
      for (const name of key) this.#checkKeyColumn(name, columns);
      return key;
    }
    const names: string[] = [];
    for (const source of keyNames(this.#table)) {
      const fits = columns.filter((column) => isMadeOf(column, source));
      const column = fits.find(({ copyOf }) => copyOf === source) ?? fits[0];
      if (column !== undefined) names.push(column.name);
      else {
        this.#problems.add(
          source,
          `"${source}" of the table's key is not in the target, or not so that its values stay different`,
          `Let it through, if need be with columns: { ${source}: ${source} }, or name the columns of the target that tell its rows apart: key: [a, b].`,
        );
      }
    }
    return names;
  }

  #checkNames(
    columns: readonly PlanColumn[],
    { key, markers }: { readonly key: readonly string[]; readonly markers: readonly ImageColumn[] },
  ): void {
    for (const { name, inputs } of columns) {
      if (name !== '') continue;
      this.#problems.add(null, `what is made of ${[...inputs].join(', ')} would have no name`, 'Mend the renaming.');
    }
    for (const [index, name] of key.entries()) {
      if (key.indexOf(name) < index) this.#problems.add(name, 'it is in the key twice', 'Name it once.');
    }
    for (const { name } of markers) {
      if (!key.includes(name)) continue;
      this.#problems.add(
        name,
        'it is part of the key: a row that is no more would be another row',
        'Mark such rows in a column of their own.',
      );
    }
  }

  #checkKeyColumn(name: string, columns: readonly PlanColumn[]): void {
    const column = columns.find((known) => known.name === name);
    if (column === undefined) {
      const names = columns.map((known) => known.name).join(', ');
      this.#problems.add(name, 'the target has no such column for its key', `Its columns are ${names}.`);
    } else if (column.isOfChange) {
      this.#problems.attempt(name, () => {
        throw changeMistake('the key');
      });
    } else if (column.type.type === 'json' || column.type.type === 'vector') {
      this.#problems.add(name, `it is ${typeText(column.type)} and cannot be part of a key`, 'Name another column.');
    }
  }

  /** Whether rows of one target key come from one key of the table, and this table alone. */
  #keepsKey(columns: readonly PlanColumn[], key: readonly string[]): boolean {
    if (this.#rule.merge === 'any' || this.#rule.into !== null) return false;
    const source = keyNames(this.#table);
    const parts = columns.filter(({ name }) => key.includes(name));
    return (
      source.length > 0 &&
      parts.every(({ inputs }) => [...inputs].every((input) => source.includes(input))) &&
      source.every((name) => parts.some((part) => isMadeOf(part, name)))
    );
  }

  #condition(): Condition | null {
    const { where } = this.#rule;
    if (where === null) return null;
    const compiled = this.#problems.attempt(null, () => compileExpression(where, { table: this.#table }));
    return compiled === null ? null : { evaluate: compiled.evaluate as Evaluate<0 | 1>, inputs: columnsOf(where) };
  }

  /** The values of a row that is no more, and the columns for them that the target would not have without. */
  #markers(columns: readonly PlanColumn[]): {
    readonly values: readonly ImageColumn[];
    readonly added: readonly PlanColumn[];
  } {
    if (this.#policy.kind !== 'soft') return { values: [], added: [] };
    const values: ImageColumn[] = [];
    const added: PlanColumn[] = [];
    for (const { column: name, expression } of this.#policy.values) {
      const known = columns.find((column) => column.name === name);
      const marker = this.#problems.attempt(name, () => compileExpression(expression, { table: this.#table }));
      if (marker === null) continue;
      const value = known === undefined ? marker : this.#castTo(marker, known);
      if (value === null) continue;
      values.push({ name, evaluate: value.evaluate, copyOf: null });
      if (known !== undefined) continue;
      if (marker.type === null) {
        this.#problems.add(
          name,
          'NULL is what a row that is there has, too',
          'Give a value that tells it from the others.',
        );
      } else added.push(aliveColumn(name, expression, marker.type));
    }
    return { values, added };
  }

  #castTo(value: Compiled, { name, type }: PlanColumn): Compiled | null {
    const wanted = { type, text: typeText(type) };
    const hint = 'Give a value of the type that the column has.';
    return this.#problems.attempt(name, () => {
      const cast = compileCast(value, wanted);
      if (cast === null) throw new TidingsError('MAPPING_INVALID', castMistake(value, wanted), { hint });
      return cast;
    });
  }

  #element(columns: readonly PlanColumn[], key: readonly string[]): ElementPlan | null {
    const { into, elementKey } = this.#rule;
    if (into === null) return null;
    if (!this.#request.patches) {
      this.#problems.add(null, 'the sink cannot change a part of a document', 'Give the table a target of its own.');
    }
    if (this.#policy.kind === 'soft') {
      this.#problems.add(null, 'elements are removed, not marked', 'Set delete: delete.');
    }
    const members = columns.filter(({ name }) => !key.includes(name));
    const inKey = new Set(columns.filter(({ name }) => key.includes(name)).flatMap(({ inputs }) => [...inputs]));
    const names =
      elementKey ??
      keyNames(this.#table)
        .filter((name) => !inKey.has(name))
        .map((source) => members.find((member) => isMadeOf(member, source))?.name ?? source);
    const keyMembers = names.flatMap((name) => {
      const member = members.find((known) => known.name === name);
      if (member === undefined) {
        this.#problems.add(
          name,
          'the element has no such member to tell it from the others',
          `Its members are ${members.map((known) => known.name).join(', ')}.`,
        );
      } else if (member.isOfChange || member.type.type === 'json') {
        this.#problems.add(name, 'it cannot tell an element from the others', 'Name a column whose value stays.');
      }
      return member === undefined ? [] : [{ name, write: leafWriter(compiledOf(member)) }];
    });
    if (names.length === 0) {
      this.#problems.add(
        null,
        'nothing tells one element from another',
        'Name the members that do: elementKey: [line].',
      );
    }
    const leaves = members.map((member) => ({
      steps: [member.name],
      compiled: compiledOf(member),
      inputs: member.inputs,
    }));
    const nulls = this.#said((level) => level.nulls) ?? 'keep';
    return {
      path: [into.column, ...into.steps.filter((step) => typeof step === 'string')],
      write: compileDocument(leaves, nulls),
      key: keyMembers,
    };
  }

  /** The columns of which rows may bring parts only. */
  #patched(columns: readonly PlanColumn[]): readonly string[] {
    if (!this.#request.patches) return [];
    if (this.#rule.into !== null) return [this.#rule.into.column];
    return columns.filter(({ leaves }) => isPatchable(leaves)).map(({ name }) => name);
  }

  #form(
    columns: readonly PlanColumn[],
    { key, patched }: { readonly key: readonly string[]; readonly patched: readonly string[] },
  ): TargetForm {
    const definitions = columns.map(({ name, type }): Column =>
      definitionOf(name, type, { isKey: key.includes(name) }),
    );
    const document =
      this.#rule.into === null ? [] : [definitionOf(this.#rule.into.column, TYPES.json, { isKey: false })];
    return {
      columns: [...definitions, ...document],
      key: key.map((name) => definitions.findIndex((column) => column.name === name)),
      options: optionsOf(this.#levels),
      patched,
    };
  }

  #target(form: TargetForm): PlanTarget | null {
    const { targets } = this.#request;
    const names = this.#problems.attempt(null, () => compileTargetNames(this.#rule, this.#table));
    if (names === null || this.#problems.list.length > 0) return null;
    const owner: TargetOwner = {
      table: `${this.#table.database}.${this.#table.name}`,
      rule: this.#rule.label,
      merge: this.#rule.into === null ? this.#rule.merge : 'any',
    };
    if (names.kind === 'by value') return { kind: 'by value', of: names.of((name) => targets.of(name, form, owner)) };
    const target = this.#problems.attempt(null, () => targets.of(names.name, form, owner));
    return target === null ? null : { kind: 'one', target };
  }
}

/** Whether its values are those of one column of the source, in a form that keeps them different. */
function isMadeOf({ inputs, isInjective }: PlanColumn, source: string): boolean {
  return isInjective && inputs.size === 1 && inputs.has(source);
}

function compiledOf({ name, type, evaluate }: PlanColumn): Compiled {
  return valueOf(type, evaluate, `"${name}"`);
}

/** What a mapping makes of a column can always be stored: it is no generated one, and NULL is no part of a key. */
function definitionOf(name: string, valueType: ValueType, { isKey }: { readonly isKey: boolean }): Column {
  const { isBoolean: _, ...type } = valueType;
  return { ...type, name, nullable: type.nullable && !isKey, generated: null };
}

/** The value of a marker while the row is there: the other one of true and false, of 1 and 0; otherwise NULL. */
function aliveColumn(name: string, marker: Expression, type: ValueType): PlanColumn {
  const alive =
    marker.kind === 'boolean'
      ? Number(!marker.value)
      : marker.kind === 'number' && /^[01]$/.test(marker.text)
        ? 1 - Number(marker.text)
        : null;
  const { evaluate } = constantOf(alive, { ...type, nullable: alive === null }, { kind: 'null', at: 0 });
  return {
    name,
    evaluate,
    copyOf: null,
    type: { ...type, nullable: alive === null },
    inputs: new Set(),
    isInjective: false,
    isOfChange: asksForChange(marker),
    leaves: [],
  };
}
