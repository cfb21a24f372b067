import { TidingsError } from '../core/errors.ts';
import { batchChecksum } from '../formats/log/batch-builder.ts';
import { batchCrc, batchFirstScn, batchFlags, batchLength } from '../formats/log/batch-header.ts';
import { FLAG } from '../formats/log/batch-layout.ts';
import { controlLength, isControl } from '../formats/log/control-frame.ts';
import type { FrameChunk } from './transport.ts';

/**
 * Checks the checksum of every batch that came as it is stored. A filtered one was made for this reader and has none.
 *
 * @throws TidingsError PROTOCOL_VIOLATION: reading again may bring better bytes
 */
export function verifyChunk({ bytes, start, end }: FrameChunk): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = start;
  while (at < end) {
    if (isControl(view, at)) {
      at += controlLength(view, at);
      continue;
    }
    const next = at + batchLength(view, at);
    if ((batchFlags(view, at) & FLAG.filtered) === 0 && batchChecksum(bytes, at, next) !== batchCrc(view, at)) {
      throw new TidingsError(
        'PROTOCOL_VIOLATION',
        'a batch was damaged on its way: its checksum does not fit its bytes',
        {
          hint: 'Check what stands between the relay and this client; Tidings connects again.',
          details: { firstScn: batchFirstScn(view, at), length: next - at },
        },
      );
    }
    at = next;
  }
}
