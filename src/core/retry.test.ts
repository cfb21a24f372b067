import { expect, test } from 'vitest';
import { ManualClock } from '../testing/manual-clock.ts';
import type { ErrorCode } from './error-catalog.ts';
import { type RetryDirective, TidingsError } from './errors.ts';
import { silentLogger } from './logger.ts';
import { isTransient, retry, retryDirectiveOf } from './retry.ts';

const backoff = { delayMinMs: 100, delayMaxMs: 400 };

function failure(directive: RetryDirective): TidingsError {
  return new TidingsError('BINLOG_CORRUPT' satisfies ErrorCode, 'scripted', { retry: directive });
}

test('a transient failure is tried again, after pauses that grow up to the maximum, until it succeeds', async () => {
  const clock = new ManualClock();
  const lines: object[] = [];
  const log = {
    ...silentLogger,
    info: (fields: object) => lines.push({ level: 'info', ...fields }),
    warn: (fields: object) => lines.push({ level: 'warn', ...fields }),
  };
  let attempts = 0;
  const result = retry(
    async () => {
      attempts++;
      if (attempts <= 4) throw failure(attempts % 2 === 0 ? 'backoff' : 'reconnect');
      return 'done';
    },
    { backoff, clock, random: () => 1, log },
  );
  for (const delayMs of [100, 200, 400, 400]) {
    await clock.whenSleeping();
    clock.advance(delayMs - 1);
    expect(clock.sleeping).toBe(1);
    clock.advance(1);
  }
  await expect(result).resolves.toBe('done');
  expect(lines).toMatchObject([
    { level: 'info', failures: 1, delayMs: 100 },
    { level: 'info', failures: 2, delayMs: 200 },
    { level: 'warn', failures: 3, delayMs: 400 },
    { level: 'warn', failures: 4, delayMs: 400 },
  ]);
});

test.each(['operator', 'never'] as const)('a failure marked "%s" is thrown at once', async (directive) => {
  let attempts = 0;
  const error = failure(directive);
  await expect(
    retry(
      async () => {
        attempts++;
        throw error;
      },
      { backoff },
    ),
  ).rejects.toBe(error);
  expect(attempts).toBe(1);
});

test('a failure that nobody classified is a person’s business', async () => {
  const error = new Error('surprise');
  await expect(retry(() => Promise.reject(error), { backoff })).rejects.toBe(error);
  expect(retryDirectiveOf(error)).toBe('operator');
  expect(retryDirectiveOf('text')).toBe('operator');
});

test('a directive of a newer version is not retried', () => {
  expect(isTransient(failure('tomorrow' as RetryDirective))).toBe(false);
});

test('the signal ends a pause at once, with its own reason', async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const result = retry(() => Promise.reject(failure('backoff')), { backoff, clock, signal: controller.signal });
  await clock.whenSleeping();
  const reason = new Error('shut down');
  controller.abort(reason);
  await expect(result).rejects.toBe(reason);
  expect(clock.sleeping).toBe(0);
});

test('an attempt that fails because it was told to stop is not repeated', async () => {
  const controller = new AbortController();
  const reason = new Error('shut down');
  let attempts = 0;
  const result = retry(
    async (signal) => {
      attempts++;
      controller.abort(reason);
      expect(signal?.aborted).toBe(true);
      throw failure('backoff');
    },
    { backoff, signal: controller.signal },
  );
  await expect(result).rejects.toBe(reason);
  expect(attempts).toBe(1);
});

test('with a signal that is aborted already nothing is attempted', async () => {
  const reason = new Error('too late');
  let attempts = 0;
  await expect(retry(async () => attempts++, { backoff, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(attempts).toBe(0);
});
