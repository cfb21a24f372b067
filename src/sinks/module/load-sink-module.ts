import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import type { Sink } from '../../core/sink.ts';

/** The default export of a sink's module: makes a sink of what the configuration says under `settings`. */
export type MakeSink = (options: Readonly<Record<string, unknown>>) => Sink | Promise<Sink>;

/**
 * A sink of the user's own. Node takes the types out of TypeScript by itself.
 *
 * @throws TidingsError SINK_MODULE_FAILED when there is no such module, or it does not export what makes a sink
 */
export async function loadSinkModule(settings: Readonly<Record<string, unknown>>, directory: string): Promise<Sink> {
  const name = String(settings['module']);
  const options = (settings['settings'] ?? {}) as Readonly<Record<string, unknown>>;
  const url = name.startsWith('file:') ? name : pathToFileURL(resolve(directory, name)).href;
  let make: unknown;
  try {
    make = ((await import(url)) as WithDefault).default;
  } catch (error) {
    throw failed(name, `cannot be loaded: ${textOf(error)}`, error);
  }
  // A module that was compiled to CommonJS has a default of its own within.
  if (typeof make === 'object' && make !== null) make = (make as WithDefault).default;
  if (typeof make !== 'function') throw failed(name, 'has no function as its default export');
  let sink: unknown;
  try {
    sink = await (make as MakeSink)(options);
  } catch (error) {
    // One with a code of ours says itself what is wrong, such as with the settings.
    throw isTidingsError(error) ? error : failed(name, `makes none of its settings: ${textOf(error)}`, error);
  }
  if (!isSink(sink)) throw failed(name, `returns no sink, which has ${METHODS.join(', ')} and promise`);
  return sink;
}

interface WithDefault {
  readonly default?: unknown;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const METHODS = ['open', 'prepare', 'write', 'truncate', 'close'] as const;
const PROMISES: readonly unknown[] = ['transactional', 'versioned', 'at-least-once'];

function isSink(value: unknown): value is Sink {
  if (typeof value !== 'object' || value === null) return false;
  const sink = value as Readonly<Record<string, unknown>>;
  if (!METHODS.every((method) => typeof sink[method] === 'function')) return false;
  if (!PROMISES.includes(sink['promise'])) return false;
  return sink['promise'] !== 'transactional' || typeof sink['claim'] === 'function';
}

function failed(module: string, what: string, cause?: unknown): TidingsError {
  return new TidingsError('SINK_MODULE_FAILED', `the module ${module} of a sink ${what}`, {
    details: { module },
    ...(cause === undefined ? {} : { cause }),
  });
}
