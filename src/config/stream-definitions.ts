import { TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { type SourceRequest, type SourceType, type SourceTypes, sourceTypeNamed } from '../registry.ts';
import type { SourceResume, StreamDefinition } from '../relay/relay-api.ts';
import type { RelaySettings, SourceSettings } from './config-settings.ts';

/** What the relay is told of the streams in a configuration. */
export async function streamDefinitions(
  { streams }: RelaySettings,
  { types, log }: { types: SourceTypes; log: Logger },
): Promise<Readonly<Record<string, StreamDefinition>>> {
  const entries = [...streams].map(async ([name, { source, partitions, retention, log: logOptions, snapshots }]) => {
    const type = typeOf(source, types);
    const covers = await type.positionOrder?.();
    const definition: StreamDefinition = {
      openSource: (resume) => {
        return type.open({
          ...requestOf(source, log.child({ stream: name })),
          ...beginOf(resume, source),
          json: 'text',
          waitForServer: true,
        });
      },
      ...(covers === undefined ? {} : { covers }),
      partitions,
      retention,
      log: logOptions,
      snapshots,
    };
    return [name, definition] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Where the source is to begin, and what is known of the tables there. */
function beginOf(
  { position, tables, anew = false }: SourceResume,
  source: SourceSettings,
): Pick<SourceRequest, 'from' | 'knownTables'> {
  // What was known held at the position that is given up: tables may have changed in the gap.
  if (anew) return { from: 'now' };
  // What the log ends with comes before what is configured: that is only where a new stream begins.
  const from = position ?? source.from;
  return {
    ...(from === undefined ? {} : { from }),
    ...(tables.length === 0 ? {} : { knownTables: tables }),
  };
}

/** A source as its configuration describes it, to be opened or looked at. */
export function requestOf({ url, options }: SourceSettings, log: Logger): SourceRequest {
  return { url, settings: options, log };
}

export function typeOf({ type }: SourceSettings, types: SourceTypes): SourceType {
  const found = sourceTypeNamed(type, types);
  if (found !== undefined) return found;
  throw new TidingsError('CONFIG_INVALID', `there is no source of type ${type}`, {
    hint: `There are ${[...new Set([...types.values()].map((each) => each.type))].join(', ')}.`,
  });
}
