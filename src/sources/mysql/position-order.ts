import { isTidingsError, TidingsError } from '../../core/errors.ts';
import { parsePositionRequest } from './mysql-position.ts';
import { compareFiles } from './server.ts';

/**
 * Whether position `a` is at or before position `b`: everything behind `b` is behind `a`, too. Both are texts of positions, GTIDs or
 * `file:offset`.
 *
 * @throws TidingsError POSITION_INVALID when one of them is no position, or the two are of different kinds or of different servers'
 *   files, so that nothing but the server could tell
 */
export function covers(a: string, b: string): boolean {
  const first = parsed(a, a, b);
  const second = parsed(b, a, b);
  if (first.kind === 'mysql-gtids' && second.kind === 'mysql-gtids') return second.set.contains(first.set);
  if (first.kind === 'mariadb-gtids' && second.kind === 'mariadb-gtids') return second.position.covers(first.position);
  if (first.kind === 'place' && second.kind === 'place' && baseName(first.place.file) === baseName(second.place.file)) {
    const files = compareFiles(first.place.file, second.place.file);
    return files < 0 || (files === 0 && first.place.offset <= second.place.offset);
  }
  throw notComparable(a, b);
}

function parsed(text: string, a: string, b: string): ReturnType<typeof parsePositionRequest> {
  try {
    return parsePositionRequest(text);
  } catch (error) {
    throw notComparable(a, b, isTidingsError(error) ? error : undefined);
  }
}

/** Without the number: files of one server have the same. */
function baseName(file: string): string {
  return file.slice(0, file.lastIndexOf('.'));
}

function notComparable(a: string, b: string, cause?: TidingsError): TidingsError {
  return new TidingsError('POSITION_INVALID', `it cannot be told whether "${a}" comes before "${b}"`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Give a position of the same kind as those of the source: GTIDs where it has them, otherwise `file:offset`.',
    details: { first: a, second: b },
  });
}
