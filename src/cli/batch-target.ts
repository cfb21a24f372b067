import type { ConsumerBatch } from '../core/consumer.ts';
import type { ExitCode } from './exit-codes.ts';

/** Where the batches of a stream go. */
export interface BatchTarget {
  /** True when everything of the batch is dealt with. False to end here: it is not, or what was wanted has been. */
  deliver(batch: ConsumerBatch): Promise<boolean>;
  /** There will be no more. */
  end(): Promise<ExitCode>;
}
