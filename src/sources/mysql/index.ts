// Public API of `tidings/mysql`.
export { mysqlEvents, type MysqlEventsOptions } from './mysql-events.ts';
export { MysqlSource } from './mysql-source.ts';
export type { MysqlSourceOptions } from './config.ts';
export type { TableEvents } from './events/table-events.ts';
export type { OnError } from './events/handler-calls.ts';
export type {
  ErrorListener,
  FailureDecision,
  HandlerFailure,
  KeyEvent,
  KeyListener,
  ListenerOf,
  PositionListener,
  RawEvent,
  RawListener,
  RowAction,
  SchemaEvent,
  SchemaListener,
  TextPositionListener,
  TruncateEvent,
  TruncateListener,
} from './events/event-types.ts';
