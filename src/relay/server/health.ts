import type { Clock } from '../../base/clock.ts';
import type { ServedStream } from '../relay-api.ts';

export interface Readiness {
  readonly ready: boolean;
  /** Empty when ready. */
  readonly reasons: readonly UnreadyReason[];
}

export interface UnreadyReason {
  readonly stream: string | null;
  readonly code: string;
  readonly detail: string;
}

interface ReadinessOptions {
  readonly clock: Clock;
  readonly silentAfterMs: number;
}

/** Whether every stream takes in what its source commits. A stream that somebody paused is as it should be. */
export function readinessOf(streams: Iterable<ServedStream>, options: ReadinessOptions): Readiness {
  const reasons = [...streams].flatMap((stream) => reasonsOf(stream, options));
  return { ready: reasons.length === 0, reasons };
}

function reasonsOf(stream: ServedStream, { clock, silentAfterMs }: ReadinessOptions): UnreadyReason[] {
  const { state, error, stall, heardMs } = stream.status();
  const reason = (code: string, detail: string): UnreadyReason[] => [{ stream: stream.name, code, detail }];
  switch (state) {
    case 'paused':
      return [];
    case 'starting':
      return reason('STARTING', 'the source is being opened');
    case 'stalled':
      return reason('STALLED', stall?.message ?? 'the log cannot be written');
    case 'waiting':
    case 'failed':
      return reason(error?.code ?? state.toUpperCase(), error?.message ?? `the stream is ${state}`);
    case 'closed':
      return reason('CLOSED', 'the stream is closed');
    case 'running': {
      const silentMs = heardMs === null ? 0 : clock.nowMs() - heardMs;
      if (silentMs <= silentAfterMs) return [];
      return reason('SILENT', `the source was not heard of for ${Math.round(silentMs / 1000)} seconds`);
    }
  }
}
