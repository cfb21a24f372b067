import type { Position } from '../core/position.ts';

/** Where in a binlog something is, for formats that tell it in this way. */
export interface BinlogPlace {
  readonly file: string;
  readonly offset: number;
}

/**
 * The binlog file and offset of a position that shows them as properties, else null. A position's text is never taken apart:
 * only its source understands it.
 */
export function binlogPlace(position: Position): BinlogPlace | null {
  if (!('file' in position) || !('offset' in position)) return null;
  const { file, offset } = position;
  if (typeof file !== 'string' || file === '') return null;
  if (typeof offset !== 'number' && typeof offset !== 'bigint') return null;
  return { file, offset: Number(offset) };
}
