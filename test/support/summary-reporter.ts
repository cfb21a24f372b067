import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/**
 * Ends a run with one plain line, `N passed, N failed`, followed by `, N skipped` where tests were left out. A file that cannot be
 * loaded and an error outside of any test count as failures; a run in which no test ran fails.
 *
 * The line also goes to the file that TIDINGS_SUMMARY_FILE names, for scripts that print more after the tests.
 */
// oxlint-disable-next-line no-default-export -- vitest loads reporters by their default export
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      let failedHere = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'pending') counts.skipped++;
        else counts[state]++;
        if (state === 'failed') failedHere++;
      }
      // A hook that failed, or a file that did not load, leaves no failed test behind.
      if (failedHere === 0 && module.state() === 'failed') counts.failed++;
    }
    if (counts.passed + counts.failed === 0) {
      process.stderr.write('no test was run: that counts as a failure\n');
      process.exitCode = 1;
    }
    const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
    const line = `${counts.passed} passed, ${counts.failed} failed${skipped}\n`;
    process.stdout.write(line);
    const file = process.env['TIDINGS_SUMMARY_FILE'];
    if (file !== undefined && file !== '') writeFileSync(file, line);
  }
}
