import type { Source } from '../core/source.ts';
import { faultChecks } from './conformance/fault-checks.ts';
import { lifecycleChecks } from './conformance/lifecycle-checks.ts';
import { orderChecks } from './conformance/order-checks.ts';
import { ConformanceRig } from './conformance/rig.ts';
import { resumeChecks } from './conformance/resume-checks.ts';

/** One row change that the suite asks the store to make. */
export interface ConformanceWrite {
  readonly kind: 'insert' | 'update' | 'delete';
  readonly id: number;
  /** Not looked at for a delete. */
  readonly note: string;
}

/**
 * How the suite reaches the store behind a source. The store has one table with the columns `id` (a whole number, the primary key)
 * and `note` (a text of up to 1000 characters); the sources watch that table and nothing else. It may hold rows already.
 */
export interface SourceHarness {
  /**
   * A new source that reads from a position (the text of one), or with null from here on: all that is written after the promise has
   * resolved, and nothing before.
   */
  create(from: string | null): Source | Promise<Source>;
  /** Makes these changes in one transaction, in this order. Resolves when it is committed. */
  write(changes: readonly ConformanceWrite[]): Promise<void>;
  /** @default 'exact'; 'upsert' for a source that cannot tell inserts from updates */
  readonly kinds?: 'exact' | 'upsert';
  /** False for a source that never sees deletes. @default true */
  readonly seesDeletes?: boolean;
  /** So many rows, with notes of 1000 characters, that one transaction of them takes more than one batch. @default 5000 */
  readonly largeTransactionRows?: number;
  /** The first id to use. @default 1 */
  readonly firstId?: number;
  /** How long the suite waits for anything. @default 10_000 */
  readonly timeoutMs?: number;

  /** Cuts the connection of the source that reads; the source must find its way back. Left out: those checks do not exist. */
  cutConnection?(): Promise<void>;
  /**
   * Makes sources stop with an error behind what is committed by now, and takes that back. Left out: those checks do not exist.
   */
  spoil?(): Promise<void>;
  repair?(): Promise<void>;
  /** Connections of sources that are open at present. Left out: leaks are not looked for. */
  openConnections?(): number | Promise<number>;
  /** How much the source has read beyond what was handed over, in the harness's own unit, and how much of that is allowed. */
  readAhead?(source: Source): { readonly amount: number; readonly max: number };
}

/** One clause of the contract. `run` rejects with a sentence about what is wrong. */
export interface ConformanceCheck {
  readonly name: string;
  run(): Promise<void>;
}

/**
 * The contract of `Source` as a list of checks, for any test runner:
 *
 *     describe('MySource keeps the contract', () => {
 *       for (const check of sourceConformance(harness)) test(check.name, () => check.run());
 *     });
 *
 * The checks are independent of one another, but must not run at the same time: they share the harness's store.
 */
export function sourceConformance(harness: SourceHarness): readonly ConformanceCheck[] {
  const rig = new ConformanceRig(harness);
  return [...orderChecks(rig), ...resumeChecks(rig), ...lifecycleChecks(rig), ...faultChecks(rig)];
}
