import { afterAll, beforeAll, describe, inject } from 'vitest';
import { configuredUrl, type ServerFlavour } from './flavour.ts';
import { serverNotOwned } from './server-unavailable.ts';
import { canBeConfigured, type StartServerOptions, startServer } from './start-server.ts';
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
  describe.skipIf(!isAvailable(flavour, title, options))(`${title} [${flavour}]`, () => {
    let server: TestServer | undefined;
    beforeAll(async () => {
      server = await startServer(flavour, options);
    }, START_MAX_MS);
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
 * Whether a test can have such a server; where it cannot, the reason is printed. A server that is missing in CI counts as one that is there, so that its
 * tests fail: nobody would read that they were left out. Known before the first test: a hook of a group's own could not be skipped.
 */
export function isAvailable(flavour: ServerFlavour, title: string, options: StartServerOptions = {}): boolean {
  const reason = whyNot(flavour, options);
  if (reason !== null) process.stderr.write(`skipping "${title}": ${reason}\n`);
  return reason === null;
}

function whyNot(flavour: ServerFlavour, options: StartServerOptions): string | null {
  const isShared = configuredUrl(flavour) !== null;
  if (isShared && !canBeConfigured(options)) return serverNotOwned(flavour, 'starting one with options').message;
  return process.env['CI'] === 'true' ? null : (inject('missingServers')[flavour] ?? null);
}
