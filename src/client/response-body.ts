import type { IncomingMessage } from 'node:http';

/** The body of an answer, as it comes in. */
export interface ResponseBody {
  /** Begins to read. To be called once. */
  start(receiver: BodyReceiver): void;
  /** After `data` has returned false: goes on. */
  resume(): void;
  /** Closes the connection. Nothing is received after it. */
  destroy(): void;
}

export interface BodyReceiver {
  /** The bytes are gone when this returns. False: no more until `resume`. */
  data(bytes: Uint8Array): boolean;
  /** @param whole false when the answer was cut off */
  end(whole: boolean): void;
  fail(error: Error): void;
}

/** A body that node:http or node:https reads. */
export function streamBody(response: IncomingMessage): ResponseBody {
  return {
    start(receiver) {
      response.on('data', (bytes: Buffer) => {
        if (!receiver.data(bytes)) response.pause();
      });
      response.on('end', () => receiver.end(response.complete));
      response.on('error', (error) => receiver.fail(error));
      // Also without `end` and `error`: a body that was cut off.
      response.on('close', () => receiver.end(false));
    },
    resume: () => void response.resume(),
    destroy: () => void response.destroy(),
  };
}
