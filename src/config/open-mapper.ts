import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { MappingHooks } from '../mapping/hooks.ts';
import type { MappingConfig } from '../mapping/mapping-config.ts';
import { hooksOfModule } from './hooks-of-module.ts';
import { createMapper } from '../mapping/mapper.ts';
import type { TracingMapper } from '../mapping/trace.ts';

export interface OpenMapperOptions {
  readonly sink: string;
  /** Where relative paths begin. */
  readonly directory: string;
  readonly log: Logger;
  /** Whether the sink can change parts of documents. */
  readonly patches: boolean;
}

/**
 * The mapping that a sink's configuration describes, with the hooks of the module that it names.
 *
 * @throws TidingsError MAPPING_INVALID, also when the module cannot be loaded
 */
export async function openMapper(
  mapping: MappingConfig,
  { sink, directory, log, patches }: OpenMapperOptions,
): Promise<TracingMapper> {
  const hooks = await loadHooks(mapping, directory);
  return createMapper({ mapping, sink, hooks, log, patches });
}

/** The module exports hooks by their names, or all of them as its default. @throws TidingsError MAPPING_INVALID */
export async function loadHooks({ hooks: name }: MappingConfig, directory: string): Promise<MappingHooks> {
  if (name === undefined) return {};
  try {
    const module = (await import(pathToFileURL(resolve(directory, name)).href)) as Readonly<Record<string, unknown>>;
    return hooksOfModule(module);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TidingsError('MAPPING_INVALID', `the hooks in ${name} cannot be used: ${reason}`, { cause: error });
  }
}
