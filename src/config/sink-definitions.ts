import { systemClock } from '../base/clock.ts';
import { connect } from '../client/connect.ts';
import { TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { parseStartAt } from '../core/start-at.ts';
import type { TableSchema } from '../core/table-schema.ts';
import type { DeliveryStream, SinkDefinition } from '../delivery/delivery-types.ts';
import type { SinkTypes } from '../registry.ts';
import type { RelayStream } from '../relay/relay-api.ts';
import type { Relay } from '../relay/relay.ts';
import type { RelaySettings, SinkSettings } from './config-settings.ts';
import { MappingCheck } from './mapping-check.ts';
import { openMapper } from './open-mapper.ts';

export interface SinkDefinitionOptions {
  readonly types: SinkTypes;
  /** The relay of the same configuration. */
  readonly relay: Relay;
  /** To the process's standard output, for sinks that print: `SinkRequest.print`. */
  readonly print: (text: string) => Promise<void>;
  readonly log: Logger;
}

/** A stream, and the latest definitions of the tables that its log has rows of. */
interface FollowedStream {
  readonly stream: DeliveryStream;
  readonly tables: () => Promise<readonly TableSchema[]>;
}

/** What the sinks of a configuration are run with. */
export function sinkDefinitions(
  { sinks, configDirectory }: RelaySettings,
  { types, relay, print, log }: SinkDefinitionOptions,
): readonly { readonly definition: SinkDefinition; readonly stream: DeliveryStream }[] {
  return [...sinks].map(([name, settings]) => {
    const { stream, tables } =
      settings.relay === null ? localStream(relay, settings.stream) : remoteStream(settings, log);
    const world = { types, directory: configDirectory, print, log: log.child({ sink: name }), tables };
    return { definition: definitionOf(name, settings, world), stream };
  });
}

function definitionOf(
  name: string,
  settings: SinkSettings,
  {
    types,
    directory,
    print,
    log,
    tables,
  }: Omit<SinkDefinitionOptions, 'relay'> & Pick<FollowedStream, 'tables'> & { readonly directory: string },
): SinkDefinition {
  const { type, options, mapping, from, batch, relay: _, ...rest } = settings;
  const kind = types.get(type);
  if (kind === undefined) {
    throw new TidingsError('CONFIG_INVALID', `there is no sink of type ${type}`, {
      hint: `There are ${[...types.keys()].join(', ')}, and modules of your own: \`type: ./my-sink.ts\`.`,
    });
  }
  const patches = kind.takesPatches(options);
  const check = new MappingCheck({
    mapping,
    sink: name,
    stream: rest.stream,
    directory,
    tables,
    patches,
    clock: systemClock,
    log,
  });
  return {
    ...rest,
    name,
    type,
    batch: { ...batch, rowsMax: batch.rowsMax ?? kind.batchRows },
    // Its schema has let it through.
    from: parseStartAt(from) ?? 'earliest',
    makeSink: () => kind.make({ settings: options, directory, print }),
    makeMapper: async (signal) => {
      await check.run(signal);
      return openMapper(mapping, { sink: name, directory, log, patches });
    },
  };
}

function localStream(relay: Relay, name: string): FollowedStream {
  const opened = (): RelayStream | null => {
    const opening = relay.streams.get(name)?.opening;
    if (opening?.kind === 'failed') throw opening.error;
    return opening?.stream ?? null;
  };
  return {
    stream: {
      open: (options) => relay.stream(name, options),
      // oxlint-disable-next-line typescript/require-await -- what it throws is a rejection, as of the stream of another relay
      checkpointOf: async (group) => {
        const partitions = opened()?.groups.get(group)?.partitions;
        return partitions === undefined ? null : Math.min(...partitions.map(({ checkpoint }) => checkpoint));
      },
      close: () => Promise.resolve(),
    },
    // oxlint-disable-next-line typescript/require-await -- as above
    tables: async () => opened()?.log.tables() ?? [],
  };
}

function remoteStream({ relay, stream, backoff }: SinkSettings, log: Logger): FollowedStream {
  const { url = '', token } = relay ?? {};
  const client = connect(url, { log, reconnect: backoff, ...(token === undefined ? {} : { token }) });
  return {
    stream: {
      open: (options) => client.stream(stream, options),
      checkpointOf: async (group) =>
        (await client.groups(stream)).find((each) => each.group === group)?.checkpoint ?? null,
      close: () => client.close(),
    },
    tables: () => client.tables(stream),
  };
}
