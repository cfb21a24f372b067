import { isTidingsError } from '../core/errors.ts';
import { type RefusedRow, RowsRefused, type SinkRow } from '../core/sink.ts';
import type { SinkLines } from './sink-lines.ts';

/** Lines are joined up to about so many characters. */
const CHUNK_CHARS = 1 << 16;

/**
 * The lines of a batch's rows with their ends, joined to texts of some size.
 *
 * @throws RowsRefused with all rows that have no exact form
 */
export function batchLines(rows: readonly SinkRow[], lines: SinkLines): string[] {
  const texts: string[] = [];
  const refused: RefusedRow[] = [];
  let text = '';
  for (const [index, row] of rows.entries()) {
    try {
      lines.ofRow(row, (line) => {
        text += `${line}\n`;
      });
    } catch (error) {
      if (!isTidingsError(error)) throw error;
      refused.push({ index, error });
    }
    if (text.length < CHUNK_CHARS) continue;
    texts.push(text);
    text = '';
  }
  if (refused.length > 0) throw new RowsRefused(refused, { areOthersDurable: false });
  if (text !== '') texts.push(text);
  return texts;
}
