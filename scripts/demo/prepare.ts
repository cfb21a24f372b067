/**
 * Gets the servers that the demo starts: a process of its own, so that Ctrl-C can end a download with everything it has started. Arguments: their kinds.
 */
import type { ServerFlavour } from '../../test/support/servers/flavour.ts';
import { prepareServer } from '../../test/support/servers/start-server.ts';
import { ServerUnavailableError } from '../../test/support/servers/server-unavailable.ts';

try {
  for (const flavour of process.argv.slice(2)) await prepareServer(flavour as ServerFlavour);
} catch (error) {
  console.error(error instanceof ServerUnavailableError ? error.message : error);
  process.exitCode = 1;
}
