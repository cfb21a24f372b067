/** Returns undefined when it is done at once. Must not throw or reject: it reports its failures itself. */
export type LaneTask = () => Promise<void> | undefined;

export interface KeyedLanesOptions {
  /** How many tasks run at a time. */
  readonly concurrency: number;
  /** How many tasks may wait or run before `add` asks its caller to pause (I7). */
  readonly tasksMax: number;
}

/**
 * Runs tasks side by side, but the tasks of one lane one after the other in the order they were added.
 *
 * A lane exists while it has tasks. Its first task runs or waits for its turn in `ready`; the others wait behind it. A finished
 * lane's next task goes to the back of `ready`, so that a busy lane does not starve the others.
 */
export class KeyedLanes {
  readonly #concurrency: number;
  readonly #tasksMax: number;
  readonly #lanes = new Map<string, LaneTask[]>();
  readonly #ready: string[] = [];
  #running = 0;
  #tasks = 0;
  #pumping = false;
  #room: PromiseWithResolvers<void> | null = null;
  #idle: PromiseWithResolvers<void> | null = null;

  constructor({ concurrency, tasksMax }: KeyedLanesOptions) {
    this.#concurrency = concurrency;
    this.#tasksMax = tasksMax;
  }

  /** A promise when the lanes are full: add nothing more before it resolves. */
  add(lane: string, task: LaneTask): Promise<void> | undefined {
    this.#tasks++;
    const waiting = this.#lanes.get(lane);
    if (waiting === undefined) {
      this.#lanes.set(lane, [task]);
      this.#ready.push(lane);
      this.#pump();
    } else {
      waiting.push(task);
    }
    if (this.#tasks < this.#tasksMax) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Resolves when no task waits or runs; undefined when that is so already. */
  drain(): Promise<void> | undefined {
    if (this.#tasks === 0) return undefined;
    this.#idle ??= Promise.withResolvers();
    return this.#idle.promise;
  }

  #pump(): void {
    // A task that is done at once comes back here through #finish: the loop goes on, without recursion.
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#running < this.#concurrency) {
      const lane = this.#ready.shift();
      if (lane === undefined) break;
      this.#run(lane);
    }
    this.#pumping = false;
  }

  #run(lane: string): void {
    const task = this.#lanes.get(lane)?.[0];
    if (task === undefined) return;
    this.#running++;
    const done = task();
    if (done === undefined) this.#finish(lane);
    else void done.then(() => this.#finish(lane));
  }

  #finish(lane: string): void {
    this.#running--;
    this.#tasks--;
    const tasks = this.#lanes.get(lane);
    tasks?.shift();
    if (tasks === undefined || tasks.length === 0) this.#lanes.delete(lane);
    else this.#ready.push(lane);
    this.#pump();
    if (this.#tasks < this.#tasksMax) {
      this.#room?.resolve();
      this.#room = null;
    }
    if (this.#tasks === 0) {
      this.#idle?.resolve();
      this.#idle = null;
    }
  }
}
