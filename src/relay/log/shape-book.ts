import { parseRowShape, type RowShape } from '../../core/rows/row-shape.ts';
import type { Segment } from './segment.ts';
import { tableKey } from './table-book.ts';

/** A shape on its way into batches. */
export interface ShapeState {
  readonly shape: RowShape;
  /** `tableKey` of its table. */
  readonly key: string;
  /** The segment that defines it, of those that are written to. */
  definedIn: Segment | null;
  /** The batch that has it in its list, and at which index there. */
  batch: number;
  index: number;
}

/** Where a shape is defined that was not looked at yet. */
export interface ShapeSource {
  readonly segment: Segment;
  readonly offset: number;
}

/**
 * Every row shape of the log by its fingerprint: those in use with their descriptions, older ones with the place where they are
 * described.
 */
export class ShapeBook {
  readonly #states = new Map<RowShape, ShapeState>();
  readonly #shapes = new Map<string, RowShape>();
  readonly #places = new Map<string, ShapeSource>();
  #last: ShapeState | null = null;

  /** For the appender: the same state for the same shape object, which a source uses for all rows of a table's version. */
  state(shape: RowShape): ShapeState {
    if (this.#last !== null && this.#last.shape === shape) return this.#last;
    let state = this.#states.get(shape);
    if (state === undefined) {
      // The same shape from another object: of a source that was opened again.
      state = this.#stateOf(shape.fingerprint) ?? {
        shape,
        key: tableKey(shape.table.database, shape.table.name),
        definedIn: null,
        batch: -1,
        index: -1,
      };
      this.#states.set(shape, state);
      if (!this.#shapes.has(shape.fingerprint)) this.#shapes.set(shape.fingerprint, shape);
    }
    this.#last = state;
    return state;
  }

  /** Nothing counts as defined any more: definitions may have been rolled back. */
  forgetDefinitions(): void {
    for (const state of this.#states.values()) state.definedIn = null;
  }

  get(fingerprint: string): RowShape | undefined {
    return this.#shapes.get(fingerprint);
  }

  /** @param text as it is stored */
  learn(text: string): RowShape {
    const shape = parseRowShape(text);
    this.add(shape);
    return shape;
  }

  add(shape: RowShape): void {
    if (!this.#shapes.has(shape.fingerprint)) this.#shapes.set(shape.fingerprint, shape);
  }

  placeOf(fingerprint: string): ShapeSource | undefined {
    return this.#places.get(fingerprint);
  }

  /** The newest place is kept: it stays the longest. */
  addPlace(fingerprint: string, place: ShapeSource): void {
    this.#places.set(fingerprint, place);
  }

  #stateOf(fingerprint: string): ShapeState | undefined {
    const known = this.#shapes.get(fingerprint);
    return known === undefined ? undefined : this.#states.get(known);
  }
}
