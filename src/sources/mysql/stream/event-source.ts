/**
 * Where events come from: the connection, a compressed transaction, the kept events of an XA transaction. One at a time, in place.
 */
export interface EventSource {
  /** The current event after `next()`: `start` at its header, `end` behind its body, the checksum cut off. */
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
  /** Moves to the next event at hand; false when `fill()` is due. */
  next(): boolean;
  /** Gets more; false when there is none. Everything handed out before is invalid afterwards. */
  fill(): Promise<boolean>;
  close(): void;
}

/** What an event asks of whoever reads the stream before the next one: events from elsewhere, or time. */
export type Demand = EventSource | Promise<EventSource | null> | null;
