import type { Row } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import type { MappedRow } from '../core/mapper.ts';
import type { NestedKey, NestedPatch, SinkTarget } from '../core/sink.ts';
import { fault } from './faults.ts';
import type { ElementPlan, RulePlan } from './plan.ts';
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

/** Where an element is: in which document, and what tells it from its neighbours. */
interface Place {
  readonly target: SinkTarget;
  readonly key: Row;
  readonly element: NestedKey;
}

/**
 * Rows that become elements of a list in another table's document. The document is found by its key; a list that is not there is made, and so is a
 * document, as the table that it belongs to may come later. An element that moves to another document goes from its former one.
 */
export class ElementProgram implements RuleProgram {
  readonly plan: RulePlan;
  readonly #element: ElementPlan;

  constructor(plan: RulePlan, element: ElementPlan) {
    this.plan = plan;
    this.#element = element;
  }

  map(change: StreamChange, out: MappedRow[]): void {
    switch (change.kind) {
      case 'insert':
      case 'upsert': {
        const after = imageOf(change.after);
        const isIn = presenceOf(this.plan, after, change) ?? unknownCondition();
        const place = this.#place(after, change);
        if (isIn) this.#emit(place, [this.#put(place, after, change)], { change, out });
        // As for rows: what was read, and not changed, was not there before.
        else if (change.kind === 'upsert' && change.snapshot !== true) this.#remove(place, change, out);
        return;
      }
      case 'update':
        this.#update(change, out);
        return;
      case 'delete': {
        const before = imageOf(change.before);
        if (presenceOf(this.plan, before, change) !== false) this.#remove(this.#place(before, change), change, out);
        return;
      }
    }
  }

  #update(change: StreamChange, out: MappedRow[]): void {
    const before = imageOf(change.before);
    const after = imageAfter(this.plan, change);
    const isIn = presenceOf(this.plan, after, change) ?? unknownCondition();
    // That it perhaps was there is enough to remove it.
    const wasIn = presenceOf(this.plan, before, change) !== false;
    const from = wasIn ? this.#place(before, change) : null;
    const to = isIn ? this.#place(after, change) : null;
    const isSameDocument = from !== null && to !== null && from.target === to.target && isSameKey(from.key, to.key);
    const isRemoved =
      from !== null && !(isSameDocument && isSameKey(from.element, to.element)) && this.plan.policy !== 'ignore';
    if (isRemoved && !isSameDocument) this.#remove(from, change, out);
    if (to === null) return;
    const put = this.#put(to, after, change);
    this.#emit(to, isRemoved && isSameDocument ? [this.#removal(from), put] : [put], { change, out });
  }

  #place(image: Row, change: StreamChange): Place {
    const { image: rows, pickKey } = this.plan;
    if (pickKey === null) return fault('the document has no key');
    const element: Record<string, string> = {};
    for (const { name, write } of this.#element.key) {
      element[name] = write(image, change) ?? fault(`"${name}" of the element's key was not logged: ${FULL_IMAGES}`);
    }
    return { target: targetFor(this.plan, image, change), key: pickKey(rows.of(image, change)), element };
  }

  #put({ element }: Place, image: Row, change: StreamChange): NestedPatch {
    const { path, write } = this.#element;
    const text = write(image, change) ?? fault(`a column of the element was not logged: ${FULL_IMAGES}`);
    return { kind: 'put', path, key: element, element: text };
  }

  #removal({ element }: Place): NestedPatch {
    return { kind: 'remove', path: this.#element.path, key: element };
  }

  #remove(place: Place, change: StreamChange, out: MappedRow[]): void {
    if (this.plan.policy === 'ignore') return;
    this.#emit(place, [this.#removal(place)], { change, out, isThere: true });
  }

  /** An element can be the first that is known of its document; for one to be removed, nothing is made. */
  #emit(
    { target, key }: Place,
    patches: readonly NestedPatch[],
    {
      change,
      out,
      isThere = false,
    }: { readonly change: StreamChange; readonly out: MappedRow[]; readonly isThere?: boolean },
  ): void {
    const { keepsKey } = this.plan;
    out.push({
      target,
      kind: isThere ? 'update' : 'upsert',
      key,
      before: isThere ? key : null,
      after: key,
      patches,
      scn: change.scn,
      change,
      keepsKey,
    });
  }
}
