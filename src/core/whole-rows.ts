import { TidingsError } from './errors.ts';
import type { SinkTarget } from './sink.ts';

/** For sinks that cannot change parts of documents. @throws TidingsError SINK_SCHEMA_CONFLICT for targets of which rows bring parts only */
export function checkWholeRows({ table, patched = [] }: SinkTarget): void {
  if (patched.length === 0) return;
  const target = `${table.database}.${table.name}`;
  throw new TidingsError('SINK_SCHEMA_CONFLICT', `${target}: this sink cannot change a part of ${patched.join(', ')}`, {
    hint: 'Map the tables to targets of their own: without `into`, and with documents that are logged as a whole (binlog_row_image=FULL).',
    details: { target },
  });
}
