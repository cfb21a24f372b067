import type { Row } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import type { MappedRow } from '../core/mapper.ts';
import type { NestedPatch } from '../core/sink.ts';
import { isPatchable, leafWriter } from './document.ts';
import { fault } from './faults.ts';
import type { PlanColumn, RulePlan } from './plan.ts';
import { isSameValue } from './row-image.ts';
import {
  FULL_IMAGES,
  imageAfter,
  imageOf,
  isSameKey,
  presenceOf,
  type RuleProgram,
  targetFor,
  unknownCondition,
} from './rule-program.ts';

/**
 * Rows that stay rows. What a change does to a target follows from two questions, asked of the image before and of the image after: is the row in the
 * target, and where. So a row that leaves the condition goes, one that enters it comes as a whole, and one whose key or target moves goes from
 * where it was.
 *
 * What was not logged is never guessed: where it decides, the row cannot be mapped.
 */
export class RowProgram implements RuleProgram {
  readonly plan: RulePlan;

  constructor(plan: RulePlan) {
    this.plan = plan;
  }

  map(change: StreamChange, out: MappedRow[]): void {
    switch (change.kind) {
      case 'insert':
      case 'upsert':
        this.#arrive(change, out);
        return;
      case 'update':
        this.#update(change, out);
        return;
      case 'delete': {
        const before = imageOf(change.before);
        const wasIn = presenceOf(this.plan, before, change);
        if (wasIn === undefined) this.#leavePerhaps(before, change, out);
        else if (wasIn) this.#leave(before, change, out);
        return;
      }
    }
  }

  #arrive(change: StreamChange, out: MappedRow[]): void {
    const { plan } = this;
    const after = imageOf(change.after);
    const isIn = presenceOf(plan, after, change) ?? unknownCondition();
    if (!isIn) {
      // It may have been in the target before. A row that was read, and not changed, was not: what had brought it there was seen to take it away.
      if (change.kind === 'upsert' && change.snapshot !== true) this.#leave(after, change, out);
      return;
    }
    const row = plan.image.of(after, change);
    // The half of an update that moved the key: what it lacks was not left out of an INSERT, but lies under the old key.
    if (change.moved === 'to') this.#checkWhole(row);
    else this.#checkArrival(row);
    const staysAsItIs = plan.pickKey === null || !plan.mayBeThere;
    const kind = staysAsItIs ? change.kind : 'upsert';
    this.#emit(change, out, { kind, target: targetFor(plan, after, change), before: null, after: row });
  }

  #update(change: StreamChange, out: MappedRow[]): void {
    const { plan } = this;
    const before = imageOf(change.before);
    const after = imageAfter(plan, change);
    const wasIn = presenceOf(plan, before, change);
    const isIn = presenceOf(plan, after, change);
    if (wasIn === true && isIn === true) this.#stay(change, { before, after, out });
    else if (isIn === true) {
      if (wasIn === undefined) {
        // Without a key there would be two of it; should it have been elsewhere, it goes from there.
        if (plan.pickKey === null) unknownCondition();
        if (this.#hasMoved(before, after, change)) this.#leavePerhaps(before, change, out);
      }
      this.#enter(after, change, out);
    } else if (isIn === false) {
      if (wasIn === undefined) this.#leavePerhaps(before, change, out);
      else if (wasIn) this.#leave(before, change, out);
    } else if (wasIn === undefined && !plan.mayBeThere && !touches(plan.condition?.inputs, change)) {
      // The condition's columns were not logged as they did not change: what is there changes, what is not stays away.
      this.#stay(change, { before, after, out, isPartial: true });
    } else unknownCondition();
  }

  /** The row is in the target before and after, perhaps elsewhere. */
  #stay(
    change: StreamChange,
    {
      before,
      after,
      out,
      isPartial = false,
    }: { readonly before: Row; readonly after: Row; readonly out: MappedRow[]; readonly isPartial?: boolean },
  ): void {
    const { plan } = this;
    const { pickKey } = plan;
    const target = targetFor(plan, after, change);
    const row = plan.image.of(after, change);
    const old = plan.image.tolerant(before, change);
    // The key before: where it moved, that is what finds the row.
    const oldKey = pickKey === null ? null : pickKey(old);
    const isElsewhere = plan.target.kind === 'by value' && targetFor(plan, before, change) !== target;
    const isShared = plan.rule.merge === 'any';
    const looksAtKeys = isShared || plan.policy !== 'delete';
    const isUnderOther = looksAtKeys && pickKey !== null && oldKey !== null && !isSameKey(pickKey(row), oldKey);
    // A row that is not deleted where it was cannot move: there are two of them from then on.
    if (isElsewhere || (isUnderOther && plan.policy !== 'delete')) {
      if (isPartial) unknownCondition();
      this.#leave(before, change, out);
      this.#enter(after, change, out);
      return;
    }
    const isWhole = plan.image.isWhole(row);
    // A row that perhaps is not there must not look like one that could be put there.
    if (isPartial && isWhole) unknownCondition();
    if (!isWhole && plan.missing === 'fail') this.#checkWhole(row);
    if (isWhole && isShared && pickKey !== null && !isUnderOther) {
      // Another table's change may have taken the row away: the last one counts.
      this.#emit(change, out, { kind: 'upsert', target, before: null, after: row });
      return;
    }
    const patches = isWhole ? NO_PATCHES : this.#patches(row, after, change);
    this.#emit(change, out, { kind: 'update', target, before: old, after: row, patches });
  }

  /** Whether the row is, or would be, in another target or under another key than before. */
  #hasMoved(before: Row, after: Row, change: StreamChange): boolean {
    const { plan } = this;
    if (targetFor(plan, before, change) !== targetFor(plan, after, change)) return true;
    if (plan.pickKey === null) return false;
    return !isSameKey(plan.pickKey(plan.image.of(after, change)), plan.pickKey(plan.image.tolerant(before, change)));
  }

  /** Nothing of the row is in the target yet. */
  #enter(after: Row, change: StreamChange, out: MappedRow[]): void {
    const { plan } = this;
    const row = plan.image.of(after, change);
    this.#checkWhole(row);
    const kind = plan.pickKey === null ? 'insert' : 'upsert';
    this.#emit(change, out, { kind, target: targetFor(plan, after, change), before: null, after: row });
  }

  /** What perhaps was in the target is to be there no more: it does no harm by going, as long as nothing else can be under its key. */
  #leavePerhaps(image: Row, change: StreamChange, out: MappedRow[]): void {
    const { mayBeThere, policy } = this.plan;
    if (mayBeThere && policy !== 'ignore') unknownCondition();
    this.#leave(image, change, out);
  }

  /** What was in the target is to be there no more. Of an upsert, which does not say what was before, it may not have been. */
  #leave(image: Row, change: StreamChange, out: MappedRow[]): void {
    const { plan } = this;
    const { policy, markers, pickKey } = plan;
    if (policy === 'ignore') return;
    const target = targetFor(plan, image, change);
    const row = plan.image.tolerant(image, change);
    const isCertain = change.kind !== 'upsert';
    // The image after says what the row is now, not what it was: only its key holds.
    const before = isCertain || pickKey === null ? row : pickKey(row);
    if (markers === null) this.#emit(change, out, { kind: 'delete', target, before, after: null });
    else if (pickKey === null) fault('a row without a key cannot be marked');
    else {
      const marks = markers.of(image, change);
      if (!markers.isWhole(marks)) {
        fault(`the marks of a row that is no more depend on a column that was not logged: ${FULL_IMAGES}`);
      }
      // With its key alone, a row that is not there is not made.
      const known = isCertain && plan.image.isWhole(row) ? row : pickKey(row);
      this.#emit(change, out, { kind: 'update', target, before, after: { ...known, ...marks } });
    }
  }

  #emit(
    change: StreamChange,
    out: MappedRow[],
    {
      kind,
      target,
      before,
      after,
      patches = NO_PATCHES,
    }: Pick<MappedRow, 'kind' | 'target' | 'before' | 'after'> & { readonly patches?: readonly NestedPatch[] },
  ): void {
    const { pickKey, keepsKey } = this.plan;
    const keyed = after ?? before;
    const key = pickKey === null || keyed === null ? null : pickKey(keyed);
    const { scn } = change;
    const row: MappedRow = { target, kind, key, before, after, scn, change, keepsKey };
    out.push(patches.length === 0 ? row : { ...row, patches });
  }

  /** A row that comes into being: what an INSERT did not name has the target's default, what is calculated of it cannot be known. */
  #checkArrival(row: Row): void {
    const { image, calculated, missing } = this.plan;
    if (missing === 'fail') this.#checkWhole(row);
    if (calculated.length === 0 || image.isWhole(row)) return;
    for (const column of calculated) if (!Object.hasOwn(row, column.name)) notLogged(column);
  }

  #checkWhole(row: Row): void {
    const { image } = this.plan;
    if (image.isWhole(row)) return;
    const column = image.columns.find(({ name }) => !Object.hasOwn(row, name));
    fault(`"${column?.name}" was not logged, and the row is wanted as a whole: ${FULL_IMAGES}`);
  }

  /** Of what cannot be calculated though it has changed: the parts of a document that are known. Everything else that is absent was not changed. */
  #patches(row: Row, after: Row, change: StreamChange): readonly NestedPatch[] {
    const patches: NestedPatch[] = [];
    for (const column of this.plan.calculated) {
      if (Object.hasOwn(row, column.name) || !touches(column.inputs, change)) continue;
      if (!this.plan.patches || !isPatchable(column.leaves)) notLogged(column);
      for (const { steps, compiled, inputs } of column.leaves) {
        if (!touches(inputs, change)) continue;
        const text = leafWriter(compiled)(after, change) ?? notLogged(column);
        const value = text === 'null' && this.plan.nulls === 'omit' ? null : text;
        patches.push({ kind: 'set', path: [column.name, ...steps.map(String)], value });
      }
    }
    return patches;
  }
}

const NO_PATCHES: readonly NestedPatch[] = [];

/** Whether an update may have changed one of the columns. */
function touches(columns: ReadonlySet<string> | undefined, { before, after }: StreamChange): boolean {
  for (const name of columns ?? []) {
    if (after === null || !Object.hasOwn(after, name)) continue;
    if (before === null || !Object.hasOwn(before, name) || !isSameValue(before[name], after[name])) return true;
  }
  return false;
}

function notLogged({ name, inputs }: PlanColumn): never {
  return fault(`"${name}" is made of ${[...inputs].join(', ')}, of which not all was logged: ${FULL_IMAGES}`);
}
