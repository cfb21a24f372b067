import { isTidingsError } from '../core/errors.ts';
import type { Finding } from '../core/finding.ts';
import type { TableSchema } from '../core/table-schema.ts';
import { checkMapping } from '../mapping/check-mapping.ts';
import type { MappingConfig } from '../mapping/mapping-config.ts';
import { loadHooks } from './open-mapper.ts';

export interface CheckSinkOptions {
  /** Where relative paths begin. */
  readonly directory: string;
  /** The tables that the stream knows, as they stand. */
  readonly tables: readonly TableSchema[];
  /** Whether the sink can change parts of documents. */
  readonly patches: boolean;
}

/** Everything that a sink's mapping and the tables of its stream have against each other. */
export async function checkSink(
  mapping: MappingConfig,
  { directory, tables, patches }: CheckSinkOptions,
): Promise<readonly Finding[]> {
  try {
    return checkMapping(mapping, { tables, hooks: await loadHooks(mapping, directory), patches });
  } catch (error) {
    if (!isTidingsError(error)) throw error;
    return [{ level: 'error', code: error.code, message: error.message, cure: error.hint }];
  }
}
