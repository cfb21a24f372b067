import type { TestProject } from 'vitest/node';
import type { ServerFlavour } from './flavour.ts';
import { ServerUnavailableError } from './server-unavailable.ts';
import { prepareServer } from './start-server.ts';

/** Gets the servers before the first test that needs one, where progress can be seen and no test's time limit runs. */
export async function setup(project: TestProject): Promise<void> {
  const flavours: readonly ServerFlavour[] = ['mariadb', 'mysql'];
  const missing: Partial<Record<ServerFlavour, string>> = {};
  await Promise.all(
    flavours.map(async (flavour) => {
      try {
        await prepareServer(flavour);
      } catch (error) {
        if (!(error instanceof ServerUnavailableError)) throw error;
        process.stderr.write(`${error.message}\n`); // The tests that need it are skipped, or fail when CI=true.
        missing[flavour] = error.message;
      }
    }),
  );
  project.provide('missingServers', missing);
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Why a server cannot be had. */
    readonly missingServers: Readonly<Partial<Record<ServerFlavour, string>>>;
  }
}
