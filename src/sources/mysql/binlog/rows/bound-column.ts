import type { Column } from '../../../../core/table-schema.ts';
import type { Charset } from '../../charset/charset.ts';
import type { WireColumn } from '../table-map-event.ts';

/** A column of one TABLE_MAP, with its meaning: everything that code generation needs. */
export interface BoundColumn {
  readonly column: Column;
  readonly wire: WireColumn;
  /** Decoder of its text; null for columns without text. */
  readonly charset: Charset | null;
  /** False for columns that nobody asked for: their bytes are skipped. */
  readonly selected: boolean;
}
