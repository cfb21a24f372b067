/** Gets the server that the demo starts: a process of its own, so that Ctrl-C can end a download with everything it has started. */
import { prepareServer } from '../../test/support/servers/start-server.ts';
import { ServerUnavailableError } from '../../test/support/servers/server-unavailable.ts';

try {
  await prepareServer('mariadb');
} catch (error) {
  console.error(error instanceof ServerUnavailableError ? error.message : error);
  process.exitCode = 1;
}
