import type { Clock } from '../base/clock.ts';
import { TidingsError } from '../core/errors.ts';
import type { Finding } from '../core/finding.ts';
import type { Logger } from '../core/logger.ts';
import type { TableSchema } from '../core/table-schema.ts';
import type { MappingConfig } from '../mapping/mapping-config.ts';
import { checkSink } from './check-sink.ts';

export interface MappingCheckOptions {
  readonly mapping: MappingConfig;
  readonly sink: string;
  readonly stream: string;
  /** Where relative paths begin. */
  readonly directory: string;
  /** The latest definitions that the stream knows. */
  readonly tables: () => Promise<readonly TableSchema[]>;
  /** Whether the sink can change parts of documents. */
  readonly patches: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * A relay that has just begun to read may not have come to the ALTER yet that the mapping was written for: so long it is waited for, before a mapping that does not
 * go with the tables is a person's to correct.
 */
const SETTLE_MS = 10_000;
const LOOK_AGAIN_MS = 250;
/** What a message names in the end. */
const MISTAKES_MAX = 20;

/** Looks, each time a sink begins, whether its mapping goes with the tables of the stream. Drawbacks are logged once. */
export class MappingCheck {
  readonly #options: MappingCheckOptions;
  readonly #logged = new Set<string>();

  constructor(options: MappingCheckOptions) {
    this.#options = options;
  }

  /**
   * The signal ends the waiting for the stream.
   *
   * @throws TidingsError MAPPING_INVALID with everything that does not go together, and what the tables cannot be known for
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const beganMs = clock.nowMs();
    for (let looks = 0; ; looks++) {
      // oxlint-disable-next-line no-await-in-loop -- one look after the other
      const mistakes = await this.#look();
      if (mistakes.length === 0) return;
      const error = this.#mismatch(mistakes);
      if (clock.nowMs() - beganMs >= SETTLE_MS) throw error;
      if (looks === 0) {
        log.info(
          { error },
          'the mapping does not go with the tables as the stream knows them so far; it is waited for',
        );
      }
      // oxlint-disable-next-line no-await-in-loop -- as above
      await clock.sleep(LOOK_AGAIN_MS, signal);
    }
  }

  async #look(): Promise<readonly Finding[]> {
    const { mapping, directory, tables, patches } = this.#options;
    const known = await tables();
    // Every pattern would be one that matches nothing so far. Each table is looked at when its first row comes.
    if (known.length === 0) return [];
    const findings = await checkSink(mapping, { directory, tables: known, patches });
    for (const finding of findings) if (finding.level === 'warning') this.#warn(finding);
    return findings.filter(({ level }) => level === 'error');
  }

  #warn({ code, message, cure }: Finding): void {
    if (this.#logged.has(message)) return;
    this.#logged.add(message);
    this.#options.log.warn({ code, ...(cure === null ? {} : { cure }) }, message);
  }

  #mismatch(mistakes: readonly Finding[]): TidingsError {
    const { sink, stream } = this.#options;
    const told = mistakes
      .slice(0, MISTAKES_MAX)
      .map(({ message, cure }) => message + (cure === null ? '' : ` (${cure})`));
    const more = mistakes.length > told.length ? `; and ${mistakes.length - told.length} more` : '';
    return new TidingsError(
      'MAPPING_INVALID',
      `the mapping of sink ${sink} does not go with the tables of stream ${stream}: ${told.join('; ')}${more}`,
      {
        hint: `Correct the rules in the configuration and start the relay again; \`tidings preview --sink ${sink}\` shows what they make of the last changes.`,
        details: { sink, stream, mistakes: mistakes.length },
        retry: 'operator',
      },
    );
  }
}
