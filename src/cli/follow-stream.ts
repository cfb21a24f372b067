import type { ChangeStream, ConsumerBatch } from '../core/consumer.ts';
import type { Logger } from '../core/logger.ts';
import type { BatchTarget } from './batch-target.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { OutputClosedError } from './output.ts';

export interface FollowOptions {
  readonly target: BatchTarget;
  readonly log: Logger;
  readonly stop: AbortSignal;
  /** False to leave checkpoints alone. */
  readonly commit: boolean;
}

/**
 * From a stream to where its batches go, one at a time: the checkpoint moves when a batch is dealt with (I2). Told to stop, it finishes
 * the batch at hand.
 */
export async function followStream(stream: ChangeStream, options: FollowOptions): Promise<ExitCode> {
  const { target, log, stop } = options;
  let waiting = true;
  const onStop = (): void => {
    // A batch at hand still needs the stream for its commit.
    if (waiting) void stream.close();
  };
  stop.addEventListener('abort', onStop, { once: true });
  try {
    if (!stop.aborted) {
      for await (const batch of stream) {
        waiting = false;
        if (!(await deal(batch, options)) || stop.aborted) break;
        waiting = true;
      }
    }
    return await target.end();
  } catch (error) {
    if (error instanceof OutputClosedError) return EXIT.ok;
    // The command is not left behind without its input.
    await target.end().catch((failure: unknown) => log.warn({ error: failure }, 'the command could not be ended'));
    throw error;
  } finally {
    stop.removeEventListener('abort', onStop);
    await stream.close();
  }
}

async function deal(batch: ConsumerBatch, { target, log, commit }: FollowOptions): Promise<boolean> {
  if (!(await target.deliver(batch))) return false;
  if (!commit) return true;
  const { fenced } = await batch.commit();
  if (fenced.length === 0) return true;
  log.info({ partitions: fenced.join(',') }, 'partitions of this batch belong to another member by now');
  return true;
}
