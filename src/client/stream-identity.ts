import { TidingsError } from '../core/errors.ts';
import type { ControlFrame } from '../formats/log/control-frame.ts';
import type { StreamName } from './transport.ts';

type Hello = ControlFrame & { readonly kind: 'hello' };

/**
 * What tells a stream from one that replaced it under its name: SCNs of the one mean nothing in the other, so nothing may go on
 * silently.
 */
export class StreamIdentity {
  /** Into how many slices groups share it. */
  partitions: number | null = null;
  #createdMs: number | null = null;

  /** @param behind the SCN that reading goes on behind; null when it begins. @throws TidingsError SCN_UNKNOWN */
  check({ stream, created, partitions, last }: Hello, behind: number | null): void {
    this.partitions = partitions;
    this.checkCreated({ stream, createdMs: created });
    if (behind === null || last === null || last >= behind) return;
    throw new TidingsError(
      'SCN_UNKNOWN',
      `the stream ${stream} ends at ${last}, before the change ${behind} that was dealt with`,
      {
        hint: 'The log has lost its end, or is another one. Compare or copy the data anew, remove the checkpoint, and start from `latest` or `earliest`.',
        details: { stream, last, behind },
      },
    );
  }

  /** @throws TidingsError SCN_UNKNOWN when it was made anew */
  checkCreated({ stream, createdMs: created }: StreamName): void {
    if (this.#createdMs !== null && this.#createdMs !== created) {
      throw new TidingsError(
        'SCN_UNKNOWN',
        `the stream ${stream} is no longer the one that was being read: it was made anew`,
        {
          hint: 'Compare or copy the data anew, remove the checkpoint, and start from `latest` or `earliest`.',
          details: { stream, created, createdBefore: this.#createdMs },
        },
      );
    }
    this.#createdMs = created;
  }
}
