import { ERROR_CATALOG } from '../../src/core/error-catalog.ts';
import { isTidingsError, type TidingsError } from '../../src/core/errors.ts';
import type { Logger } from '../../src/core/logger.ts';
import type { MysqlSourceOptions } from '../../src/sources/mysql/config.ts';
import { MysqlSource } from '../../src/sources/mysql/mysql-source.ts';
import { WalkRecorder } from './walk.ts';

/** Options for tests: heartbeats every 100 ms (a stall is noticed after one second), and no pause before connecting again. */
const QUICK: Omit<MysqlSourceOptions, 'url'> = {
  tables: ['walk.*'],
  heartbeatMs: 100,
  answerTimeoutMs: 10_000,
  reconnect: { delayMinMs: 1, delayMaxMs: 20 },
};

/** A source that is read in the background, all of it taken down by a recorder. */
export class Follower implements AsyncDisposable {
  readonly source: MysqlSource;
  readonly recorder: WalkRecorder = new WalkRecorder();
  /** Codes of the errors after which it connected again. */
  readonly reconnects: string[] = [];
  /** Rejects with what stopped the source. */
  readonly finished: Promise<void>;
  #last: string | null = null;

  constructor(options: MysqlSourceOptions) {
    this.source = new MysqlSource({ ...QUICK, log: reconnectLogger((code) => this.reconnects.push(code)), ...options });
    this.finished = this.#read();
    this.finished.catch(() => undefined);
  }

  /** Starts reading, and resolves when the start position is fixed. */
  static async start(options: MysqlSourceOptions): Promise<Follower> {
    const follower = new Follower(options);
    // Should it fail instead, that is what is reported.
    await Promise.race([follower.source.ready(), follower.finished]);
    return follower;
  }

  /** Resolves when transaction n was seen whole; rejects when the source stops before. */
  async seen(n: number): Promise<void> {
    await Promise.race([this.recorder.untilSeen(n), this.#failure(`transaction ${n}`)]);
  }

  async until(condition: (recorder: WalkRecorder) => boolean): Promise<void> {
    await Promise.race([this.recorder.until(condition), this.#failure('the condition')]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.close();
    await this.finished.catch(() => undefined);
  }

  async #failure(what: string): Promise<never> {
    await this.finished;
    throw new Error(`the source ended before ${what} was there`);
  }

  async #read(): Promise<void> {
    const { source, recorder } = this;
    for await (const batch of source.batches()) {
      // I2: while this batch is being handled, the position is still the one before it.
      if (this.#last !== null && String(source.position) !== this.#last) {
        throw new Error(`the position is ${String(source.position)} before the batch behind ${this.#last} was left`);
      }
      recorder.take(batch);
      this.#last = String(batch.position);
    }
  }
}

/** Reads from a start to an end, all of it. */
export async function drain(options: MysqlSourceOptions): Promise<WalkRecorder> {
  await using follower = new Follower({ until: 'now', ...options });
  await follower.finished;
  return follower.recorder;
}

/** What a source stops with; it fails when it does not. */
export async function failureOf(options: MysqlSourceOptions): Promise<TidingsError> {
  await using follower = new Follower(options);
  return await stopsWith(follower);
}

/** The error that stops a follower. */
export async function stopsWith(follower: Follower): Promise<TidingsError> {
  const error: unknown = await follower.finished.then(
    () => new Error('the source ended without an error'),
    (cause: unknown) => cause,
  );
  if (!isTidingsError(error)) throw error;
  if (error.hint.length < 10 || !(error.code in ERROR_CATALOG)) throw new Error(`${error.code} has no remedy`);
  return error;
}

function reconnectLogger(onReconnect: (code: string) => void): Logger {
  const look = (fields: object): void => {
    const { error } = fields as { error?: unknown };
    if (isTidingsError(error)) onReconnect(error.code);
  };
  const logger: Logger = { debug: () => undefined, info: look, warn: look, error: look, child: () => logger };
  return logger;
}
