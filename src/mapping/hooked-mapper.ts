import type { StreamChange } from '../core/consumer.ts';
import { isTidingsError, TidingsError } from '../core/errors.ts';
import type { MappedChange, MappedRow } from '../core/mapper.ts';
import type { SinkTarget } from '../core/sink.ts';
import type { DeclaredMapper } from './declared-mapper.ts';
import { HookCalls, type HookCallsOptions, type HookName } from './hook-calls.ts';
import { HookRows } from './hook-rows.ts';
import type { HookContext, MappingHooks } from './hooks.ts';
import type { TablePlans } from './table-plans.ts';
import type { Targets } from './targets.ts';
import type { LeftOut, MappingTrace, TracingMapper } from './trace.ts';

export interface HookedMapperOptions extends HookCallsOptions {
  readonly declared: DeclaredMapper;
  readonly plans: TablePlans;
  readonly targets: Targets;
}

type MaybePromise<T> = T | Promise<T>;

/** One of the three places of hooks: the form for one item, and that for many. Null: there is no such hook. */
interface Stage<I, O> {
  readonly name: HookName;
  readonly one: ((item: I, context: HookContext) => unknown) | null;
  readonly many: ((items: readonly I[], context: HookContext) => unknown) | null;
  readonly manyName: HookName;
  /** What an answer comes to. @throws TidingsError */
  readonly check: (answer: unknown, item: I, hook: HookName) => O[];
  /** What becomes of an item without hooks. */
  readonly otherwise: (item: I) => O[];
}

/** An item of a batch, and which of the batch's changes it came of. */
interface Entry<T> {
  readonly owner: number;
  readonly item: T;
}

/** Rules with hooks before, instead of and after them. */
export class HookedMapper implements TracingMapper {
  readonly tables: readonly string[];
  /** Nobody knows what hooks look at. */
  readonly columns: null = null;
  readonly mapBatch?: (changes: readonly StreamChange[]) => Promise<readonly MappedChange[]>;
  readonly #declared: DeclaredMapper;
  readonly #plans: TablePlans;
  readonly #hooks: MappingHooks;
  readonly #calls: HookCalls;
  readonly #before: Stage<StreamChange, StreamChange>;
  readonly #map: Stage<StreamChange, MappedRow>;
  readonly #after: Stage<MappedRow, MappedRow>;

  constructor(options: HookedMapperOptions) {
    const { declared, plans, targets, hooks } = options;
    this.tables = declared.tables;
    this.#declared = declared;
    this.#plans = plans;
    this.#hooks = hooks;
    this.#calls = new HookCalls(options);
    const rows = new HookRows(hooks, targets);
    this.#before = {
      name: 'before',
      manyName: 'beforeBatch',
      one: hooks.before ?? null,
      many: hooks.beforeBatch ?? null,
      check: (answer, change, hook) => rows.changes(answer, change, hook),
      otherwise: (change) => [change],
    };
    this.#map = {
      name: 'map',
      manyName: 'mapBatch',
      one: hooks.map ?? null,
      many: hooks.mapBatch ?? null,
      check: (answer, change, hook) => rows.made(answer, change, hook),
      otherwise: (change) => [...declared.map(change)],
    };
    this.#after = {
      name: 'after',
      manyName: 'afterBatch',
      one: hooks.after ?? null,
      many: hooks.afterBatch ?? null,
      check: (answer, row, hook) => rows.changed(answer, row, hook),
      otherwise: (row) => [row],
    };
    const stages = [this.#before, this.#map, this.#after];
    if (stages.some(({ many }) => many !== null)) this.mapBatch = (changes) => this.#mapBatch(changes);
  }

  map(change: StreamChange): MaybePromise<readonly MappedRow[]> {
    if (this.#plans.rulesOf(change.table.database, change.table.name).length === 0) return [];
    try {
      const rows = chained(this.#single(this.#before, change), (changes) =>
        chained(
          inTurn(changes, (made) => this.#single(this.#map, made)),
          (mapped) => inTurn(mapped, (row) => this.#single(this.#after, row)),
        ),
      );
      return rows instanceof Promise ? rows.catch((error: unknown) => rethrow(error, change)) : rows;
    } catch (error) {
      return rethrow(error, change);
    }
  }

  selects(database: string, table: string): boolean {
    return this.#declared.selects(database, table);
  }

  async trace(change: StreamChange): Promise<MappingTrace> {
    if (!this.selects(change.table.database, change.table.name)) return { rows: [], leftOut: [] };
    const leftOut: LeftOut[] = [];
    const rows: MappedRow[] = [];
    try {
      // oxlint-disable no-await-in-loop -- hooks are asked in the order of the changes
      for (const made of await this.#traced(this.#before, change, leftOut)) {
        for (const row of await this.#mapTraced(made, leftOut)) {
          rows.push(...(await this.#traced(this.#after, row, leftOut)));
        }
      }
      // oxlint-enable no-await-in-loop
    } catch (error) {
      rethrow(error, change);
    }
    return { rows, leftOut };
  }

  async #mapTraced(change: StreamChange, leftOut: LeftOut[]): Promise<readonly MappedRow[]> {
    if (this.#map.one !== null || this.#map.many !== null) return this.#traced(this.#map, change, leftOut);
    const traced = this.#declared.trace(change);
    leftOut.push(...traced.leftOut);
    return traced.rows;
  }

  async #traced<I, O>(stage: Stage<I, O>, item: I, leftOut: LeftOut[]): Promise<O[]> {
    const made = await this.#single(stage, item);
    const hook = stage.one === null ? stage.manyName : stage.name;
    if (made.length === 0) leftOut.push({ rule: null, hook, reason: 'hook' });
    return made;
  }

  targetsOf(database: string, table: string): readonly SinkTarget[] {
    const { map, mapBatch, targets } = this.#hooks;
    if (map === undefined && mapBatch === undefined) return this.#declared.targetsOf(database, table);
    if (this.#plans.ignoresTruncation(database, table)) return [];
    throw new TidingsError('MAPPING_INVALID', `${database}.${table} was truncated, and its rows were made by a hook`, {
      hint: `Take its rows out of ${Object.keys(targets ?? {}).join(', ')} by hand, and say \`truncate: ignore\` in the table's rule.`,
      details: { table: `${database}.${table}` },
    });
  }

  #single<I, O>(stage: Stage<I, O>, item: I): MaybePromise<O[]> {
    const { name, manyName, one, many, check, otherwise } = stage;
    if (one !== null) {
      const answer = this.#calls.call(name, (context) => one(item, context));
      return chained(answer, (value) => check(value, item, name));
    }
    if (many === null) return otherwise(item);
    const answer = this.#calls.call(manyName, (context) => many([item], context));
    return chained(answer, (values) => check(answersOf(values, 1, manyName)[0], item, manyName));
  }

  async #mapBatch(changes: readonly StreamChange[]): Promise<readonly MappedChange[]> {
    const errors = new Map<number, TidingsError>();
    const wanted = changes.flatMap((item, owner): Entry<StreamChange>[] =>
      this.#plans.rulesOf(item.table.database, item.table.name).length === 0 ? [] : [{ owner, item }],
    );
    const before = await this.#many(this.#before, wanted, errors);
    const mapped = await this.#many(this.#map, before, errors);
    const after = await this.#many(this.#after, mapped, errors);
    const rows = Map.groupBy(after, ({ owner }) => owner);
    return changes.map((change, owner): MappedChange => {
      const error = errors.get(owner);
      if (error !== undefined) return { rows: null, error: located(error, change) };
      return { rows: (rows.get(owner) ?? []).map(({ item }) => item), error: null };
    });
  }

  /** Errors of rows are put down for their changes; everything else is thrown. */
  async #many<I, O>(
    stage: Stage<I, O>,
    all: readonly Entry<I>[],
    errors: Map<number, TidingsError>,
  ): Promise<Entry<O>[]> {
    const entries = all.filter(({ owner }) => !errors.has(owner));
    const { many, manyName, check } = stage;
    const made: Entry<O>[] = [];
    const put = (owner: number, items: readonly O[]): void => {
      for (const item of items) made.push({ owner, item });
    };
    const attempt = async (owner: number, make: () => MaybePromise<readonly O[]>): Promise<void> => {
      try {
        put(owner, await make());
      } catch (error) {
        errors.set(owner, rowErrorOf(error));
      }
    };
    const answers = many === null || entries.length === 0 ? null : await this.#answers(stage, entries, errors);
    for (const [index, { owner, item }] of entries.entries()) {
      if (errors.has(owner)) continue;
      // oxlint-disable-next-line no-await-in-loop -- hooks are asked in the order of the changes
      await attempt(owner, () =>
        answers === null ? this.#single(stage, item) : check(answers[index], item, manyName),
      );
    }
    return made;
  }

  /** Of the form for many. Null when it failed: then each is asked for alone, so that one bad row does no harm to the others. */
  async #answers<I, O>(
    { many, manyName }: Stage<I, O>,
    entries: readonly Entry<I>[],
    errors: Map<number, TidingsError>,
  ): Promise<readonly unknown[] | null> {
    const items = entries.map(({ item }) => item);
    try {
      return answersOf(await this.#calls.call(manyName, (context) => many?.(items, context)), items.length, manyName);
    } catch (error) {
      const failure = rowErrorOf(error);
      if (failure.code === 'MAPPING_FAILED' && entries.length > 1) return null;
      // It has taken its time once: it is not given as much again for each row.
      for (const { owner } of entries) errors.set(owner, failure);
      return [];
    }
  }
}

function answersOf(answers: unknown, count: number, hook: HookName): readonly unknown[] {
  if (Array.isArray(answers) && answers.length === count) return answers;
  throw new TidingsError(
    'MAPPING_FAILED',
    `the hook "${hook}" did not answer with a list of ${count}, an entry for each`,
    {
      hint: 'Mend the hook, then let the row be tried again.',
      details: { hook, count },
    },
  );
}

/** What is about a row; everything else stops the batch. */
function rowErrorOf(error: unknown): TidingsError {
  if (isTidingsError(error) && (error.code === 'MAPPING_FAILED' || error.code === 'MAPPING_TIMEOUT')) return error;
  throw error;
}

/** A hook's error knows the hook; which table it was about is said here. */
function located(error: TidingsError, { table: { database, name }, scn }: StreamChange): TidingsError {
  if (error.details['table'] !== undefined) return error;
  const table = `${database}.${name}`;
  return new TidingsError(error.code, `a row of ${table}: ${error.message}`, {
    hint: error.hint,
    retry: error.retry,
    details: { ...error.details, table, scn },
  });
}

function rethrow(error: unknown, change: StreamChange): never {
  throw located(rowErrorOf(error), change);
}

function chained<T, R>(value: MaybePromise<T>, make: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(make) : make(value);
}

/** One after the other, as hooks may count on it; at once as long as they answer at once. */
function inTurn<T, R>(items: readonly T[], make: (item: T) => MaybePromise<readonly R[]>): MaybePromise<R[]> {
  const made: R[] = [];
  for (const [index, item] of items.entries()) {
    const answer = make(item);
    if (answer instanceof Promise) {
      const rest = items.slice(index + 1);
      return answer.then((first) => chained(inTurn(rest, make), (others) => [...made, ...first, ...others]));
    }
    made.push(...answer);
  }
  return made;
}
