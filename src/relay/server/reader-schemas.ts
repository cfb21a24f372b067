import { SNAPSHOT_BOUNDS } from '../../core/snapshots/request-bounds.ts';
import { count, type JsonSchema, object, scn, time } from './json-schema.ts';

/** The schemas of rows for one reader, by name. */
export const READER_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  ReaderRequest: object(
    {
      tables: {
        type: 'array',
        items: { type: 'string', minLength: 1, maxLength: SNAPSHOT_BOUNDS.pattern },
        minItems: 1,
        maxItems: SNAPSHOT_BOUNDS.tables,
        description: "Patterns, as a reading's `tables`: rows of no others are read. Without it: all tables.",
      },
      truncate: {
        type: 'boolean',
        description: 'The reader is told to empty each table before its first row: it may have rows that are gone.',
      },
    },
    ['tables', 'truncate'],
  ),
  ReaderStart: object({
    created: time('When the log was made. With the name of the stream it tells it from one that replaced it.'),
    after: scn('All of the rows lie behind this SCN.'),
    snapshot: count('The number of the snapshot that brings them.'),
  }),
};
