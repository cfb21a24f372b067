import { TidingsError } from '../core/errors.ts';
import { escapeTerminalControls } from '../formats/json-text.ts';
import { type Output, OutputClosedError } from './output.ts';

/**
 * Stdout for several who print lines of JSON without knowing of each other: one text after the other. Resolves when the reader has taken it.
 *
 * @returns what throws TidingsError OUTPUT_CLOSED when there is no reader any more
 */
export function sharedOutput(output: Output): (text: string) => Promise<void> {
  let tail: Promise<unknown> = Promise.resolve();
  return (text) => {
    const printed = tail.then(() => output.write(output.isTerminal ? escapeTerminalControls(text) : text));
    tail = printed.catch(() => {});
    return printed.catch((error: unknown) => {
      if (!(error instanceof OutputClosedError)) throw error;
      throw new TidingsError('OUTPUT_CLOSED', error.message, { cause: error });
    });
  };
}
