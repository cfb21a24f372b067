import type { TransactionInfo } from '../../core/change.ts';
import { type BatchHead, POSITION_BYTES_MAX, shapesMax } from '../../formats/log/batch-builder.ts';
import { FLAG } from '../../formats/log/batch-layout.ts';
import type { Segment } from './segment.ts';
import type { ShapeState } from './shape-book.ts';

/** In one batch. Fewer than its header could name beside the longest position. */
const SHAPES_MAX: number = shapesMax(POSITION_BYTES_MAX);

interface Definition {
  readonly state: ShapeState;
  readonly fingerprint: string;
}

/** What the header says that the draft does not know. `flags`: those of the body. */
type BodyFacts = Pick<BatchHead, 'flags' | 'firstScn' | 'bodyBytes' | 'sourceBytes' | 'position'>;

/** What a transaction has brought into the draft that is moved to the next one. */
export interface MovedTransaction {
  readonly count: number;
  /** The whole list: its runs keep the numbers of their shapes. */
  readonly shapes: readonly ShapeState[];
  readonly definitions: readonly Definition[];
}

/**
 * The batch in the making, without its body: what its header will say, which shapes its runs refer to by their numbers, and which of them it
 * defines. Nothing is allocated per transaction.
 */
export class BatchDraft {
  /** SCNs of what is in the body. */
  count = 0;
  /** Transactions that end in it. */
  transactions = 0;
  /** It begins with the rest of a transaction. */
  continues = false;
  /** Told from the one before by `ShapeState.batch`. */
  #number = 0;
  #firstCommitUs = 0;
  #maxCommitUs = 0;
  #addressed = false;
  readonly #shapes: ShapeState[] = [];
  readonly #definitions: Definition[] = [];
  /** What it was before the transaction in the making began in it. */
  readonly #before = { count: 0, firstCommitUs: 0, maxCommitUs: 0, shapes: 0, definitions: 0 };

  clear(): void {
    this.#number++;
    this.count = 0;
    this.transactions = 0;
    this.#firstCommitUs = 0;
    this.#maxCommitUs = 0;
    this.continues = false;
    this.#addressed = false;
    this.#shapes.length = 0;
    this.#definitions.length = 0;
  }

  /** The entry of a transaction, or of its rest, comes next. */
  addTransaction({ committedAtUs, audience }: TransactionInfo): void {
    if (audience !== undefined) this.#addressed = true;
    if (this.#firstCommitUs === 0) this.#firstCommitUs = committedAtUs;
    this.#maxCommitUs = Math.max(this.#maxCommitUs, committedAtUs);
  }

  /** Another shape cannot be referred to any more. */
  isFullFor(state: ShapeState): boolean {
    return state.batch !== this.#number && this.#shapes.length >= SHAPES_MAX;
  }

  /** Gives the shape its number, `index`, unless it has one. */
  refer(state: ShapeState): void {
    if (state.batch === this.#number) return;
    state.batch = this.#number;
    state.index = this.#shapes.length;
    this.#shapes.push(state);
  }

  /** The body has the shape's description. */
  defined(state: ShapeState, segment: Segment): void {
    state.definedIn = segment;
    this.#definitions.push({ state, fingerprint: state.shape.fingerprint });
  }

  /** A transaction begins behind what there is. */
  mark(): void {
    const before = this.#before;
    before.count = this.count;
    before.firstCommitUs = this.#firstCommitUs;
    before.maxCommitUs = this.#maxCommitUs;
    before.shapes = this.#shapes.length;
    before.definitions = this.#definitions.length;
  }

  /** There is nothing in it but the transaction in the making. */
  markEmpty(): void {
    const before = this.#before;
    before.count = 0;
    before.firstCommitUs = 0;
    before.maxCommitUs = 0;
    before.shapes = 0;
    before.definitions = 0;
  }

  /** Back to the mark: the transaction never was. */
  rollback(): void {
    for (const { state } of this.#definitions.splice(this.#before.definitions)) state.definedIn = null;
    for (const state of this.#shapes.splice(this.#before.shapes)) state.batch = -1;
    this.#restore();
  }

  /** Back to the mark: the transaction goes on in the next draft, in the same segment, where its definitions are as good. */
  takeOut(): MovedTransaction {
    const { count } = this;
    const shapes = [...this.#shapes];
    const definitions = this.#definitions.splice(this.#before.definitions);
    this.#shapes.length = this.#before.shapes;
    this.#restore();
    return { count: count - this.count, shapes, definitions };
  }

  /** @param hasRuns without them its shapes are of no use */
  putIn({ count, shapes, definitions }: MovedTransaction, hasRuns: boolean): void {
    this.count = count;
    this.#definitions.push(...definitions);
    for (const state of hasRuns ? shapes : []) {
      state.batch = this.#number;
      this.#shapes.push(state);
    }
  }

  head({ flags, firstScn, bodyBytes, sourceBytes, position }: BodyFacts): BatchHead {
    return {
      flags: flags | (this.continues ? FLAG.continues : 0) | (this.#addressed ? FLAG.addressed : 0),
      firstScn,
      bodyBytes,
      sourceBytes,
      position,
      count: this.count,
      transactions: this.transactions,
      firstCommitUs: this.#firstCommitUs,
      maxCommitUs: this.#maxCommitUs,
      shapes: this.#shapes.map(({ shape }) => shape.fingerprint),
    };
  }

  /** Fingerprints. */
  defines(): readonly string[] {
    return this.#definitions.map(({ fingerprint }) => fingerprint);
  }

  #restore(): void {
    const before = this.#before;
    this.count = before.count;
    this.#firstCommitUs = before.firstCommitUs;
    this.#maxCommitUs = before.maxCommitUs;
  }
}
