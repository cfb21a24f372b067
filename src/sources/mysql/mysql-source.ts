import { Backoff } from '../../base/backoff.ts';
import { systemClock } from '../../base/clock.ts';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import type { Position } from '../../core/position.ts';
import { isTransient } from '../../core/retry.ts';
import type { SnapshotReader } from '../../core/snapshot.ts';
import type { ChangeBatch, Source, SourceHealth } from '../../core/source.ts';
import { type MysqlSourceOptions, type MysqlSourceSettings, parseMysqlSourceOptions } from './config.ts';
import { type MysqlPosition, parsePositionRequest, type PositionRequest } from './mysql-position.ts';
import { parseMysqlUrl } from '../../drivers/mysql/mysql-url.ts';
import type { ServerAddress } from '../../drivers/mysql/connect.ts';
import { MysqlSnapshotReader } from './snapshot/mysql-snapshot-reader.ts';
import { TableSelection } from './table-selection.ts';
import { type OpenStream, openStream, type Resume, type StreamOptions } from './stream/open-stream.ts';
import { pump } from './stream/pump.ts';

/**
 * The changes of a MySQL or MariaDB server, from its binary log. docs/connectors/mysql.md is its page.
 *
 * This file is its life: connect, read, and after a failure that a new connection may cure, connect again and go on from the end
 * of the last complete transaction. What the bytes mean is decided in `stream/assembler.ts`.
 */
export class MysqlSource implements Source {
  readonly type = 'mysql';
  readonly #settings: MysqlSourceSettings;
  readonly #address: ServerAddress;
  readonly #replicas: readonly ServerAddress[];
  readonly #selection: TableSelection;
  readonly #from: PositionRequest;
  readonly #until: PositionRequest | null;
  #position: MysqlPosition | null = null;
  #reading = false;
  #abort: AbortController | null = null;
  #iteration: AsyncGenerator<ChangeBatch, void, undefined> | null = null;
  #closed = false;
  readonly #former: StreamOptions['former'] = { connection: null };
  #stream: OpenStream | null = null;
  #heardMs: number | null = null;
  #connections = 0;
  #lost: unknown = null;
  readonly #started = Promise.withResolvers<Position>();
  readonly #hurry = { on: false };

  /** @throws TidingsError CONFIG_INVALID, POSITION_INVALID */
  constructor(options: MysqlSourceOptions) {
    this.#settings = parseMysqlSourceOptions(options);
    this.#address = { ...parseMysqlUrl(this.#settings.url), answerTimeoutMs: this.#settings.answerTimeoutMs };
    this.#replicas = this.#settings.replicas.map((url) => parseMysqlUrl(url));
    const { tables, exclude, columns, from, until } = this.#settings;
    this.#selection = new TableSelection({ tables, exclude, columns, database: this.#address.database });
    this.#from = parsePositionRequest(from);
    this.#until = until === undefined ? null : parsePositionRequest(until);
    if (this.#until?.kind === 'earliest' || this.#until?.kind === 'time') {
      throw new TidingsError('POSITION_INVALID', `"${until}" is no place to end at`, {
        hint: 'Give `now`, `file:offset`, or GTIDs.',
      });
    }
    // Whoever does not wait for it must not be bothered by its failure: the iteration throws the same error.
    this.#started.promise.catch(() => undefined);
  }

  get position(): Position | null {
    return this.#position;
  }

  health(): SourceHealth {
    return {
      connected: this.#stream !== null,
      heardMs: this.#stream?.heardMs ?? this.#heardMs,
      connections: this.#connections,
      error: this.#lost,
    };
  }

  /** Resolves with the start position once it is fixed: everything committed from then on will be handed over. */
  ready(): Promise<Position> {
    return this.#started.promise;
  }

  async openSnapshots(): Promise<SnapshotReader> {
    return new MysqlSnapshotReader({
      address: this.#address,
      selection: this.#selection,
      json: this.#settings.json,
      replicas: this.#replicas,
      streamServer: () => this.#former.connection?.server ?? null,
    });
  }

  /** While on, positions are handed over as soon as they move. */
  hurry(on: boolean): void {
    this.#hurry.on = on;
  }

  batches(): AsyncGenerator<ChangeBatch, void, undefined> {
    const iteration: AsyncGenerator<ChangeBatch, void, undefined> = this.#iterate(() => {
      this.#iteration = iteration;
    });
    return iteration;
  }

  async *#iterate(begins: () => void): AsyncGenerator<ChangeBatch, void, undefined> {
    if (this.#reading) throw new TidingsError('SOURCE_ALREADY_READING', 'this source is being read already');
    if (this.#closed) return;
    this.#reading = true;
    const abort = new AbortController();
    this.#abort = abort;
    begins();
    const { signal } = this.#settings;
    const stop = (): void => abort.abort();
    if (signal?.aborted === true) stop();
    signal?.addEventListener('abort', stop);
    try {
      yield* this.#read(abort.signal);
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#reading = false;
      this.#abort = null;
      this.#started.reject(new TidingsError('CONNECTION_LOST', 'the source was closed before it had a position'));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#abort?.abort();
    // Ends also an iteration that nobody asks for its next batch: it would wait at its `yield` for ever.
    await this.#iteration?.return();
  }

  async *#read(signal: AbortSignal): AsyncGenerator<ChangeBatch, void, undefined> {
    const { log, reconnect, waitForServer } = this.#settings;
    const backoff = new Backoff(reconnect);
    let resume: Resume | null = null;
    let diagnosing = false;
    while (!signal.aborted) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- connections follow one another
        const stream = await openStream({
          settings: this.#settings,
          address: this.#address,
          selection: this.#selection,
          from:
            this.#position === null || resume !== null ? this.#from : { kind: 'position', position: this.#position },
          until: this.#until,
          resume,
          signal,
          former: this.#former,
          hurry: this.#hurry,
        });
        this.#stream = stream;
        this.#connections++;
        this.#lost = null;
        resume = stream.resume;
        this.#position ??= stream.resume.position;
        this.#started.resolve(this.#position);
        for (;;) {
          // oxlint-disable-next-line no-await-in-loop -- batches follow one another
          const batch = await pump(stream, signal);
          if (batch === null) return;
          backoff.reset();
          diagnosing = false;
          yield batch;
          // The consumer has asked for more: it has left this batch behind.
          this.#position = batch.position as MysqlPosition;
        }
      } catch (error) {
        if (signal.aborted) return;
        const first = resume === null;
        // The server's own words do not tell a binlog that was reset from one that is damaged: a new connection's checks do.
        const undiagnosed: boolean =
          resume !== null && !diagnosing && isTidingsError(error) && error.code === 'BINLOG_UNAVAILABLE';
        diagnosing ||= undiagnosed;
        if ((!isTransient(error) && !undiagnosed) || (first && !waitForServer)) {
          this.#started.reject(error);
          throw error;
        }
        this.#lost = error;
        const delayMs = backoff.nextDelayMs();
        log[backoff.atCeiling ? 'warn' : 'info'](
          { error, failures: backoff.failures, delayMs, position: resume === null ? null : String(resume.position) },
          'connection to the server lost, connecting again',
        );
        // oxlint-disable-next-line no-await-in-loop -- the pause between two attempts
        await systemClock.sleep(delayMs, signal).catch(() => undefined);
      } finally {
        this.#heardMs = this.#stream?.heardMs ?? this.#heardMs;
        this.#stream = null;
        resume?.stream?.close();
      }
    }
  }
}
