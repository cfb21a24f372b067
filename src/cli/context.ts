import type { Readable } from 'node:stream';
import type { Logger } from '../core/logger.ts';
import type { SinkTypes, SourceTypes } from '../registry.ts';
import type { CommandArguments } from './arguments.ts';
import { createLogger } from './logger.ts';
import type { Output } from './output.ts';
import type { Redact } from './redact.ts';
import { type Environment, parseLogLevel } from './source-arguments.ts';

/** All that a command touches of the world: nothing else of the process is used below `main.ts`. */
export interface CliContext {
  readonly stdout: Output;
  readonly stderr: {
    readonly isTerminal: boolean;
    write(text: string): void;
  };
  readonly stdin: Readable;
  readonly env: Environment;
  /** The working directory. */
  readonly cwd: string;
  /** Every text on stderr goes through it. */
  readonly redact: Redact;
  /** Takes these out of every text on stderr from now on, too. */
  readonly hide: (secrets: readonly string[]) => void;
  /** Asks the person at the terminal. Null where there is none to ask. */
  readonly confirm: ((question: string) => Promise<boolean>) | null;
  /** Aborted by the first Ctrl-C or SIGTERM. The second one ends the process. */
  readonly stop: AbortSignal;
  readonly sources: SourceTypes;
  readonly sinks: SinkTypes;
  readonly version: string;
}

/** The command's log on stderr: lines for a person at a terminal, else JSON. */
export function commandLog(args: CommandArguments, { stderr, redact }: CliContext): Logger {
  return createLogger({
    write: (text) => stderr.write(text),
    level: parseLogLevel(args),
    human: stderr.isTerminal,
    redact,
  });
}

/** https://no-color.org: set and not empty means no colours. */
export function wantsColor(isTerminal: boolean, env: Environment): boolean {
  return isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}
