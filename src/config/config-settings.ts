import type { LogOptions, RetentionOptions, SnapshotOptions } from '../relay/relay-api.ts';
import type { HttpOptions } from '../relay/server/http-options.ts';

/** A configuration, checked and complete: what the relay and its server are opened with. */
export interface RelaySettings {
  /** Of the logs and the state. Absolute. */
  readonly directory: string;
  readonly http: HttpOptions;
  readonly streams: ReadonlyMap<string, StreamSettings>;
}

export interface StreamSettings {
  readonly source: SourceSettings;
  readonly partitions: number;
  readonly retention: RetentionOptions;
  readonly log: LogOptions;
  readonly snapshots: SnapshotOptions;
}

export interface SourceSettings {
  readonly type: string;
  /** With its credentials; never logged as it is. */
  readonly url: string;
  /** Where a new stream begins. */
  readonly from: string | undefined;
  /** Everything that the source's own schema yields, but `type` and `from`. */
  readonly options: Readonly<Record<string, unknown>> & { readonly url: string };
}
