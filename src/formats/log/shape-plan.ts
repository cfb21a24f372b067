import { type RowShape, rowShape } from '../../core/rows/row-shape.ts';
import { compileComposition } from './row-composition.ts';
import type { RowColumn } from './row-locator.ts';
import { compileProjection, type ProjectRow } from './row-projection.ts';
import type { RowPredicate } from './row-predicate.ts';

/** A shape that written rows have, and how stored ones, with both images where there are two, get it. */
export interface OutputShape {
  readonly shape: RowShape;
  /** The same, as it stands in a batch. */
  readonly fingerprint: Buffer;
  /** Null: the bytes stay as they are. */
  readonly project: ProjectRow | null;
}

/** What the filter does with the rows of one stored shape: decided once, when the shape is first met. */
export class ShapePlan {
  readonly shape: RowShape;
  /** Null: every row passes. */
  readonly matches: RowPredicate | null;
  readonly output: OutputShape;
  readonly #kept: (image: readonly number[]) => readonly number[];
  #movedFrom: OutputShape | null = null;
  #movedTo: OutputShape | null = null;

  /** @param kept which columns of an image stay */
  constructor(
    shape: RowShape,
    {
      kept,
      matches,
    }: {
      readonly kept: (image: readonly number[]) => readonly number[];
      readonly matches: RowPredicate | null;
    },
  ) {
    this.shape = shape;
    this.matches = matches;
    this.#kept = kept;
    this.output = this.#outputOf(shape);
  }

  /** What a row becomes as the delete of the key that an update moved away. Null when the shape is none of an update. */
  get movedFrom(): OutputShape | null {
    this.#movedFrom ??= this.#half('before', 'after');
    return this.#movedFrom;
  }

  /** The same as the insert of the new key. */
  get movedTo(): OutputShape | null {
    this.#movedTo ??= this.#half('after', 'before');
    return this.#movedTo;
  }

  /** One image, and of the other what the key lacks in it. */
  #half(own: 'before' | 'after', other: 'before' | 'after'): OutputShape | null {
    const { table } = this.shape;
    const ownImage = this.shape[own];
    const otherImage = this.shape[other];
    if (ownImage === null || otherImage === null) return null;
    const lacking = table.key.filter((index) => !ownImage.includes(index) && otherImage.includes(index));
    const kept = this.#kept([...ownImage, ...lacking]).toSorted((a, b) => a - b);
    const images = own === 'before' ? { before: kept, after: null } : { before: null, after: kept };
    const columns = kept.map((index): RowColumn => ({ image: lacking.includes(index) ? other : own, index }));
    return {
      ...named(rowShape({ table, ...images })),
      project: lacking.length === 0 ? compileProjection(this.shape, images) : compileComposition(this.shape, columns),
    };
  }

  #outputOf(shape: RowShape): OutputShape {
    const { table } = shape;
    const before = shape.before === null ? null : this.#kept(shape.before);
    const after = shape.after === null ? null : this.#kept(shape.after);
    const same = before?.length === shape.before?.length && after?.length === shape.after?.length;
    const output = same ? shape : rowShape({ table, before, after });
    return { ...named(output), project: same ? null : compileProjection(shape, { before, after }) };
  }
}

function named(shape: RowShape): { readonly shape: RowShape; readonly fingerprint: Buffer } {
  return { shape, fingerprint: Buffer.from(shape.fingerprint, 'hex') };
}

/** What to do with the runs of a batch: by the index that they refer to their shape with. Kept for the next batch with the same list. */
export class ShapeList {
  /** Null: not a row of this shape is wanted. */
  readonly plans: readonly (ShapePlan | null)[];
  /** The shapes of the batch that is written. Grows when the first key moves. */
  readonly outputs: OutputShape[] = [];
  readonly #indexes = new Map<OutputShape, number>();

  constructor(plans: readonly (ShapePlan | null)[]) {
    this.plans = plans;
    for (const plan of plans) {
      if (plan !== null) this.indexOf(plan.output);
    }
  }

  /** Its index in `outputs`, where it is put when it is not there. */
  indexOf(output: OutputShape): number {
    let index = this.#indexes.get(output);
    if (index === undefined) {
      index = this.outputs.push(output) - 1;
      this.#indexes.set(output, index);
    }
    return index;
  }
}
