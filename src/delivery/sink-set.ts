import { mkdirSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { SinkService } from '../core/sink-service.ts';
import { DeadLetterStore } from './dead-letter-store.ts';
import type { DeliveryStream, SinkDefinition } from './delivery-types.ts';
import { SinkRunner } from './sink-runner.ts';

export interface SinkSetOptions {
  readonly sinks: readonly { readonly definition: SinkDefinition; readonly stream: DeliveryStream }[];
  /** Of the dead letters. Made when it is not there. */
  readonly directory: string;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** The sinks of one process, by name. */
export class SinkSet implements SinkService {
  readonly #runners: ReadonlyMap<string, SinkRunner>;
  readonly #streams: readonly DeliveryStream[];
  readonly #store: DeadLetterStore;

  /** @throws TidingsError STATE_DAMAGED, STATE_NEWER, DIRECTORY_UNUSABLE, DISK_ERROR */
  constructor({ sinks, directory, log, clock }: SinkSetOptions) {
    mkdirSync(directory, { recursive: true });
    const store = new DeadLetterStore(directory);
    this.#store = store;
    this.#streams = sinks.map(({ stream }) => stream);
    this.#runners = new Map(
      sinks.map(({ definition, stream }) => {
        const options = { definition, stream, store, log: log.child({ sink: definition.name }) };
        return [definition.name, new SinkRunner({ ...options, ...(clock === undefined ? {} : { clock }) })];
      }),
    );
  }

  get all(): ReadonlyMap<string, SinkRunner> {
    return this.#runners;
  }

  start(): void {
    for (const runner of this.#runners.values()) runner.start();
  }

  /** What is on its way is written. */
  async close(): Promise<void> {
    await Promise.all([...this.#runners.values()].map((runner) => runner.close()));
    await Promise.all(this.#streams.map((stream) => stream.close()));
    this.#store.close();
  }
}
