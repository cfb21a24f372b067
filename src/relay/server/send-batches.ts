import type { FrameReader } from '../../client/transport.ts';

import { encodeControl } from '../../formats/log/control-frame.ts';
import { problemOf } from './problem.ts';
import type { ResponseWriter } from './response-writer.ts';

/**
 * Passes the frames on as they are. While one chunk is on its way to the socket, the next is fetched: two of the reader's buffers
 * are held at most, and given back when the socket has taken them.
 */
export async function sendBatches(reader: FrameReader, writer: ResponseWriter): Promise<void> {
  let sending: Promise<void> = Promise.resolve();
  for (;;) {
    const fetching = reader.next();
    try {
      // oxlint-disable-next-line no-await-in-loop -- a stream is sent in order
      await Promise.all([fetching, sending]);
    } catch (error) {
      // Whichever of the two failed: what the other one yields is not sent any more.
      void fetching.then(
        (fetched) => fetched?.release(),
        () => undefined,
      );
      throw error;
    }
    // oxlint-disable-next-line no-await-in-loop -- it is there
    const chunk = await fetching;
    if (chunk === null) break;
    const { bytes, start, end } = chunk;
    sending = writer.write(bytes.subarray(start, end)).finally(() => chunk.release());
    // Its failure is seen where it is awaited.
    sending.catch(() => {});
  }
  await sending;
}

/** What a response of this format ends with when it fails. */
export function failureFrame(error: unknown): Buffer {
  const { code, detail, hint } = problemOf(error);
  return encodeControl({ kind: 'error', code, message: detail, hint });
}
