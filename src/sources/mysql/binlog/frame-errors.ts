import { ShortFrameError } from '../../../base/byte-cursor.ts';
import { TidingsError } from '../../../core/errors.ts';

/** Runs a decoder and turns a read past the frame's end into BINLOG_TRUNCATED, naming the event and the field. */
export function decodeFrame<T>(event: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof ShortFrameError)) throw error;
    throw new TidingsError('BINLOG_TRUNCATED', `${event} event: ${error.message}`, {
      cause: error,
      details: { event, field: error.field, offset: error.offset, frameLength: error.frameLength },
    });
  }
}

/** An event whose bytes contradict its own layout. */
export function corrupt(message: string, details: Readonly<Record<string, string | number>>): TidingsError {
  return new TidingsError('BINLOG_CORRUPT', message, { details });
}
