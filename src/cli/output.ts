import { write as writeFd } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Where a command prints its results. */
export interface Output {
  readonly isTerminal: boolean;
  /** Columns of the terminal now; null when it is none. */
  readonly columns: number | null;
  /**
   * Resolves when the reader's side took all of it, however slow it is: awaiting it is what bounds memory (I7).
   * Calls must not overlap. Rejects with OutputClosedError when there is no reader any more.
   */
  write(text: string): Promise<void>;
}

/** The reader went away (`| head`). Not a failure: there is nobody left to print for. */
export class OutputClosedError extends Error {
  override readonly name: string = 'OutputClosedError';
}

const write = promisify(writeFd);

/** A pipe that another process set to non-blocking says "full" instead of waiting. */
const RETRY_FULL_MS = 2;

/**
 * Prints to a file descriptor.
 *
 * Not `process.stdout`: its writes to pipes and files are synchronous, so a reader that stalls would stall the whole process,
 * with the connection's heartbeats and Ctrl-C. These writes wait in a thread of the pool.
 */
export class FdOutput implements Output {
  readonly #fd: number;
  readonly #terminal: { readonly isTTY?: boolean; readonly columns?: number };

  constructor(fd: number, terminal: { readonly isTTY?: boolean; readonly columns?: number }) {
    this.#fd = fd;
    this.#terminal = terminal;
  }

  get isTerminal(): boolean {
    return this.#terminal.isTTY === true;
  }

  get columns(): number | null {
    return this.isTerminal ? (this.#terminal.columns ?? 80) : null;
  }

  async write(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    for (let offset = 0; offset < bytes.length;) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- what the last write left over comes next
        const { bytesWritten } = await write(this.#fd, bytes, offset);
        offset += bytesWritten;
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === 'EPIPE') throw new OutputClosedError('nobody reads the output any more', { cause: error });
        if (code !== 'EAGAIN') throw error;
        // oxlint-disable-next-line no-await-in-loop -- the pipe is full
        await sleep(RETRY_FULL_MS);
      }
    }
  }
}
