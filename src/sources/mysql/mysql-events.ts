import { TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { SnapshottingSource } from '../../core/snapshots/snapshotting-source.ts';
import type { OnError } from './events/handler-calls.ts';
import { TableEvents } from './events/table-events.ts';
import type { MysqlSourceOptions } from './config.ts';
import { MysqlSource } from './mysql-source.ts';

/** Options of `mysqlEvents`. Whatever is not listed here is MysqlSource's, and means the same. */
export interface MysqlEventsOptions extends Omit<
  MysqlSourceOptions,
  'url' | 'tables' | 'replicas' | 'json' | 'log' | 'signal'
> {
  /**
   * `orders`, `shop.orders`, `shop.*`, `/regular expression/`. A name without a point means the URL's database, and that table of
   * any database when the URL names none.
   * @default all tables of the URL's database; of every database when the URL names none
   */
  readonly tables?: readonly string[];
  /**
   * How many handlers may run at a time. With 1 they follow one another in the order of the stream; with more, events of different
   * keys run side by side, and those of one key still follow one another.
   * @default 1
   */
  readonly concurrency?: number;
  /**
   * What to do when a handler throws: `stop` (the stream ends with EVENT_HANDLER_FAILED, the position stays before the
   * transaction), `skip` (a warning, and on), `retry`, or a function that decides for each failure, and may wait before it does.
   * @default 'stop'
   */
  readonly onError?: OnError;
  /** JSON columns as JavaScript values, or as the server's own text. @default 'parsed' */
  readonly json?: 'parsed' | 'text';
  readonly log?: Logger;
  /** Ends the stream as `stop` does: handlers at work finish, and no error is raised. */
  readonly signal?: AbortSignal;
  /**
   * Start without being told, once the code that adds the first listeners has run. `start()` and `run()` may still be called, to wait
   * for the start or the end.
   * @default true
   */
  readonly autoStart?: boolean;
  /**
   * Begin with the rows that exist: a `write` event for each, marked `snapshot`, among those of the changes that happen meanwhile. For
   * `from` there is no place then.
   * @default false
   */
  readonly snapshot?: boolean;
}

/**
 * The changes of a MySQL or MariaDB server as named events that carry primary keys: docs/concepts/events.md.
 *
 *     const events = mysqlEvents('mysql://root@127.0.0.1/test');
 *     events.on('test_update', (pk) => cache.delete(pk));
 */
export function mysqlEvents(url: string, options?: MysqlEventsOptions): TableEvents;
export function mysqlEvents(options: MysqlEventsOptions & { readonly url: string }): TableEvents;
export function mysqlEvents(
  first: string | (MysqlEventsOptions & { readonly url: string }),
  second: MysqlEventsOptions = {},
): TableEvents {
  const {
    url,
    tables,
    concurrency,
    onError,
    json = 'parsed',
    log,
    signal,
    autoStart = true,
    snapshot = false,
    ...source
  } = typeof first === 'string' ? { ...second, url: first } : first;
  if (snapshot && source.from !== undefined) {
    throw new TidingsError('CONFIG_INVALID', '`snapshot` begins with the present rows, and `from` somewhere else');
  }
  return new TableEvents({
    // The signal is not the source's: an abort must let the handlers at work finish.
    openSource: ({ tables: watched, from: place }) => {
      const opened = new MysqlSource({
        ...source,
        url,
        json,
        tables: watched,
        ...(place === null ? {} : { from: place }),
        ...(log === undefined ? {} : { log }),
      });
      // Only at the first start: opened again, the stream goes on.
      return snapshot && place === null ? new SnapshottingSource(opened, log === undefined ? {} : { log }) : opened;
    },
    // Written out, so that tables can be added to it: a bare star is every table of the URL's database.
    tables: tables === undefined || tables.length === 0 ? ['*'] : tables,
    concurrency,
    onError,
    log,
    signal,
    autoStart,
  });
}
