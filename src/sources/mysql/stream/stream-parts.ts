import type { StreamPosition } from './stream-position.ts';
import type { TableResolver } from './table-resolver.ts';
import type { TransactionBuilder } from './transaction-builder.ts';

/** What all events of one stream have a part in. */
export interface StreamParts {
  readonly position: StreamPosition;
  readonly tables: TableResolver;
  readonly transactions: TransactionBuilder;
}
