import { TidingsError } from '../core/errors.ts';
import { rowShape } from '../core/rows/row-shape.ts';
import type { SinkTarget } from '../core/sink.ts';
import type { TableSchema } from '../core/table-schema.ts';

/** What a target is, beside its name. */
export interface TargetForm {
  readonly columns: TableSchema['columns'];
  readonly key: TableSchema['key'];
  readonly options: Readonly<Record<string, unknown>>;
  readonly patched: readonly string[];
}

export interface TargetName {
  readonly database: string;
  readonly name: string;
}

/** Whose rows a target gets. */
export interface TargetOwner {
  /** `database.table` of the source. */
  readonly table: string;
  /** The rule's label. */
  readonly rule: string;
  /** What the rule says of other rows there; null: that there are none. */
  readonly merge: 'any' | 'disjoint' | null;
}

/** So many definitions are remembered; a mapping with more hands out some of them anew, which costs their sinks a look. */
const TARGETS_MAX = 10_000;

/** The targets of a sink: one object for each definition, whoever asks for it. */
export class Targets {
  readonly #byContent = new Map<string, SinkTarget>();
  readonly #owners = new Map<string, Map<string, TargetOwner>>();

  /** @throws TidingsError MAPPING_INVALID when two tables or rules share a target that nobody has said so of */
  of({ database, name }: TargetName, form: TargetForm, owner: TargetOwner): SinkTarget {
    this.#own({ database, name }, owner);
    const { columns, key, options, patched } = form;
    const table: TableSchema = { database, name, columns, key };
    const isShared = owner.merge !== null;
    const content = JSON.stringify([rowShape({ table, before: null, after: null }).text, options, patched, isShared]);
    const known = this.#byContent.get(content);
    if (known !== undefined) return known;
    if (this.#byContent.size >= TARGETS_MAX) this.#byContent.clear();
    const target: SinkTarget = {
      table,
      options,
      ...(patched.length === 0 ? {} : { patched }),
      ...(isShared ? { isShared } : {}),
    };
    this.#byContent.set(content, target);
    return target;
  }

  #own({ database, name }: TargetName, owner: TargetOwner): void {
    const id = JSON.stringify([database, name]);
    let owners = this.#owners.get(id);
    if (owners === undefined) {
      if (this.#owners.size >= TARGETS_MAX) this.#owners.clear();
      owners = new Map();
      this.#owners.set(id, owners);
    }
    owners.set(`${owner.table} ${owner.rule}`, owner);
    const all = [...owners.values()];
    if (all.length === 1) return;
    const tables = new Set(all.map(({ table }) => table));
    const details = { target: `${database}.${name}` };
    if (all.some(({ merge }) => merge === null)) {
      const rows = tables.size > 1 ? [...tables].join(' and ') : `${owner.table} by two rules`;
      throw new TidingsError('MAPPING_INVALID', `rows of ${rows} go to one target, ${database}.${name}`, {
        hint: 'Give them targets of their own with `to`, or say in all of their rules `merge: disjoint` (their keys never meet) or `merge: any` (of several tables).',
        details,
      });
    }
    // A row that one rule lets go and another one takes would be gone: which of the two comes first depends on their order.
    if (tables.size < all.length && all.some(({ merge }) => merge === 'any')) {
      throw new TidingsError('MAPPING_INVALID', `two rules of one table go to one target, ${database}.${name}`, {
        hint: 'Their keys must never meet: say `merge: disjoint` in both, or make one rule of them.',
        details,
      });
    }
  }
}
