import type { BackoffLimits } from '../base/backoff.ts';
import type { BootstrapMode, ChangeStream, StartAt, StreamOptions } from '../core/consumer.ts';
import type { Mapper } from '../core/mapper.ts';
import type { Sink } from '../core/sink.ts';

/** With whole transactions there are no partitions: the one place in the stream is kept under this number. */
export const WHOLE_STREAM = -1;

/** What is to be known of a sink to run it. */
export interface SinkDefinition {
  readonly name: string;
  /** Of its configuration: `mysql`. */
  readonly type: string;
  /** The stream's name. */
  readonly stream: string;
  /** Called each time the sink is started, and again after a failure. */
  readonly makeSink: () => Sink | Promise<Sink>;
  /** The signal ends the waiting for what the mapping needs to be known. */
  readonly makeMapper: (signal: AbortSignal) => Mapper | Promise<Mapper>;
  readonly order: 'key' | 'transaction';
  /** Lanes that write at the same time, with `order: key`. */
  readonly lanes: number;
  readonly batch: BatchLimits;
  /** A row that the store refuses: set aside with all later changes of its key, or a reason to stop. */
  readonly onRowError: 'park' | 'stop';
  /** Changes that may be set aside; with more the sink stops. */
  readonly parkedMax: number;
  readonly bootstrap: BootstrapMode;
  readonly from?: StartAt;
  readonly backoff: BackoffLimits;
}

export interface BatchLimits {
  readonly rowsMax: number;
  /** Of the values, roughly. */
  readonly bytesMax: number;
  /** How long rows may wait for more to come, when a lane is free, in ms. */
  readonly delayMs: number;
}

/** A stream as a sink reaches it, in this process or over HTTP. */
export interface DeliveryStream {
  open(options: StreamOptions): ChangeStream;
  /** The lowest checkpoint of the group's partitions; null: there is no such group yet. */
  checkpointOf(group: string): Promise<number | null>;
  close(): Promise<void>;
}
