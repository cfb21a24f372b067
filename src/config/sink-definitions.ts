import { connect } from '../client/connect.ts';
import { TidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { parseStartAt } from '../core/start-at.ts';
import type { DeliveryStream, SinkDefinition } from '../delivery/delivery-types.ts';
import type { SinkTypes } from '../registry.ts';
import type { Relay } from '../relay/relay.ts';
import type { RelaySettings, SinkSettings } from './config-settings.ts';
import { openMapper } from './open-mapper.ts';

export interface SinkDefinitionOptions {
  readonly types: SinkTypes;
  /** The relay of the same configuration. */
  readonly relay: Relay;
  readonly log: Logger;
}

/** What the sinks of a configuration are run with. */
export function sinkDefinitions(
  { sinks, configDirectory }: RelaySettings,
  { types, relay, log }: SinkDefinitionOptions,
): readonly { readonly definition: SinkDefinition; readonly stream: DeliveryStream }[] {
  return [...sinks].map(([name, settings]) => ({
    definition: definitionOf(name, settings, { types, directory: configDirectory, log }),
    stream: settings.relay === null ? localStream(relay, settings.stream) : remoteStream(settings, log),
  }));
}

function definitionOf(
  name: string,
  settings: SinkSettings,
  { types, directory, log }: { readonly types: SinkTypes; readonly directory: string; readonly log: Logger },
): SinkDefinition {
  const { type, options, mapping, from, relay: _, ...rest } = settings;
  const kind = types.get(type);
  if (kind === undefined) {
    throw new TidingsError('CONFIG_INVALID', `there is no sink of type ${type}`, {
      hint: `There are ${[...types.keys()].join(', ')}, and modules of your own: \`type: ./my-sink.ts\`.`,
    });
  }
  return {
    ...rest,
    name,
    type,
    // Its schema has let it through.
    from: parseStartAt(from) ?? 'earliest',
    makeSink: () => kind.make({ settings: options, directory }),
    makeMapper: () => openMapper(mapping, { sink: name, directory, log: log.child({ sink: name }) }),
  };
}

function localStream(relay: Relay, name: string): DeliveryStream {
  return {
    open: (options) => relay.stream(name, options),
    // oxlint-disable-next-line typescript/require-await -- what it throws is a rejection, as of the stream of another relay
    hasGroup: async (group) => {
      const opening = relay.streams.get(name)?.opening;
      if (opening?.kind === 'failed') throw opening.error;
      return (opening?.stream.groups.get(group) ?? null) !== null;
    },
    close: () => Promise.resolve(),
  };
}

function remoteStream({ relay, stream, backoff }: SinkSettings, log: Logger): DeliveryStream {
  const { url = '', token } = relay ?? {};
  const client = connect(url, { log, reconnect: backoff, ...(token === undefined ? {} : { token }) });
  return {
    open: (options) => client.stream(stream, options),
    hasGroup: async (group) => (await client.groups(stream)).includes(group),
    close: () => client.close(),
  };
}
