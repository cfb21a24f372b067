import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { parseExactJson } from '../base/exact-json.ts';
import { isTidingsError } from '../core/errors.ts';
import { keyListOf, type RowKey } from '../core/snapshots/key-list.ts';
import { SNAPSHOT_BOUNDS } from '../core/snapshots/request-bounds.ts';
import { usageError } from './arguments.ts';
import type { CliContext } from './context.ts';

/** With line ends and blanks, which do not count. */
const INPUT_BYTES_MAX = 2 * SNAPSHOT_BOUNDS.keyBytes;

/**
 * The keys that `--keys` names: the list itself as JSON (`[7, 8]`), `-` for stdin, or a file. In these each line is the JSON of one key.
 *
 * @throws TidingsError CONFIG_INVALID that shows no value; what the signal was aborted with
 */
export async function readKeys(named: string, context: CliContext): Promise<readonly RowKey[]> {
  const keys = named.startsWith('[') ? inlineKeys(named) : linesOf(await readInput(named, context));
  try {
    // What the relay would refuse is not sent.
    keyListOf(keys);
  } catch (error) {
    throw isTidingsError(error) ? usageError(`--keys: ${error.message}`, error.hint) : error;
  }
  return keys as readonly RowKey[];
}

function inlineKeys(text: string): readonly unknown[] {
  try {
    return parseExactJson(text) as readonly unknown[];
  } catch {
    throw usageError(
      '--keys is no JSON list',
      'Write --keys \'[7, 8]\', or \'[[7, "a"], [8, "b"]]\' for keys of two columns.',
    );
  }
}

function linesOf(text: string): readonly unknown[] {
  const keys: unknown[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      keys.push(parseExactJson(line));
    } catch {
      throw usageError(
        `--keys: line ${index + 1} is no JSON`,
        'Each line is one key: a number, a text in quotes, or a list of them in brackets for a key of several columns.',
      );
    }
  }
  return keys;
}

async function readInput(named: string, { cwd, stdin, stop }: CliContext): Promise<string> {
  stop.throwIfAborted();
  const input: Readable = named === '-' ? stdin : createReadStream(resolve(cwd, named));
  const end = (): void => void input.destroy();
  stop.addEventListener('abort', end);
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of input as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > INPUT_BYTES_MAX) {
        throw usageError(
          `--keys has more than ${INPUT_BYTES_MAX} bytes`,
          `Ask for up to ${SNAPSHOT_BOUNDS.keys} rows at a time, or for rows by a condition with --where.`,
        );
      }
      chunks.push(chunk);
    }
    stop.throwIfAborted();
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    stop.throwIfAborted();
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!/^E[A-Z]+$/.test(code)) throw error;
    throw usageError(
      code === 'ENOENT' ? `--keys: there is no such file` : `--keys: the file cannot be read: ${code}`,
      "Name a file with a key in each line, or - for stdin; or write the list itself: '[7, 8]'.",
    );
  } finally {
    stop.removeEventListener('abort', end);
  }
}
