// Public API of `tidings`: the nouns, the contracts of sources, sinks and hooks, and what their authors need.
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
export type { RowsExtent, StoredRows } from './core/rows/stored-rows.ts';
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
export {
  RowsRefused,
  type NestedKey,
  type NestedPatch,
  type NestedPath,
  type RefusedRow,
  type RowPack,
  type RowPacking,
  type Sink,
  type SinkBatch,
  type SinkCheckpoint,
  type SinkContext,
  type SinkPromise,
  type SinkRow,
  type SinkTarget,
  type TargetPlan,
} from './core/sink.ts';
export { applyNestedPatches, DocumentUnfit } from './core/nested-patches.ts';
export { checkWholeRows } from './core/whole-rows.ts';
export type { MappedRow } from './core/mapper.ts';
export type { MakeSink } from './sinks/module/load-sink-module.ts';
export type { HookContext, HookRow, HookTarget, MappingHooks } from './mapping/hooks.ts';
export type { LookupDefinition, LookupKey } from './mapping/lookups.ts';
export type {
  Duration,
  ExecSinkConfig,
  FileRotationConfig,
  FileSinkConfig,
  HttpConfig,
  LogConfig,
  MappingColumnConfig,
  MappingDefaultsConfig,
  MappingExpressionConfig,
  MappingRenameConfig,
  MappingRuleConfig,
  MappingSoftDeleteConfig,
  ModuleSinkConfig,
  ModuleSinkShortConfig,
  MysqlSinkConfig,
  MysqlSourceConfig,
  ReconnectConfig,
  RelayConfig,
  RetentionConfig,
  SinkBatchConfig,
  SinkRetryConfig,
  Size,
  SnapshotLimitsConfig,
  StreamConfig,
  TlsConfig,
  TokenConfig,
} from './config/config-types.generated.ts';
