import { connect } from '../client/connect.ts';
import { fileCheckpoints } from '../client/file-checkpoints.ts';
import type { StreamOptions } from '../core/consumer.ts';
import type { LineEncoder } from '../formats/line-encoder.ts';
import type { ExitCode } from './exit-codes.ts';
import { type FollowOptions, followStream } from './follow-stream.ts';
import type { RelayAddress } from './relay-arguments.ts';
import { RelayJsonLines } from './relay-json-lines.ts';

// What only the commands that read a stream need is loaded by them, behind this file.

export interface ReadRelayOptions extends FollowOptions {
  readonly address: RelayAddress;
  readonly stream: string;
  readonly options: StreamOptions;
  /** Where a reader without a group keeps its checkpoint. */
  readonly checkpointFile?: string | undefined;
}

/** Reads a stream of a relay to its end, or until it is told to stop. */
export async function readRelay({
  address: { url, token },
  stream,
  options,
  checkpointFile,
  ...follow
}: ReadRelayOptions): Promise<ExitCode> {
  const { log } = follow;
  const client = connect(url, { ...(token === undefined ? {} : { token }), log });
  try {
    const changes = client.stream(stream, {
      ...options,
      ...(checkpointFile === undefined ? {} : { checkpoints: fileCheckpoints(checkpointFile) }),
      // The formats take JSON columns as the server's own text.
      json: 'text',
      log,
    });
    return await followStream(changes, follow);
  } finally {
    await client.close();
  }
}

/** The encoder of `json` lines. @param partitions into how many slices a group's stream is shared; null without a group */
export function relayJson(partitions: number | null): LineEncoder {
  return new RelayJsonLines(partitions);
}
