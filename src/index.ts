// Public API of `tidings`: the nouns, the contract of a source, and what a source's author needs.
export type {
  Change,
  ChangeKind,
  JsonValue,
  Row,
  SchemaChange,
  TransactionInfo,
  Truncation,
  Value,
} from './core/change.ts';
export type { Position } from './core/position.ts';
export type { Column, ColumnType, TableSchema } from './core/table-schema.ts';
export type { ChangeBatch, DecodedRows, Entry, RowBatch, Source, TransactionPart } from './core/source.ts';
export { plainRowBatch, type Key, type PlainRows, type PlainUpdate } from './core/plain-rows.ts';
export { transactionsOf, type Transaction } from './core/transactions-of.ts';
export { ERROR_CATALOG, type ErrorCode, type ErrorEntry } from './core/error-catalog.ts';
export { isTidingsError, TidingsError, type RetryDirective, type TidingsErrorOptions } from './core/errors.ts';
export { retry, type RetryOptions } from './core/retry.ts';
export type { BackoffLimits } from './base/backoff.ts';
export { systemClock, type Clock } from './base/clock.ts';
export { silentLogger, type Logger } from './core/logger.ts';
export { defineConfig } from './config/define-config.ts';
export { openRelay, type OpenRelayOptions } from './config/open-relay.ts';
export type { Relay } from './relay/relay.ts';
export type {
  ChangeStream,
  CheckpointStore,
  CommitOutcome,
  ConsumerBatch,
  NamedCheckpointStore,
  StartAt,
  StreamChange,
  StreamEntry,
  StreamOptions,
} from './core/consumer.ts';
export type {
  Duration,
  HttpConfig,
  LogConfig,
  MysqlSourceConfig,
  ReconnectConfig,
  RelayConfig,
  RetentionConfig,
  Size,
  StreamConfig,
  TlsConfig,
  TokenConfig,
} from './config/config-types.generated.ts';
