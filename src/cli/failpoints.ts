import { parseFailpoints } from '../core/failpoint-spec.ts';
import { setFailpointHandler } from '../core/failpoint.ts';
import type { Environment } from './source-arguments.ts';

/**
 * Arms the places where tests make the process die, if TIDINGS_FAILPOINTS names any. Returns its text, for the threads of the relay.
 *
 * @throws TidingsError CONFIG_INVALID
 */
export function armFailpoints(env: Environment): string | undefined {
  const text = env['TIDINGS_FAILPOINTS'];
  if (text === undefined || text === '') return undefined;
  setFailpointHandler(parseFailpoints(text, { kill: () => process.kill(process.pid, 'SIGKILL') }));
  return text;
}
