import { type ChildProcessByStdio, spawn } from 'node:child_process';
// oxlint-disable-next-line no-restricted-imports -- a whole process group can be told by nothing else
import { kill } from 'node:process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ExecExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A command that goes on after its last line is cut off so much later. */
const OUTPUT_GRACE_MS = 1000;
/** Longer lines of a command are passed on in pieces (I7). */
const LINE_CHARS_MAX = 1024 * 1024;

const running = new Set<ExecProcess>();

/** All that run, with what they have started: for a process that ends without waiting for them, so that none outlives it. */
export function killCommands(): void {
  for (const command of running) command.kill('SIGKILL');
}

/**
 * One run of a shell command that is fed through its stdin. It is the head of a process group of its own: Ctrl-C at
 * the terminal reaches us, and we end it in order.
 */
export class ExecProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable | null>;
  /** Resolves when it has ended and its output was read. */
  readonly exit: Promise<ExecExit>;
  #ended: ExecExit | null = null;
  #writeFailed = false;

  /**
   * @param takeLine gets each line of its stdout, without the line end; it is read no faster than this resolves
   * @param takeError gets each line of its stderr; left out, its stderr is ours
   */
  constructor(command: string, takeLine: (line: string) => Promise<void>, takeError?: (line: string) => void) {
    const options = { shell: true, detached: true } as const;
    this.#child =
      takeError === undefined
        ? spawn(command, { ...options, stdio: ['pipe', 'pipe', 'inherit'] })
        : spawn(command, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
    if (takeError !== undefined && this.#child.stderr !== null) {
      void readLines(this.#child.stderr, (line) => Promise.resolve(takeError(line))).catch(() => {});
    }
    // Nobody reads its stdin any more: its exit says why.
    this.#child.stdin.on('error', () => {
      this.#writeFailed = true;
    });
    running.add(this);
    this.exit = this.#watch(takeLine).finally(() => running.delete(this));
    // Whoever waits for it gets the failure; that nobody does yet is no failure of its own.
    this.exit.catch(() => {});
  }

  get ended(): ExecExit | null {
    return this.#ended;
  }

  /** Resolves when the pipe took the text, or when nobody reads it any more. */
  async write(text: string): Promise<void> {
    const { stdin } = this.#child;
    if (this.#writeFailed || stdin.destroyed || stdin.writableEnded) return;
    await new Promise<void>((resolve) => {
      stdin.write(text, () => resolve());
    });
  }

  /** The end of its input. */
  endInput(): void {
    this.#child.stdin.end();
  }

  /** To it and all that it has started. */
  kill(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#ended !== null) return;
    try {
      kill(-pid, signal);
    } catch {
      // It has just ended.
    }
  }

  #cutOff(): void {
    this.#child.stdout.destroy();
    this.#child.stderr?.destroy();
  }

  async #watch(takeLine: (line: string) => Promise<void>): Promise<ExecExit> {
    const exited = new Promise<ExecExit>((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    const output = readLines(this.#child.stdout, takeLine);
    const exit = await exited;
    const ended = new AbortController();
    // What it has started may hold on to the pipe.
    const late = sleep(OUTPUT_GRACE_MS, undefined, { signal: ended.signal }).then(
      () => this.#cutOff(),
      () => {},
    );
    try {
      await Promise.race([output, late]);
    } finally {
      ended.abort();
    }
    this.#ended = exit;
    return exit;
  }
}

async function readLines(stream: Readable, takeLine: (line: string) => Promise<void>): Promise<void> {
  let rest = '';
  try {
    for await (const chunk of stream.setEncoding('utf8')) {
      rest += chunk as string;
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_CHARS_MAX) {
        lines.push(rest);
        rest = '';
      }
      // oxlint-disable-next-line no-await-in-loop -- in order, and no faster than they are taken
      for (const line of lines) await takeLine(line);
    }
  } catch (error) {
    // It was cut off after its process had ended.
    if (!stream.destroyed) throw error;
  }
  if (rest !== '') await takeLine(rest);
}
