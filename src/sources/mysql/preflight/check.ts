import type { Finding } from '../../../core/finding.ts';
import type { ServerFacts } from './facts.ts';

/** A finding without its code, which the check itself knows. */
export type Verdict = Omit<Finding, 'code'>;

/** One thing to look at. Pure: all it knows of the server are the facts. */
export interface Check {
  /** Of all its findings, whatever their level: stable. */
  readonly code: string;
  /**
   * What a source does about it before it reads the first byte: an error stops it, or is logged as a warning because the source
   * stops by itself, and loudly, at the first change that it concerns; `info`: is mentioned. Null: only `tidings doctor` looks.
   */
  readonly atStart: 'stop' | 'warn' | 'info' | null;
  /** An empty list: does not apply to this server. */
  readonly look: (facts: ServerFacts) => readonly Verdict[];
}

export function error(message: string, cure: string | null): Verdict {
  return { level: 'error', message, cure };
}

export function warning(message: string, cure: string | null): Verdict {
  return { level: 'warning', message, cure };
}

/** Nothing to do. A cure names what would still be better. */
export function ok(message: string, cure: string | null = null): Verdict {
  return { level: 'ok', message, cure };
}

export function runCheck({ code, look }: Check, facts: ServerFacts): readonly Finding[] {
  return look(facts).map((verdict) => ({ ...verdict, code }));
}
