import { Worker } from 'node:worker_threads';
import { TidingsError } from '../../core/errors.ts';
import { type Logger, silentLogger } from '../../core/logger.ts';
import type { GroupStore } from '../groups/group-store.ts';
import type { Snapshot, SnapshotStore } from '../../core/snapshots/snapshot-state.ts';
import type { TableNameStore } from '../snapshots/seen-tables.ts';
import { errorFromMessage, type StateReport, type StateRequest, type StateWorkerData } from './state-messages.ts';
import type { StateOperation, StateOperationKind, StateOperations } from './state-operations.ts';

export interface RelayStateOptions {
  /** The data directory; it must exist. */
  readonly directory: string;
  readonly log?: Logger;
  /** The text of TIDINGS_FAILPOINTS, for the state's own thread. */
  readonly failpoints?: string;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The relay's small state: the groups with their checkpoints, and what was told to streams. It is the file `<directory>/state.db`, and
 * holding it is the lock of the directory. All work on it is done in a thread of its own, so that who serves never waits for the disk;
 * what is asked for while the disk is busy shares the next transaction.
 *
 * A promise of a write resolves when it is durable. When it rejects, nothing of it was acknowledged; after a failure of the disk it may
 * still turn out to have been written.
 */
export class RelayState {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  /** Why nothing can be asked any more. */
  #ended: Error | null = null;

  private constructor(worker: Worker, directory: string, log: Logger) {
    this.#worker = worker;
    worker.on('message', (report: StateReport) => {
      if (report.type === 'answers') this.#settle(report);
    });
    worker.on('error', (error: unknown) => {
      log.error({ error }, "the thread of the relay's state failed");
      this.#end(
        new TidingsError('INTERNAL_ERROR', "the thread of the relay's state failed", {
          cause: error,
          details: { directory },
        }),
      );
    });
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#end(new TidingsError('RELAY_CLOSING', "the relay's state is closed", { details: { directory } }));
        resolve();
      });
    });
  }

  /**
   * @throws TidingsError DIRECTORY_IN_USE when another relay works on the directory, DIRECTORY_UNUSABLE, DISK_FULL, DISK_ERROR,
   *   STATE_DAMAGED, STATE_NEWER
   */
  static async open({ directory, log = silentLogger, failpoints }: RelayStateOptions): Promise<RelayState> {
    const workerData: StateWorkerData = { directory, failpoints: failpoints ?? null };
    // The compiler rewrites the extensions of imports only; this one is whatever the present file has.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./state-worker.${extension}`, import.meta.url), { workerData });
    await new Promise<void>((resolve, reject) => {
      let refusal: Error = new TidingsError('INTERNAL_ERROR', "the thread of the relay's state ended at once");
      const fail = (error: unknown): void => {
        refusal = error instanceof Error ? error : new Error(String(error));
      };
      // Only once the thread is gone is nothing of it left that holds the directory.
      const exit = (): void => reject(refusal);
      worker.once('error', fail);
      worker.once('exit', exit);
      worker.once('message', (report: StateReport) => {
        if (report.type === 'refused') {
          refusal = errorFromMessage(report.error);
          return;
        }
        worker.off('error', fail);
        worker.off('exit', exit);
        resolve();
      });
    });
    return new RelayState(worker, directory, log);
  }

  /** Its source is not to be read. */
  async isStreamPaused(stream: string): Promise<boolean> {
    return (await this.#ask('load-stream', { stream })).paused;
  }

  async setStreamPaused(stream: string, paused: boolean): Promise<void> {
    await this.#ask('pause-stream', { stream, paused });
  }

  /** The groups of one stream. */
  groups(stream: string): GroupStore {
    const ask = async <K extends StateOperationKind>(
      kind: K,
      request: StateOperations[K]['request'],
    ): Promise<void> => {
      await this.#ask(kind, request);
    };
    return {
      load: () => this.#ask('load-groups', { stream }),
      create: (group) => ask('create-group', { stream, ...group }),
      saveCheckpoints: (group, checkpoints) => ask('save-checkpoints', { stream, group, checkpoints }),
      replaceCheckpoints: (group, checkpoints) => ask('replace-checkpoints', { stream, group, checkpoints }),
      raiseEpochLimit: (group, epochLimit) => ask('raise-epoch-limit', { stream, group, epochLimit }),
      setPaused: (group, paused) => ask('pause-group', { stream, group, paused }),
      remove: (group) => ask('remove-group', { stream, group }),
    };
  }

  /** The snapshots of one stream. */
  snapshots(stream: string): SnapshotStore & { load(): Promise<readonly Snapshot[]> } {
    return {
      load: () => this.#ask('load-snapshots', { stream }),
      save: async (snapshot, { parts }) => {
        await this.#ask('save-snapshot', { stream, snapshot, parts });
      },
      savePart: async (id, part) => {
        await this.#ask('save-snapshot-part', { stream, id, part });
      },
    };
  }

  /** The tables of which one stream has had rows. */
  tables(stream: string): TableNameStore {
    return {
      load: () => this.#ask('load-tables', { stream }),
      add: async (tables) => {
        await this.#ask('add-tables', { stream, tables });
      },
    };
  }

  /** Carries out what was asked for, then lets go of the directory. Idempotent. */
  async close(): Promise<void> {
    if (this.#ended === null) {
      this.#ended = new TidingsError('RELAY_CLOSING', "the relay's state is being closed");
      this.#post({ type: 'close' });
    }
    await this.#exited;
  }

  #ask<K extends StateOperationKind>(
    kind: K,
    request: StateOperations[K]['request'],
  ): Promise<StateOperations[K]['answer']> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== null) {
        reject(this.#ended);
        return;
      }
      const id = ++this.#lastId;
      // The answer is of this kind, since it is the one to this id.
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#post({ type: 'operation', id, operation: { kind, ...request } as unknown as StateOperation });
    });
  }

  #post(request: StateRequest): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
    this.#worker.postMessage(request);
  }

  #settle({ answers }: Extract<StateReport, { readonly type: 'answers' }>): void {
    for (const answer of answers) {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ('error' in answer) waiting?.reject(errorFromMessage(answer.error));
      else waiting?.resolve(answer.answer);
    }
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
