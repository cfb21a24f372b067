import { DatabaseSync } from 'node:sqlite';
import { TidingsError } from '../../core/errors.ts';

/** SQLite's primary result code of a lock that somebody else has: https://sqlite.org/rescode.html#busy */
const BUSY = 5;

/**
 * A lock between processes that ends with its process, however that ends: SQLite's on a database that stays empty, as Node itself has no call
 * for locks. Two objects of one process exclude each other as well.
 */
export class FileLock {
  readonly #path: string;
  readonly #database: DatabaseSync;

  /** Makes the file where it is missing, and takes no lock yet. @throws TidingsError DIRECTORY_UNUSABLE */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#database = new DatabaseSync(path, { timeout: 0 });
    } catch (error) {
      throw this.#unusable(error);
    }
  }

  /** False when somebody else has it. */
  tryLock(): boolean {
    try {
      // Nothing is ever written, so that there is nothing to roll back: no file for it either.
      this.#database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
      return true;
    } catch (error) {
      if (error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === BUSY) return false;
      throw this.#unusable(error);
    }
  }

  unlock(): void {
    this.#database.exec('ROLLBACK');
  }

  /** Lets go of it, too. Idempotent. */
  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #unusable(error: unknown): TidingsError {
    return new TidingsError('DIRECTORY_UNUSABLE', `the file sink cannot lock ${this.#path}`, {
      cause: error,
      details: { path: this.#path },
      hint: 'Check that its directory exists on a disk with working file locks, and that the user whom the process runs as may write there.',
    });
  }
}
