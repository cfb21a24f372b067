import type { Row } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import type { NestedPath, SinkTarget } from '../core/sink.ts';
import type { TableSchema } from '../core/table-schema.ts';
import type { Leaf, WriteDocument } from './document.ts';
import type { Evaluate } from './expression/compiled.ts';
import type { ValueType } from './expression/value-type.ts';
import type { ImageColumn, PickKey, RowImage } from './row-image.ts';
import type { Rule } from './rules.ts';

/** A rule joined with one definition of a table: what is done with its rows. */
export interface RulePlan {
  readonly rule: Rule;
  readonly table: TableSchema;
  readonly image: RowImage;
  /** The columns that are calculated, beside those that are copied. */
  readonly calculated: readonly PlanColumn[];
  /** Null for a target without a key. */
  readonly pickKey: PickKey | null;
  readonly keepsKey: boolean;
  readonly condition: Condition | null;
  readonly target: PlanTarget;
  readonly policy: 'delete' | 'ignore' | 'soft';
  /** With `soft`: the values of a row that is no more. */
  readonly markers: RowImage | null;
  readonly missing: 'leave' | 'fail';
  /** A row may be there already that this table knows nothing of: another table's, or one that is no more. */
  readonly mayBeThere: boolean;
  /** Whether a row of the source has all that is read of it. */
  readonly hasInputs: (row: Row) => boolean;
  /** Set where rows are elements of another table's documents. */
  readonly element: ElementPlan | null;
  /** Parts of documents can be passed on where the whole is not known. */
  readonly patches: boolean;
  /** Whether members that are NULL are in documents. */
  readonly nulls: 'keep' | 'omit';
}

/** A column of a target, and what its value is made of. */
export interface PlanColumn extends ImageColumn {
  readonly type: ValueType;
  /** The columns of the source that it reads. */
  readonly inputs: ReadonlySet<string>;
  /** Two values of its one input are never the same here. */
  readonly isInjective: boolean;
  /** It differs from change to change of one row. */
  readonly isOfChange: boolean;
  /** Of a document: what it is put together of. */
  readonly leaves: readonly Leaf[];
}

export interface Condition {
  readonly evaluate: Evaluate<0 | 1>;
  readonly inputs: ReadonlySet<string>;
}

export type PlanTarget =
  | { readonly kind: 'one'; readonly target: SinkTarget }
  /** Undefined: a column that it depends on was not logged. */
  | { readonly kind: 'by value'; readonly of: (row: Row, change: StreamChange) => SinkTarget | undefined };

export interface ElementPlan {
  readonly path: NestedPath;
  readonly write: WriteDocument;
  /** The members that tell an element from the others, with their JSON text. */
  readonly key: readonly { readonly name: string; readonly write: WriteDocument }[];
}

/** What does not go together, of a rule and a table. */
export interface PlanProblem {
  /** Of the target; null where it is not about one. */
  readonly column: string | null;
  readonly message: string;
  readonly hint: string;
}

export type PlanResult =
  | { readonly plan: RulePlan; readonly problems: readonly [] }
  | { readonly plan: null; readonly problems: readonly PlanProblem[] };
