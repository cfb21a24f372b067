import type { BackoffLimits } from '../base/backoff.ts';
import type { BootstrapMode } from '../core/consumer.ts';
import type { BatchLimits } from '../delivery/delivery-types.ts';
import type { MappingConfig } from '../mapping/mapping-config.ts';
import type { LogOptions, RetentionOptions, SnapshotOptions } from '../relay/relay-api.ts';
import type { HttpOptions } from '../relay/server/http-options.ts';

/** A configuration, checked and complete: what the relay and its server are opened with. */
export interface RelaySettings {
  /** Of the logs and the state. Absolute. */
  readonly directory: string;
  readonly http: HttpOptions;
  readonly streams: ReadonlyMap<string, StreamSettings>;
  readonly sinks: ReadonlyMap<string, SinkSettings>;
  /** Where relative paths begin. Absolute. */
  readonly configDirectory: string;
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

export interface SinkSettings {
  readonly type: string;
  readonly stream: string;
  /** Null: the relay of this configuration. */
  readonly relay: { readonly url: string; readonly token: string | undefined } | null;
  readonly order: 'key' | 'transaction';
  readonly lanes: number;
  /** `rowsMax` null: as many as suit the type. */
  readonly batch: Omit<BatchLimits, 'rowsMax'> & { readonly rowsMax: number | null };
  readonly onRowError: 'park' | 'stop';
  readonly parkedMax: number;
  readonly bootstrap: BootstrapMode;
  /** As the configuration has it. */
  readonly from: string;
  readonly backoff: BackoffLimits;
  /** What the mapping's schema yields. */
  readonly mapping: MappingConfig;
  /** What the sink's own schema yields. */
  readonly options: Readonly<Record<string, unknown>>;
}
