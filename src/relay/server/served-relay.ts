import { TidingsError } from '../../core/errors.ts';
import type { RelayStream, ServedStream } from '../relay-api.ts';

/** What the server needs of a relay: its streams by name. The map may change while the server runs. */
export interface ServedRelay {
  readonly streams: ReadonlyMap<string, ServedStream>;
}

/** @throws TidingsError STREAM_UNKNOWN */
export function servedStreamOf(relay: ServedRelay, name: string): ServedStream {
  const stream = relay.streams.get(name);
  if (stream === undefined) {
    throw new TidingsError('STREAM_UNKNOWN', 'this relay has no stream of that name', {
      details: { field: 'stream', streams: relay.streams.size },
    });
  }
  return stream;
}

/** For whatever needs the stream's log. @throws TidingsError STREAM_UNKNOWN, and why the log cannot be opened */
export function streamOf(relay: ServedRelay, name: string): RelayStream {
  const { opening } = servedStreamOf(relay, name);
  if (opening.kind === 'failed') throw opening.error;
  return opening.stream;
}

/** Whether this is why the log of a stream cannot be opened: the stream says it to everybody who asks for it. */
export function isFailedOpening(relay: ServedRelay, error: unknown): boolean {
  return [...relay.streams.values()].some(({ opening }) => opening.kind === 'failed' && opening.error === error);
}
