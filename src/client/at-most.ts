import type { Clock } from '../base/clock.ts';

/** How long `close` waits for each thing that others do: the consumer with its batch or in a callback, a store, the relay. */
const CLOSE_WAIT_MS = 3000;

/** Resolves when the work is done, or when it has taken too long to be waited for. Does not fail. */
export async function atMost(work: Promise<unknown>, clock: Clock): Promise<void> {
  const limit = new AbortController();
  await Promise.race([work, clock.sleep(CLOSE_WAIT_MS, limit.signal)]).catch(() => {});
  limit.abort();
}
