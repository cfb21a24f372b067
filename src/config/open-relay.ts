import { resolve } from 'node:path';
import { TidingsError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { connectorSchemas, sinkTypes, sourceTypes } from '../registry.ts';
import { Relay } from '../relay/relay.ts';
import type { RelayConfig } from './config-types.generated.ts';
import { readConfig } from './load-config.ts';
import { pathText } from './mistake.ts';
import { streamDefinitions } from './stream-definitions.ts';

export interface OpenRelayOptions {
  /** @default says nothing */
  readonly log?: Logger;
  /** Where relative paths of the configuration begin. @default the working directory */
  readonly directory?: string;
  /** For `${NAME}` in the configuration. @default none */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * A relay within this process: sources are followed and their changes kept as `tidings run` does it, and consumed by
 * `relay.stream(name, options)`. It serves nobody else: the configuration's `http` is not looked at.
 *
 * @throws TidingsError CONFIG_INVALID with everything that is wrong, DIRECTORY_IN_USE, DIRECTORY_UNUSABLE, STATE_DAMAGED. A stream whose
 * log is damaged keeps no other from running: `relay.stream(name)` throws what is wrong with it.
 */
export async function openRelay(config: RelayConfig, options: OpenRelayOptions = {}): Promise<Relay> {
  const { log = silentLogger, directory = '.', env = {} } = options;
  const schemas = await connectorSchemas({ sources: sourceTypes, sinks: sinkTypes });
  const { settings, mistakes } = readConfig(config, { env, schemas, directory: resolve(directory) });
  if (settings === null) {
    const all = mistakes.map(({ path, message }) => `${pathText(path)} ${message}`.trim()).join('; ');
    throw new TidingsError('CONFIG_INVALID', `the relay's configuration is wrong: ${all}`);
  }
  const streams = await streamDefinitions(settings, { types: sourceTypes, log });
  return Relay.open({ directory: settings.directory, streams, log });
}
