import type { MysqlPosition } from '../../src/sources/mysql/mysql-position.ts';
import type { MysqlSource } from '../../src/sources/mysql/mysql-source.ts';
import { type BinlogPlace, comparePlaces } from '../../src/sources/mysql/server.ts';
import type { LagMeter } from './lag-meter.ts';
import type { Replica } from './replica.ts';

/** Reads a source into a replica until the source is closed. */
export class Follower {
  /** Rejects when reading fails. */
  readonly finished: Promise<void>;
  #position: MysqlPosition | null = null;
  readonly #source: MysqlSource;
  readonly #replica: Replica;
  readonly #lag: LagMeter;
  #wake: (() => void) | null = null;

  constructor(source: MysqlSource, { replica, lag }: { replica: Replica; lag: LagMeter }) {
    this.#source = source;
    this.#replica = replica;
    this.#lag = lag;
    this.finished = this.#read();
    // Whoever waits for it gets the failure; until somebody does, it is no unhandled one.
    this.finished.catch(() => undefined);
  }

  get position(): MysqlPosition | null {
    return this.#position;
  }

  /** Resolves when everything up to a place of the binlog has been applied. */
  async reached(place: BinlogPlace): Promise<void> {
    while (this.#position === null || comparePlaces(this.#position, place) < 0) {
      const moved = Promise.withResolvers<void>();
      this.#wake = moved.resolve;
      // oxlint-disable-next-line no-await-in-loop -- waits for the position to move on
      await Promise.race([moved.promise, this.finished.then(endedEarly)]);
    }
  }

  async #read(): Promise<void> {
    for await (const batch of this.#source.batches()) {
      for (const { entries } of batch.parts) {
        for (const entry of entries) {
          if (entry.type !== 'rows' || entry.kind !== 'insert' || entry.table.name !== 'orders') continue;
          for (const key of entry.keys() ?? []) this.#lag.seen(Number(key));
        }
      }
      this.#replica.apply(batch);
      this.#position = batch.position as MysqlPosition;
      this.#wake?.();
    }
  }
}

function endedEarly(): never {
  throw new Error('the stream ended before it had reached the end of the binlog');
}
