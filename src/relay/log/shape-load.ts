import { closeSync, openSync, readSync } from 'node:fs';
import { batchLength } from '../../formats/log/batch-header.ts';
import { HEADER_BYTES } from '../../formats/log/batch-layout.ts';
import { walkBody } from './body-walk.ts';
import { segmentDamaged, segmentUnreadable } from './damage.ts';
import { batchBody, batchProblem, headerProblem } from './segment-scan.ts';
import type { ShapeSource } from './shape-book.ts';

/**
 * The descriptions of the row shapes that the batch defines. Synchronous, as decoding is: it happens once per shape that was not used
 * since the log was opened.
 *
 * @throws TidingsError LOG_DAMAGED
 */
export function loadShapes({ segment, offset }: ShapeSource): string[] {
  let fd: number;
  try {
    fd = openSync(segment.path, 'r');
  } catch (error) {
    throw segmentUnreadable(segment, offset, error);
  }
  try {
    const header = Buffer.allocUnsafeSlow(HEADER_BYTES);
    const headerView = new DataView(header.buffer);
    let problem =
      readSync(fd, header, 0, HEADER_BYTES, offset) < HEADER_BYTES ? 'a batch ends inside its header' : null;
    problem ??= headerProblem(headerView, 0, segment.size - offset);
    if (problem !== null) throw segmentDamaged(segment, offset, problem);
    const bytes = Buffer.allocUnsafeSlow(batchLength(headerView, 0));
    const view = new DataView(bytes.buffer);
    problem = readSync(fd, bytes, 0, bytes.length, offset) < bytes.length ? 'the file ends within a batch' : null;
    problem ??= batchProblem(bytes, view, 0);
    if (problem !== null) throw segmentDamaged(segment, offset, problem);
    const texts: string[] = [];
    walkBody(batchBody(bytes, view, 0), {
      shape(text) {
        texts.push(text);
      },
    });
    return texts;
  } finally {
    closeSync(fd);
  }
}
