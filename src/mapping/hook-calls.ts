import type { Clock } from '../base/clock.ts';
import { isTidingsError, TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { HookContext, MappingHooks } from './hooks.ts';
import { Lookup, type LookupKey } from './lookups.ts';

export type HookName = 'before' | 'beforeBatch' | 'map' | 'mapBatch' | 'after' | 'afterBatch';

export interface HookCallsOptions {
  readonly hooks: MappingHooks;
  readonly sink: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborted when the sink ends. */
  readonly signal: AbortSignal;
}

/** Calls hooks: with a limit of time, with what they may ask, and with errors that hold no values of theirs. */
export class HookCalls {
  readonly #options: HookCallsOptions;
  readonly #lookups: ReadonlyMap<string, Lookup>;

  constructor(options: HookCallsOptions) {
    this.#options = options;
    const definitions = Object.entries(options.hooks.lookups ?? {});
    this.#lookups = new Map(definitions.map(([name, definition]) => [name, new Lookup(definition, options.clock)]));
  }

  /**
   * What the hook answers: at once, or a promise.
   *
   * @throws TidingsError MAPPING_FAILED, MAPPING_TIMEOUT; what the hook says that waiting may cure
   */
  call<T>(name: HookName, hook: (context: HookContext) => T | Promise<T>): T | Promise<T> {
    const context = new CallContext(this.#options, this.#lookups);
    try {
      const answer = hook(context);
      return answer instanceof Promise ? this.#limited(name, answer, context) : answer;
    } catch (error) {
      throw hookError(name, error);
    }
  }

  async #limited<T>(name: HookName, answer: Promise<T>, context: CallContext): Promise<T> {
    const { clock, timeoutMs, signal } = this.#options;
    const answered = new AbortController();
    const end = (): void => answered.abort(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    const late = clock.sleep(timeoutMs, answered.signal).then(() => {
      throw new TidingsError('MAPPING_TIMEOUT', `the hook "${name}" has not answered within ${timeoutMs} ms`, {
        details: { hook: name, timeoutMs },
      });
    });
    try {
      return await Promise.race([answer, late]);
    } catch (error) {
      throw signal.aborted ? signal.reason : hookError(name, error);
    } finally {
      signal.removeEventListener('abort', end);
      answered.abort();
      context.end();
    }
  }
}

/** What one call may ask. Most calls end at once and never look at the signal: it is made when somebody does. */
class CallContext implements HookContext {
  readonly sink: string;
  readonly log: Logger;
  readonly #lookups: ReadonlyMap<string, Lookup>;
  readonly #sinkSignal: AbortSignal;
  #over: AbortController | null = null;

  constructor({ sink, log, signal }: HookCallsOptions, lookups: ReadonlyMap<string, Lookup>) {
    this.sink = sink;
    this.log = log;
    this.#sinkSignal = signal;
    this.#lookups = lookups;
  }

  get signal(): AbortSignal {
    this.#over ??= new AbortController();
    return AbortSignal.any([this.#over.signal, this.#sinkSignal]);
  }

  /** A property of its own: hooks take it out of their context. */
  readonly lookup = (name: string, key: LookupKey): unknown => {
    const lookup = this.#lookups.get(name);
    if (lookup === undefined) {
      throw new TidingsError(
        'MAPPING_INVALID',
        `a hook asks for the lookup "${name}", which its module does not have`,
        {
          hint: `The lookups are ${[...this.#lookups.keys()].join(', ') || 'none'}.`,
          details: { lookup: name },
        },
      );
    }
    return lookup.get(key, this.#sinkSignal);
  };

  end(): void {
    this.#over?.abort();
  }
}

/**
 * Where it was thrown and of which class it is, never its message: that may hold values (I10). What waiting may cure is passed on as it is, so that the sink
 * waits.
 */
function hookError(name: HookName, error: unknown): unknown {
  if (isTidingsError(error)) {
    const isOurs = error.code === 'MAPPING_TIMEOUT' || error.code === 'MAPPING_INVALID';
    if (isOurs || error.retry === 'backoff' || error.retry === 'reconnect') return error;
  }
  const kind = error instanceof Error ? error.name : `a ${typeof error}`;
  const place = error instanceof Error ? placeOf(error) : null;
  return new TidingsError('MAPPING_FAILED', `the hook "${name}" threw ${kind}${place === null ? '' : ` at ${place}`}`, {
    hint: 'Mend the hook, then let the row be tried again.',
    details: { hook: name },
  });
}

/** `my-map.ts:12:5` of the first frame. */
function placeOf({ stack }: Error): string | null {
  return /^\s+at .*?([^\s/\\()]+:\d+:\d+)\)?$/m.exec(stack ?? '')?.[1] ?? null;
}
