import type { Clock } from '../base/clock.ts';
import type { Row } from '../core/change.ts';
import type { StreamChange } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { SinkRow, SinkTarget } from '../core/sink.ts';
import { foldText } from '../core/rows/fold-text.ts';
import { keyHash, tableHash } from '../core/rows/key-hash.ts';
import { keyText } from '../core/snapshot.ts';
import type { DeadLetterReason } from '../core/sink-service.ts';
import type { DeadLetterStore, NewDeadLetter } from './dead-letter-store.ts';
import type { ParkedRow, Parking } from './lane.ts';

export interface ParkedKeysOptions {
  readonly sink: string;
  readonly store: DeadLetterStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onRowError: 'park' | 'stop';
  readonly parkedMax: number;
}

/**
 * The keys of one sink that are blocked: a change of theirs could not be written, and so no later one may be (I3). What is blocked is set aside as a
 * dead letter, durable before any checkpoint passes it; all other keys flow.
 *
 * A chain is a blocked key: of a target, when the store has refused its row; of a source's table, when no row could be made of its change.
 */
export class ParkedKeys implements Parking {
  readonly #options: ParkedKeysOptions;
  /** Changes by chain. */
  readonly #chains: Map<string, number>;
  #count = 0;
  #ofTables = 0;
  /** Of the keys of all changes that are set aside. Null: not known any more. */
  #hashes: Pick<Set<number>, 'has' | 'add'> | null = null;

  constructor(options: ParkedKeysOptions) {
    this.#options = options;
    this.#chains = new Map(options.store.chains(options.sink));
    for (const [chain, letters] of this.#chains) {
      this.#count += letters;
      if (chain.startsWith(OF_TABLE)) this.#ofTables++;
    }
  }

  /** Changes that are set aside. */
  get count(): number {
    return this.#count;
  }

  get keys(): number {
    return this.#chains.size;
  }

  get hasBlocked(): boolean {
    return this.#chains.size > this.#ofTables;
  }

  blocks(row: SinkRow): boolean {
    return this.hasBlocked && this.#chainOf(row) !== null;
  }

  /** Whether an earlier change of the same key could not be mapped. */
  blocksChange(change: StreamChange): boolean {
    return this.#ofTables > 0 && this.#chains.has(chainOfChange(change));
  }

  /** Whether a change whose key has this hash (core/rows/key-hash.ts) is set aside. Other keys may have the same one. */
  blocksHash(hash: number): boolean {
    if (this.#count === 0) return false;
    this.#hashes ??= this.#storedHashes();
    return this.#hashes.has(hash);
  }

  /** @throws TidingsError the row's own error when the sink is to stop; DEAD_LETTERS_FULL */
  park(rows: readonly ParkedRow[]): Promise<void> {
    try {
      this.#add(
        rows.map(({ row, error }) => ({
          chain: this.#chainOf(row) ?? chainOfRow(row),
          target: nameOf(row.target),
          change: row.change,
          error,
        })),
      );
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Sets a change aside of which no row can be made; `error` null: as an earlier one of its key was. @throws as `park` */
  parkChange(change: StreamChange, error: TidingsError | null): void {
    this.#add([{ chain: chainOfChange(change), target: null, change, error }]);
  }

  /** The keys of a target are free: all its rows have gone. */
  clear(target: SinkTarget): void {
    const { store, sink, log } = this.#options;
    const prefix = chainText(target, null);
    const chains = [...this.#chains.keys()].filter((chain) => chain.startsWith(prefix));
    if (chains.length === 0) return;
    for (const chain of chains) {
      const letters = store.list(sink, { chain });
      store.remove(letters.map(({ id }) => id));
      this.free(chain);
    }
    log.info({ target: nameOf(target), keys: chains.length }, 'dead letters were dropped, as their table was emptied');
  }

  /** So many changes of a chain have left the store. */
  left(chain: string, letters: number): void {
    const now = (this.#chains.get(chain) ?? 0) - letters;
    if (now <= 0) {
      this.free(chain);
      return;
    }
    this.#count -= letters;
    this.#chains.set(chain, now);
  }

  /** Nothing of the chain is left in the store: its key flows again. */
  free(chain: string): void {
    this.#count -= this.#chains.get(chain) ?? 0;
    this.#hashes = null;
    if (this.#chains.delete(chain) && chain.startsWith(OF_TABLE)) this.#ofTables--;
  }

  #add(
    changes: readonly {
      readonly chain: string;
      readonly target: string | null;
      readonly change: StreamChange;
      readonly error: TidingsError | null;
    }[],
  ): void {
    const { sink, store, clock, log, onRowError, parkedMax } = this.#options;
    const first = changes.find(({ error }) => error !== null)?.error;
    if (first !== undefined && first !== null && onRowError === 'stop') throw asReasonToStop(first);
    if (this.#count + changes.length > parkedMax) {
      throw new TidingsError(
        'DEAD_LETTERS_FULL',
        `sink ${sink} has ${this.#count} dead letters, and may have ${parkedMax}`,
        {
          ...(first === undefined || first === null ? {} : { cause: first }),
          details: { sink, deadLetters: this.#count, parkedMax },
        },
      );
    }
    const parkedMs = clock.nowMs();
    const areNew = store.add(
      changes.map(({ chain, target, change, error }): NewDeadLetter => {
        return { sink, chain, target, change, reason: error === null ? null : reasonOf(error), parkedMs };
      }),
    );
    for (const [i, { chain, target, change, error }] of changes.entries()) {
      if (!this.#chains.has(chain) && chain.startsWith(OF_TABLE)) this.#ofTables++;
      // What comes again after a crash was set aside already.
      const added = areNew[i] === true ? 1 : 0;
      this.#chains.set(chain, (this.#chains.get(chain) ?? 0) + added);
      this.#hashes?.add(hashOf(change));
      this.#count += added;
      if (error === null) continue;
      const table = `${change.table.database}.${change.table.name}`;
      const fields = { code: error.code, table, scn: change.scn, ...(target === null ? {} : { target }) };
      log.error(fields, `a change was set aside, its key is blocked: ${error.message}`);
    }
  }

  #storedHashes(): Pick<Set<number>, 'has' | 'add'> {
    const { store, sink } = this.#options;
    const hashes = new Set<number>();
    for (let after = 0; ;) {
      const letters = store.list(sink, { after, limit: LETTERS_AT_ONCE });
      // Whoever edits a change may have given it another key than the one that it blocks.
      if (letters.some(({ edited }) => edited)) return EVERY_HASH;
      for (const { change } of letters) hashes.add(hashOf(change));
      const last = letters.at(-1);
      if (last === undefined) return hashes;
      after = last.id;
    }
  }

  /** An update that moves the key is blocked by either. */
  #chainOf(row: SinkRow): string | null {
    const chain = chainOfRow(row);
    if (this.#chains.has(chain)) return chain;
    if (row.kind !== 'update' || row.before === null || row.key === null) return null;
    const { before } = row;
    const names = Object.keys(row.key);
    if (!names.every((name) => Object.hasOwn(before, name))) return null;
    const former = chainText(row.target, Object.fromEntries(names.map((name) => [name, before[name] ?? null])));
    return this.#chains.has(former) ? former : null;
  }
}

const EVERY_HASH: Pick<Set<number>, 'has' | 'add'> = { has: () => true, add: () => new Set<number>() };
/** They hold whole changes. */
const LETTERS_AT_ONCE = 100;

function hashOf({ table, key }: StreamChange): number {
  return key === null ? tableHash(table) : keyHash(table, Object.values(key));
}

const OF_TARGET = 't\0';
const OF_TABLE = 's\0';

function nameOf({ table: { database, name } }: SinkTarget): string {
  return `${database}.${name}`;
}

function chainOfRow({ target, key, before, after }: SinkRow): string {
  return chainText(target, key ?? after ?? before);
}

function chainText(target: SinkTarget, key: Row | null): string {
  let prefix = prefixes.get(target);
  if (prefix === undefined) {
    prefix = `${OF_TARGET}${nameOf(target)}\0`;
    prefixes.set(target, prefix);
  }
  return prefix + valuesText(key);
}

/** What all chains of a target begin with. */
const prefixes = new WeakMap<SinkTarget, string>();

/** Halves of an update that moved the key are of two keys. */
function chainOfChange({ table, key, before, after }: StreamChange): string {
  return `${OF_TABLE}${table.database}.${table.name}\0${valuesText(key ?? after ?? before)}`;
}

/** Keys that a database may hold for the same share a chain, as they share a partition: coarser blocks more, and never lets one pass. */
function valuesText(row: Row | null): string {
  if (row === null) return '';
  // As long as one key is blocked, this is made for every row.
  const values = Object.values(row);
  const [only] = values;
  if (values.length === 1 && typeof only === 'number') return keyText(only);
  return keyText(values.map((value) => (typeof value === 'string' ? foldText(value) : value)));
}

/** For a person, whatever its code says: the same row would be refused again. */
function asReasonToStop(error: TidingsError): TidingsError {
  const { code, message, hint, details } = error;
  return new TidingsError(code, message, { hint, details, cause: error, retry: 'operator' });
}

export function reasonOf({ code, message, hint }: TidingsError): DeadLetterReason {
  return { code, message, hint };
}
