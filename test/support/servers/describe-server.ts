import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import type { ServerFlavour } from './flavour.ts';
import { ServerUnavailableError } from './server-unavailable.ts';
import { type StartServerOptions, startServer } from './start-server.ts';
import type { TestServer } from './test-server.ts';

const START_MAX_MS = 120_000;

/**
 * A group of tests with a server of its own: started before the first, stopped after the last. `server()` yields it inside tests
 * and hooks. Where the server is not available the tests are skipped with the reason printed, or fail when `CI=true`.
 */
export function describeServer(
  flavour: ServerFlavour,
  title: string,
  body: (server: () => TestServer) => void,
  options: StartServerOptions = {},
): void {
  describe(`${title} [${flavour}]`, () => {
    let server: TestServer | undefined;
    let reason: string | undefined;
    beforeAll(async () => {
      try {
        server = await startServer(flavour, options);
      } catch (error) {
        reason = skipReason(error);
        process.stderr.write(`skipping "${title}": ${reason}\n`);
      }
    }, START_MAX_MS);
    beforeEach(({ skip }) => {
      if (reason !== undefined) skip(reason);
    });
    afterAll(async () => {
      await server?.stop();
    });
    body(() => {
      if (server === undefined) throw new Error('server() is for tests and hooks, after the server was started');
      return server;
    });
  });
}

/** The same group once per flavour. */
export function describeServers(
  flavours: readonly ServerFlavour[],
  title: string,
  body: (server: () => TestServer, flavour: ServerFlavour) => void,
  options: StartServerOptions = {},
): void {
  for (const flavour of flavours) describeServer(flavour, title, (server) => body(server, flavour), options);
}

/**
 * Why tests may be skipped; throws the error again when they may not: it is a real failure, or a server is missing in CI, where
 * nobody would read that tests were left out.
 */
function skipReason(error: unknown): string {
  if (!(error instanceof ServerUnavailableError)) throw error;
  if (error.kind === 'missing' && process.env['CI'] === 'true') throw error;
  return error.message;
}
