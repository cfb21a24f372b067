import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TidingsError } from '../../core/errors.ts';
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
    ({ default: make } = (await import(url)) as { readonly default?: unknown });
  } catch (error) {
    throw failed(name, `cannot be loaded: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (typeof make !== 'function') throw failed(name, 'has no function as its default export');
  const sink: unknown = await (make as MakeSink)(options);
  if (!isSink(sink)) throw failed(name, `returns no sink, which has ${METHODS.join(', ')} and promise`);
  return sink;
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
