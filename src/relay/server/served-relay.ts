import { TidingsError } from '../../core/errors.ts';
import type { RelayStream } from '../relay-api.ts';

/** What the server needs of a relay: its streams by name. The map may change while the server runs. */
export interface ServedRelay {
  readonly streams: ReadonlyMap<string, RelayStream>;
}

/** @throws TidingsError STREAM_UNKNOWN */
export function streamOf(relay: ServedRelay, name: string): RelayStream {
  const stream = relay.streams.get(name);
  if (stream === undefined) {
    throw new TidingsError('STREAM_UNKNOWN', 'this relay has no stream of that name', {
      details: { field: 'stream', streams: relay.streams.size },
    });
  }
  return stream;
}
