import type { ChangeBatch } from '../../../core/source.ts';
import type { OpenStream } from './open-stream.ts';

/** A batch without changes is handed over at most so often, to keep the position of an idle stream fresh. */
const EMPTY_BATCH_INTERVAL_MS = 1000;

/**
 * Reads until there is a batch to hand over; null when the stream has reached its end (`until`).
 *
 * The rule that keeps bytes valid: everything taken from a source is handed over before that source is filled again.
 *
 * @throws what reading or decoding threw, after the transactions before it were handed over
 */
export async function pump(stream: OpenStream, signal: AbortSignal): Promise<ChangeBatch | null> {
  if (stream.failure !== null) throw stream.failure.error;
  if (stream.ended) return null;
  for (;;) {
    if (reached(stream)) {
      stream.ended = true;
      return stream.assembler.transactions.hasParts ? take(stream) : null;
    }
    try {
      // oxlint-disable-next-line no-await-in-loop -- the stream is read in order
      const more = await acceptAll(stream);
      if (!more) continue;
    } catch (error) {
      // The transactions before the failure are complete: they must not be lost to it.
      const batch = stream.assembler.transactions.takeComplete(progress(stream));
      if (batch.parts.length === 0) throw error;
      stream.failure = { error };
      return batch;
    }
    if (stream.assembler.transactions.hasParts || positionIsStale(stream)) return take(stream);
    // oxlint-disable-next-line no-await-in-loop -- one read at a time is the backpressure
    await fill(stream);
    signal.throwIfAborted();
  }
}

/** Accepts what is at hand; true when a source wants to be filled, false when the target is reached or the source has changed. */
async function acceptAll(stream: OpenStream): Promise<boolean> {
  const { assembler, sources, until } = stream;
  for (;;) {
    const source = sources.at(-1);
    if (source === undefined) return true;
    while (source.next()) {
      const demand = assembler.accept(source);
      if (demand !== null) {
        // oxlint-disable-next-line no-await-in-loop -- the next event waits for what this one needs
        const inner = await demand;
        if (inner !== null) {
          assembler.beginDetour();
          sources.push(inner);
          return acceptAll(stream);
        }
      }
      if (until !== null && reached(stream)) return false;
    }
    return true;
  }
}

async function fill(stream: OpenStream): Promise<void> {
  const { assembler, sources } = stream;
  const source = sources.at(-1);
  const more = source === undefined || (await source.fill());
  stream.heardMs = Date.now();
  if (more) return;
  source.close();
  sources.pop();
  assembler.endDetour();
}

function reached({ until, assembler, sources }: OpenStream): boolean {
  if (until === null || assembler.transactions.open !== null || sources.length > 1) return false;
  return until.reached(assembler.end, assembler.place, assembler.transactions.last);
}

function take(stream: OpenStream): ChangeBatch {
  stream.takenAtMs = performance.now();
  stream.takenPosition = stream.assembler.end;
  return stream.assembler.transactions.takeBatch(progress(stream));
}

function progress(stream: OpenStream): number {
  const bytes = stream.session.bytesRead - stream.bytesTaken;
  stream.bytesTaken = stream.session.bytesRead;
  return bytes;
}

/** The position has moved though nothing was handed over: heartbeats, transactions of other tables. */
function positionIsStale({ assembler, takenPosition, takenAtMs, hurry }: OpenStream): boolean {
  return assembler.end !== takenPosition && (hurry.on || performance.now() - takenAtMs >= EMPTY_BATCH_INTERVAL_MS);
}
