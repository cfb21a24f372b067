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
  | 'response-half-sent'; // a part of a response is on its way

export const FAILPOINT_NAMES: readonly FailpointName[] = [
  'append',
  'before-fsync',
  'after-fsync',
  'segment-roll',
  'index-write',
  'checkpoint-write',
  'group-rebalance',
  'response-half-sent',
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
