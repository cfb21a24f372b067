import { isTidingsError, TidingsError } from '../core/errors.ts';

/** Answers that cannot be understood may be the network's or a proxy's fault once, and are somebody's when they come again and again. */
export const STRANGE_ANSWERS_MAX = 5;

/**
 * Attempts to reach a relay, for as long as it may be one that answers: after so many answers in a row that no relay gives, the address is that of
 * something else, which no waiting cures.
 */
export class Strangers {
  #inARow = 0;

  /** @throws what `attempt` throws; from the fifth PROTOCOL_VIOLATION in a row on as an error that is not tried again */
  async attempt<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      const isStrange = isTidingsError(error) && error.code === 'PROTOCOL_VIOLATION';
      this.#inARow = isStrange ? this.#inARow + 1 : 0;
      if (!isStrange || this.#inARow < STRANGE_ANSWERS_MAX) throw error;
      const { code, message, hint, details } = error;
      throw new TidingsError(code, message, { retry: 'operator', hint, details, cause: error.cause });
    }
  }
}
