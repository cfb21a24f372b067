import type { ChangeKind, Row } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import type { Logger } from '../core/logger.ts';
import type { MappedRow } from '../core/mapper.ts';
import type { LookupDefinition, LookupKey } from './lookups.ts';

type MaybePromise<T> = T | Promise<T>;
/** Null: nothing comes of it. A list: several do. */
type Outcome<T> = T | readonly T[] | null;

/**
 * What a module of hooks exports. `before` changes what is mapped, `map` takes the place of the rules, `after` changes the rows that were made. Each may
 * answer at once or with a promise, and has a form for many at a time, whose answer has an entry for each.
 *
 * A change and its rows are not to be changed in place: others see them, too. JSON columns hold the document's text; an object or a list that a hook puts there
 * is made text.
 */
export interface MappingHooks {
  readonly before?: (change: StreamChange, context: HookContext) => MaybePromise<Outcome<StreamChange>>;
  readonly beforeBatch?: (
    changes: readonly StreamChange[],
    context: HookContext,
  ) => MaybePromise<readonly Outcome<StreamChange>[]>;
  readonly map?: (change: StreamChange, context: HookContext) => MaybePromise<Outcome<HookRow>>;
  readonly mapBatch?: (
    changes: readonly StreamChange[],
    context: HookContext,
  ) => MaybePromise<readonly Outcome<HookRow>[]>;
  readonly after?: (row: MappedRow, context: HookContext) => MaybePromise<Outcome<MappedRow>>;
  readonly afterBatch?: (
    rows: readonly MappedRow[],
    context: HookContext,
  ) => MaybePromise<readonly Outcome<MappedRow>[]>;
  /** The columns that `before` adds to tables: by table pattern, name and type. */
  readonly adds?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The targets that `map` makes rows for, by the name that it uses. */
  readonly targets?: Readonly<Record<string, HookTarget>>;
  /** False: the hooks change keys, or make rows with others. Their rows are then written one after the other. @default true */
  readonly keepsKeys?: boolean;
  readonly lookups?: Readonly<Record<string, LookupDefinition>>;
}

export interface HookTarget {
  /** @default that of the change's table */
  readonly database?: string;
  /** @default the name under which it stands */
  readonly table?: string;
  /** Types by column, as a cast writes them. */
  readonly columns: Readonly<Record<string, string>>;
  readonly key?: readonly string[];
  readonly options?: Readonly<Record<string, unknown>>;
}

/** A row that `map` has made. Its key is that of its columns. */
export interface HookRow {
  /** Which of `targets`. */
  readonly to: string;
  /** @default that of the change */
  readonly kind?: ChangeKind;
  /** Of an update or a delete; the key is enough. */
  readonly before?: Row | null;
  readonly after?: Row | null;
}

export interface HookContext {
  /** The sink's name. */
  readonly sink: string;
  readonly log: Logger;
  /** Aborted when the hook has taken too long, and when the sink ends. */
  readonly signal: AbortSignal;
  /** What one of `lookups` answers. A promise only while the answer is not known. */
  lookup(name: string, key: LookupKey): unknown;
}
