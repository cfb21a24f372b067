import type { FrameChunk } from '../client/transport.ts';
import { type ControlFrame, encodeControl } from '../formats/log/control-frame.ts';

/** A control frame as a chunk of its own. */
export function controlChunk(frame: ControlFrame): FrameChunk {
  const bytes = encodeControl(frame);
  return { bytes, start: 0, end: bytes.length, release: () => {} };
}
