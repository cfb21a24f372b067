import type { RelaySettings, SinkSettings } from '../../config/config-settings.ts';
import { type CommandArguments, usageError } from '../arguments.ts';
import type { CliContext } from '../context.ts';
import { relayAt, type RelayAddress } from '../relay-arguments.ts';

/** The relay that has a sink's stream: the one that `--relay` or the sink names, else the one that this configuration runs. */
export function relayOfSink(
  { relay }: SinkSettings,
  { http }: RelaySettings,
  { args, context }: { readonly args: CommandArguments; readonly context: CliContext },
): RelayAddress {
  const named = args.one('relay');
  if (named !== undefined) return relayAt(named, args, context);
  if (relay !== null) return relay;
  const { host = '127.0.0.1', port = 8400, tokens = [], tls } = http;
  if (port === 0) {
    const hint = 'Name its address: --relay http://127.0.0.1:8400.';
    throw usageError('the relay of this configuration has no fixed port', hint);
  }
  // Any token may read.
  const token = tokens.find(({ role }) => role === 'read') ?? tokens[0];
  return { url: `${tls === undefined ? 'http' : 'https'}://${reachable(host)}:${port}`, token: token?.token };
}

/** An interface to listen on, as an address to connect to. */
function reachable(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (bare === '0.0.0.0') return '127.0.0.1';
  if (bare === '::') return '[::1]';
  return bare.includes(':') ? `[${bare}]` : bare;
}
