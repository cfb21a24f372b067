/**
 * Named places where a test can make the process die or fail: the moments at which a crash would do the most harm. Nothing happens
 * there unless a handler is set, which the command does from TIDINGS_FAILPOINTS and nothing else does.
 */
export type FailpointName =
  | 'append' // a batch was encoded, nothing of it is written
  | 'before-fsync' // written, not yet synced where that takes a call of its own
  | 'after-fsync' // synced, not yet visible
  | 'segment-roll' // the new segment exists, the old one's index does not
  | 'index-write' // half of an index file is written
  | 'checkpoint-write' // inside the transaction that stores checkpoints
  | 'group-rebalance' // partitions were taken from one member and not yet given to the next
  | 'snapshot-read' // a chunk is about to be read, the stream's changes are noted
  | 'snapshot-merge' // a chunk was read and waits for the stream to come to its place
  | 'snapshot-merged' // a chunk is in the stream, and that is not yet noted
  | 'sink-write' // a batch is about to be handed to a sink
  | 'sink-written' // a sink has said that a batch is durable, and that is not yet noted
  | 'snapshot-noted' // inside the transaction that stores where the next chunk begins
  | 'response-half-sent' // a part of a response is on its way
  | 'sink-file-append' // a half of the rows was written to a sink's open file
  | 'sink-file-sync' // the rows are durable in the open files, the manifest does not know
  | 'sink-file-manifest' // half of a record is in the manifest
  | 'sink-file-complete' // the manifest calls a file complete, and it has its temporary name
  | 'sink-file-compact'; // the new manifest is there, under its temporary name

export const FAILPOINT_NAMES: readonly FailpointName[] = [
  'append',
  'before-fsync',
  'after-fsync',
  'segment-roll',
  'index-write',
  'checkpoint-write',
  'group-rebalance',
  'snapshot-read',
  'snapshot-merge',
  'snapshot-merged',
  'sink-write',
  'sink-written',
  'snapshot-noted',
  'response-half-sent',
  'sink-file-append',
  'sink-file-sync',
  'sink-file-manifest',
  'sink-file-complete',
  'sink-file-compact',
];

let handler: ((name: FailpointName) => void) | null = null;

export function failpoint(name: FailpointName): void {
  if (handler !== null) handler(name);
}

/** Whether a test may act at such a place: where passing it takes a detour, nobody else should go that way. */
export function failpointsArmed(): boolean {
  return handler !== null;
}

export function setFailpointHandler(set: ((name: FailpointName) => void) | null): void {
  handler = set;
}
