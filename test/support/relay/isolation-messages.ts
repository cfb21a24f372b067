/** What one window of a measurement came to. */
export interface WindowLatency {
  /** Commit → consumer, over all consumers, in ms. `NaN` when nothing came. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly samples: number;
}

/** What the processes of the isolation measurement are told, one line of JSON each. */
export type IsolationRequest =
  /** Tail consumers: wait until all have the row with this id, then answer with the window's latencies. */
  | { readonly kind: 'window'; readonly window: number; readonly lastId: number }
  /** Troublemakers: begin, and answer once all are at it; end, and answer once they are gone. */
  | { readonly kind: 'start' }
  | { readonly kind: 'stop' };

export type IsolationAnswer =
  | { readonly kind: 'ready' }
  | ({ readonly kind: 'window' } & WindowLatency)
  /** How often the failing consumer has failed, and how many bytes the one that is far behind has got. */
  | { readonly kind: 'trouble'; readonly failures: number; readonly catchUpBytes: number }
  /** A consumer missed a row or got one twice. */
  | { readonly kind: 'wrong'; readonly what: string };
