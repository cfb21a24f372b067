import { TidingsError } from './errors.ts';
import { FAILPOINT_NAMES, type FailpointName } from './failpoint.ts';

export interface FailpointActions {
  /** Ends the process at once, as SIGKILL does. */
  readonly kill: () => void;
}

interface Armed {
  readonly action: 'kill' | 'throw';
  /** At which passing it acts, counted from 1. */
  readonly at: number;
}

const SPEC = /^([a-z-]+):(kill|throw)(?:@([1-9]\d{0,8}))?$/;

/**
 * Reads what TIDINGS_FAILPOINTS holds, and makes a handler for `setFailpointHandler` of it:
 *
 *     spec   := point ("," point)*          after-fsync:kill@3,append:throw
 *     point  := name ":" ("kill" | "throw") ["@" n]
 *
 * `kill` ends the process and `throw` throws, once, when the place is passed for the n-th time (without `@n`: the first). A name may
 * occur more than once. Passings are counted per handler, and so per thread.
 *
 * @throws TidingsError CONFIG_INVALID
 */
export function parseFailpoints(text: string, actions: FailpointActions): (name: FailpointName) => void {
  const armed = new Map<FailpointName, Armed[]>();
  for (const part of text.split(',')) {
    const spec = part.trim();
    if (spec === '') continue;
    const match = SPEC.exec(spec);
    const name = FAILPOINT_NAMES.find((known) => known === match?.[1]);
    if (match === null || name === undefined) {
      throw new TidingsError('CONFIG_INVALID', `"${spec}" is no failpoint`, {
        hint: `Write name:kill@n or name:throw@n; the names are ${FAILPOINT_NAMES.join(', ')}.`,
        details: { field: 'TIDINGS_FAILPOINTS' },
      });
    }
    const points = armed.get(name) ?? [];
    points.push({ action: match[2] === 'kill' ? 'kill' : 'throw', at: Number(match[3] ?? 1) });
    armed.set(name, points);
  }
  const passed = new Map<FailpointName, number>();
  return (name) => {
    const points = armed.get(name);
    if (points === undefined) return;
    const count = (passed.get(name) ?? 0) + 1;
    passed.set(name, count);
    for (const { action, at } of points) {
      if (at !== count) continue;
      if (action === 'kill') actions.kill();
      else throw new Error(`failpoint ${name}, passing ${count}`);
    }
  };
}
