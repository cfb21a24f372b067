import type { Row } from '../core/change.ts';
import type { Sink, SinkTarget } from '../core/sink.ts';
import type { ColumnType } from '../core/table-schema.ts';
import { sinkCheckpointChecks } from './conformance/sink-checkpoint-checks.ts';
import { sinkFaultChecks } from './conformance/sink-fault-checks.ts';
import { sinkPackingChecks } from './conformance/sink-packing-checks.ts';
import { sinkPatchChecks } from './conformance/sink-patch-checks.ts';
import { SinkRig } from './conformance/sink-rig.ts';
import { sinkRowChecks } from './conformance/sink-row-checks.ts';
import { sinkValueChecks } from './conformance/sink-value-checks.ts';
import type { ConformanceCheck } from './source-conformance.ts';

/** How the suite reaches the store behind a sink. */
export interface SinkHarness {
  /** A new sink, not opened. All of them write into the same store. */
  create(): Sink | Promise<Sink>;
  /** Where a table goes that no check has used before: `database.table`. */
  freshName(): string;
  /** All rows that a target has, in any order, with the columns that it has; NULL as null. */
  rows(target: SinkTarget): Promise<readonly Row[]>;
  /** A text that the column `note` (VARCHAR(50)) cannot hold. Left out: refused rows are not looked at. */
  readonly unfitNote?: string;
  /** Makes the next write's effects durable, and its answer go astray. Left out: that check does not exist. */
  loseNextAnswer?(): Promise<void>;
  /** The column types that the sink takes. @default all */
  readonly types?: readonly ColumnType[];
  /** False for a store that takes whole rows only. @default true */
  readonly takesPartialRows?: boolean;
  /** True for a sink that changes parts of documents (`SinkRow.patches`); the others must refuse such targets. @default false */
  readonly takesPatches?: boolean;
  /** True for a sink that takes rows as bytes (`Sink.packing`). @default false */
  readonly packs?: boolean;
  /** False for a sink that cannot keep whole transactions together. @default true */
  readonly takesTransactions?: boolean;
}

/**
 * The contract of `Sink` as a list of checks, for any test runner, in the manner of `sourceConformance`. They are independent of one another, but must
 * not run at the same time: they share the harness's store.
 */
export function sinkConformance(harness: SinkHarness): readonly ConformanceCheck[] {
  const rig = new SinkRig(harness);
  return [
    ...sinkRowChecks(rig),
    ...sinkPatchChecks(rig),
    ...sinkValueChecks(rig),
    ...sinkFaultChecks(rig),
    ...sinkCheckpointChecks(rig),
    ...sinkPackingChecks(rig),
  ];
}
