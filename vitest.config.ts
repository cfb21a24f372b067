import { defineConfig, type ViteUserConfig } from 'vitest/config';

const SECOND_MS = 1000;
/** Busy machines take their time; a test that waits for what does not come fails all the same. */
const patience = { poll: { timeout: 15 * SECOND_MS } };
const serverSetup = ['test/support/servers/global-setup.ts'];

/** A server of the user's is one for all files: they take turns. */
const isShared = ['TIDINGS_TEST_MARIADB_URL', 'TIDINGS_TEST_MYSQL_URL'].some(
  (name) => (process.env[name] ?? '') !== '',
);

const config: ViteUserConfig = defineConfig({
  test: {
    // Two workers: servers, proxies and the code under test share what is often a two-core machine.
    maxWorkers: isShared ? 1 : 2,
    pool: 'forks',
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/architecture/**/*.test.ts', 'test/support/**/*.test.ts'],
          setupFiles: ['test/support/property-seed.ts'],
          expect: patience,
          testTimeout: 20 * SECOND_MS,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: serverSetup,
          expect: patience,
          testTimeout: 60 * SECOND_MS,
          hookTimeout: 120 * SECOND_MS,
        },
      },
      {
        test: {
          name: 'fault',
          include: ['test/fault/**/*.test.ts'],
          globalSetup: serverSetup,
          expect: patience,
          testTimeout: 120 * SECOND_MS,
          hookTimeout: 120 * SECOND_MS,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: serverSetup,
          expect: patience,
          testTimeout: 180 * SECOND_MS,
          hookTimeout: 180 * SECOND_MS,
        },
      },
    ],
  },
});

export default config;
