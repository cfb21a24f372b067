import { orAborted } from '../../base/or-aborted.ts';
import { TidingsError } from '../errors.ts';
import type { Position } from '../position.ts';
import type { SnapshotChunk, SnapshotReader } from '../snapshot.ts';
import type { ChangeBatch, Entry, Source } from '../source.ts';
import { MergeWindow, type MergeOutcome } from './merge-window.ts';

/** What waits for the stream to come to its place. */
interface Waiting {
  readonly isDue: (position: Position) => boolean;
  /** Null: nothing comes of it. Asked once, when it is due. */
  readonly make: () => { readonly entries: readonly Entry[]; readonly atUs: number; readonly bytes: number } | null;
  /** Who gets it; null: everyone. */
  readonly audience: string | null;
  /** The consumer has left behind what was made of it. */
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * A source's batches, and between its transactions the rows of chunks that were read meanwhile: never a row that is older than what
 * the stream has brought of its key, and never one without the changes that come behind it.
 *
 * Why that holds: a chunk is read between two places of the stream. A row of it that the stream did not change in between was the same
 * all the while, so it may stand at the second place; one that the stream did change has been handed over as that change. The worked
 * example is in docs/concepts/snapshots.md.
 *
 * While nothing is read it costs a few promises per batch.
 */
export class SnapshotMerger {
  readonly #source: Source;
  readonly #windows = new Set<MergeWindow>();
  readonly #waiting: Waiting[] = [];
  /** What is being handed over. */
  #inHand: Waiting | null = null;
  /** The end of what was handed over; null before the source has a position. */
  #position: Position | null = null;
  /** Between transactions. */
  #isBetween = true;
  /** Resolves at the end of the open transaction. */
  #between: PromiseWithResolvers<void> = Promise.withResolvers();
  #wake: PromiseWithResolvers<'wake'> | null = null;
  #ended: { readonly error: unknown } | null = null;
  /** By table: the last of those that read all of it in one piece. */
  readonly #wholeReads = new Map<string, Promise<void>>();

  constructor(source: Source) {
    this.#source = source;
    void this.#learnStart();
  }

  /** To be iterated once. Ending it ends the source's iteration. */
  async *batches(): AsyncGenerator<ChangeBatch, void, undefined> {
    const stream = this.#source.batches();
    let coming: Promise<IteratorResult<ChangeBatch, void>> | null = null;
    try {
      for (;;) {
        for (let due = this.#takeDue(); due !== null; due = this.#takeDue()) {
          this.#inHand = due;
          yield* this.#batchesOf(due);
          if (this.#inHand === due) due.done();
          this.#inHand = null;
        }
        coming ??= stream.next();
        // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
        const came = await Promise.race([coming, this.#awake()]);
        if (came === 'wake') continue;
        coming = null;
        if (came.done === true) return;
        this.#note(came.value);
        yield came.value;
      }
    } catch (error) {
      this.#end(error);
      throw error;
    } finally {
      this.#end(new TidingsError('CONNECTION_LOST', 'the source was closed'));
      // What is still on its way has nobody left to see its failure.
      coming?.catch(() => undefined);
      // A read that waits for the server can be ended in no other way.
      await (coming === null ? stream.return?.() : this.#source.close());
    }
  }

  /**
   * Notes from now on what the stream changes in a table. Resolves when the stream has a place, between transactions: of one that
   * was handed over in part nobody would know what it has changed so far.
   */
  async window(
    database: string,
    table: string,
    { key, onlyMoves = false }: { key: readonly string[] | null; onlyMoves?: boolean },
  ): Promise<MergeWindow> {
    if (this.#position === null) await this.#learnStart();
    // oxlint-disable-next-line no-await-in-loop -- another one may have begun by then
    while (!this.#isBetween && this.#ended === null) await this.#between.promise;
    if (this.#ended !== null) throw this.#ended.error;
    const since = this.#position;
    if (since === null) throw new Error('a source that is read in snapshots must say where it begins');
    const window = new MergeWindow({ database, table, key, since, connections: this.#connections, onlyMoves });
    this.#windows.add(window);
    return window;
  }

  /**
   * Puts the chunk into the stream, and resolves when its consumer has left it behind. Releases the chunk, and closes the window unless it
   * `goesOn` with other chunks of the same read.
   */
  async merge(
    window: MergeWindow,
    chunk: SnapshotChunk,
    {
      reader,
      audience = null,
      goesOn = false,
      before = [],
    }: {
      reader: SnapshotReader;
      audience?: string | null;
      goesOn?: boolean;
      /** What goes into the stream in front of the rows, and only with them. */
      before?: readonly Entry[];
    },
  ): Promise<MergeOutcome> {
    let outcome: MergeOutcome = { merged: false, rows: 0, incomplete: [] };
    try {
      await this.#insert({
        audience,
        isDue: (position) => this.#isStale(window) || reader.reached(position, chunk.mark),
        make: () => {
          if (!goesOn) this.#windows.delete(window);
          if (this.#isStale(window)) return null;
          const rows = chunk.rows(window.touched);
          outcome = { merged: true, rows: chunk.count, incomplete: window.incomplete(chunk.columns) };
          return { entries: [...before, ...rows], atUs: chunk.readAtUs, bytes: chunk.bytes };
        },
      });
    } finally {
      if (!goesOn) this.close(window);
      chunk.release();
    }
    return outcome;
  }

  /** Puts entries between the transactions, and resolves when the consumer has left them behind. */
  insert(
    entries: readonly Entry[],
    { atUs, audience = null }: { atUs: number; audience?: string | null },
  ): Promise<void> {
    return this.#insert({ audience, isDue: () => true, make: () => ({ entries, atUs, bytes: 0 }) });
  }

  /** One after the other for each table: rows that cannot be told apart must not come between those of another read of them. */
  async alone<T>(
    { database, table, signal }: { readonly database: string; readonly table: string; readonly signal: AbortSignal },
    read: () => Promise<T>,
  ): Promise<T> {
    const name = `${database}\0${table}`;
    const turn = this.#wholeReads.get(name) ?? Promise.resolve();
    const mine = orAborted(turn, signal).then(read);
    // Whoever is next waits for both: this one may leave before its turn.
    this.#wholeReads.set(
      name,
      Promise.allSettled([turn, mine]).then(() => undefined),
    );
    return await mine;
  }

  /** Nothing comes of it. */
  close(window: MergeWindow): void {
    this.#windows.delete(window);
  }

  async #learnStart(): Promise<void> {
    try {
      const start = await this.#source.ready?.();
      this.#position ??= start ?? null;
    } catch {
      // The iteration throws it, too.
    }
  }

  get #connections(): number {
    return this.#source.health?.().connections ?? 0;
  }

  /** Between two connections the server may have become another one, and its places are others then. */
  #isStale(window: MergeWindow): boolean {
    if (window.connections !== this.#connections) window.invalidate();
    return window.isStale;
  }

  #insert(what: Pick<Waiting, 'isDue' | 'make' | 'audience'>): Promise<void> {
    if (this.#ended !== null) return Promise.reject(this.#ended.error);
    return new Promise((done, fail) => {
      this.#waiting.push({ ...what, done, fail });
      this.#source.hurry?.(true);
      this.#wake?.resolve('wake');
    });
  }

  #takeDue(): Waiting | null {
    const position = this.#position;
    if (position === null || !this.#isBetween) return null;
    for (const [index, waiting] of this.#waiting.entries()) {
      try {
        if (!waiting.isDue(position)) continue;
      } catch (error) {
        waiting.fail(error);
        this.#waiting.splice(index, 1);
        return this.#takeDue();
      }
      this.#waiting.splice(index, 1);
      if (this.#waiting.length === 0) this.#source.hurry?.(false);
      return waiting;
    }
    return null;
  }

  /**
   * A transaction for each of its entries, with a turn of the event loop in between. Nothing of the stream comes between them, but they need not
   * be seen together: a large transaction would keep readers waiting until its end is durable.
   */
  async *#batchesOf(due: Waiting): AsyncGenerator<ChangeBatch, void, undefined> {
    let made: ReturnType<Waiting['make']>;
    try {
      made = due.make();
    } catch (error) {
      this.#refuse(due, error);
      return;
    }
    const position = this.#position;
    if (made === null || position === null) return;
    const { entries, atUs } = made;
    const to = due.audience === null ? {} : { audience: due.audience };
    const transaction = { id: null, committedAtUs: atUs, serverId: 0, start: position, ...to };
    for (const [index, entry] of entries.entries()) {
      if (this.#inHand !== due) return;
      // oxlint-disable-next-line no-await-in-loop -- one batch after the other
      if (index > 0) await new Promise((resolve) => setImmediate(resolve));
      const bytes = index === 0 ? made.bytes : 0;
      yield {
        parts: [{ transaction, begins: true, restarted: false, entries: [entry], end: position }],
        position,
        bytes,
        refused: (error) => this.#refuse(due, error),
      };
    }
  }

  /** What is wrong with a chunk is no fault of the stream's. */
  #refuse(due: Waiting, error: unknown): void {
    if (this.#inHand === due) this.#inHand = null;
    due.fail(error);
  }

  #note(batch: ChangeBatch): void {
    this.#position = batch.position;
    const last = batch.parts.at(-1);
    if (last !== undefined) this.#isBetween = last.end !== null;
    if (this.#isBetween) this.#passBetween();
    if (this.#windows.size === 0) return;
    for (const { entries } of batch.parts) {
      for (const entry of entries) for (const window of this.#windows) window.note(entry);
    }
  }

  #passBetween(): void {
    this.#between.resolve();
    this.#between = Promise.withResolvers();
  }

  #awake(): Promise<'wake'> {
    const wake = Promise.withResolvers<'wake'>();
    this.#wake = wake;
    return wake.promise;
  }

  #end(error: unknown): void {
    if (this.#ended !== null) return;
    this.#ended = { error };
    this.#source.hurry?.(false);
    this.#passBetween();
    this.#inHand?.fail(error);
    for (const { fail } of this.#waiting.splice(0)) fail(error);
  }
}
