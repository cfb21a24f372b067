/** Lets one at a time do something lengthy to the thing of a name. */
export class KeyedLock {
  readonly #held = new Map<string, Promise<void>>();

  /**
   * Undefined when nobody holds the name, else what to wait for, before asking again:
   *
   *     for (let held = lock.held(name); held !== undefined; held = lock.held(name)) await held;
   *
   * What follows such a loop without a pause runs while nobody holds it.
   */
  held(name: string): Promise<void> | undefined {
    return this.#held.get(name);
  }

  async with<T>(name: string, work: () => Promise<T>): Promise<T> {
    // oxlint-disable-next-line no-await-in-loop -- whoever came first may have taken it again
    for (let held = this.held(name); held !== undefined; held = this.held(name)) await held;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held.set(name, promise);
    try {
      return await work();
    } finally {
      this.#held.delete(name);
      resolve();
    }
  }
}
