import fc from 'fast-check';
import { test } from 'vitest';
import { LogHarness } from '../../../test/support/log-harness.ts';
import { type LogStep, LogWalk } from '../../../test/support/log-walk.ts';

const text = fc.oneof(
  { weight: 8, arbitrary: fc.nat(100) },
  { weight: 2, arbitrary: fc.nat(5000) },
  {
    weight: 1,
    arbitrary: fc.oneof({ weight: 9, arbitrary: fc.nat(400_000) }, { weight: 1, arbitrary: fc.nat(3_000_000) }),
  },
);
const table = fc.nat(2);
const rows = fc.record({
  type: fc.constant('rows' as const),
  table,
  kind: fc.constantFrom('insert' as const, 'update' as const, 'delete' as const),
  texts: fc.array(text, { minLength: 1, maxLength: 4 }),
});
const statement = fc.record({ type: fc.constantFrom('schema' as const, 'truncate' as const), table });
const entries = fc.array(fc.oneof({ weight: 8, arbitrary: rows }, { weight: 1, arbitrary: statement }), {
  maxLength: 4,
});
const share = fc.double({ min: 0, max: 1, noNaN: true });

const step: fc.Arbitrary<LogStep> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      transactions: fc.array(entries, { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('large' as const),
      rows: fc.integer({ min: 5, max: 60 }),
      bytes: fc.integer({ min: 5000, max: 40_000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('parts' as const),
      parts: fc.array(entries, { minLength: 1, maxLength: 5 }),
      restartAfter: fc.nat(6),
      restartWith: fc.nat(6),
      flush: fc.boolean(),
      ends: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('idle' as const, 'flush' as const, 'reopen' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      share,
      damage: fc.constantFrom('none' as const, 'zeros' as const, 'noise' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const), share, reader: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('seek' as const), share }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('retain' as const),
      maxBytes: fc.nat(300_000),
      groupShare: fc.option(share),
    }),
  },
);

const logOptions = fc.record({
  segmentBytes: fc.constantFrom(1000, 50_000, 400_000),
  compression: fc.constantFrom('none' as const, 'none' as const, 'zstd' as const),
  fsync: fc.constantFrom(true, true, false),
});

const RUNS = Number(process.env['TIDINGS_LOG_RUNS'] ?? (process.env['TIDINGS_SOAK'] === '1' ? 2000 : 40));

test('whatever is appended, restarted, cut by a crash, reopened, retained and read in whatever order: what was durable and complete is read once and in order, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(logOptions, fc.array(step, { minLength: 1, maxLength: 25 }), async (options, steps) => {
      await using harness = await LogHarness.open({ options });
      const walk = new LogWalk(harness);
      for (const step of steps) await walk.take(step);
      await walk.take({ do: 'flush' });
    }),
    { numRuns: RUNS },
  );
}, 600_000);
