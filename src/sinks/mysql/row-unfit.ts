import type { SinkRow } from '../../core/sink.ts';

/** A row that must not be written: what is against it was seen before anything was sent, or without an error of the server. */
export class RowUnfit extends Error {
  override readonly name: string = 'RowUnfit';
  readonly row: SinkRow;
  /** The row that it changes is not there. */
  readonly missing: boolean;

  constructor(row: SinkRow, reason: string, { missing = false }: { readonly missing?: boolean } = {}) {
    super(reason);
    this.row = row;
    this.missing = missing;
  }
}
