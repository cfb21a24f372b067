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
} from '../core/consumer.ts';
export { isTidingsError, TidingsError } from '../core/errors.ts';
export { type BoundCheckpointStore, memoryCheckpoints } from './checkpoint-stores.ts';
export { connect, type ConnectOptions, type GroupSummary, type RelayClient, type StreamSummary } from './connect.ts';
export { fileCheckpoints } from './file-checkpoints.ts';
export type { TlsOptions } from './http-requests.ts';
export type { StreamName } from './transport.ts';
