import type { SourceTypes } from '../registry.ts';
import type { Output } from './output.ts';
import type { Redact } from './redact.ts';
import type { Environment } from './source-arguments.ts';

/** All that a command touches of the world: nothing else of the process is used below `main.ts`. */
export interface CliContext {
  readonly stdout: Output;
  readonly stderr: {
    readonly isTerminal: boolean;
    write(text: string): void;
  };
  readonly env: Environment;
  /** Every text on stderr goes through it. */
  readonly redact: Redact;
  /** Aborted by the first Ctrl-C or SIGTERM. The second one ends the process. */
  readonly stop: AbortSignal;
  readonly sources: SourceTypes;
  readonly version: string;
}

/** https://no-color.org: set and not empty means no colours. */
export function wantsColor(isTerminal: boolean, env: Environment): boolean {
  return isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}
