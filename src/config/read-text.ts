import { readFileSync } from 'node:fs';

/** The file holds other bytes than UTF-8. */
export class NotTextError extends Error {
  override readonly name: string = 'NotTextError';
}

/**
 * A text file. Bytes that are no UTF-8 would otherwise become question marks, in a password as well; a byte order mark is none of the text.
 *
 * @throws NotTextError, and what the system says
 */
export function readText(path: string): string {
  const bytes = readFileSync(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new NotTextError('the file is no text in UTF-8', { cause: error });
  }
}
