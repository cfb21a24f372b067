import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';

test('sleep ends when the time is up, and at once with the signal’s own reason when it aborts', async () => {
  await systemClock.sleep(1);
  await systemClock.sleep(1, new AbortController().signal);
  const controller = new AbortController();
  const sleep = systemClock.sleep(600_000, controller.signal);
  const reason = new Error('shut down');
  controller.abort(reason);
  await expect(sleep).rejects.toBe(reason);
  await expect(systemClock.sleep(600_000, controller.signal)).rejects.toBe(reason);
});

test('the time is that of the system', () => {
  expect(Math.abs(systemClock.nowMs() - Date.now())).toBeLessThan(1000);
});
