import type { StreamChange } from '../../../src/core/consumer.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { systemClock } from '../../../src/base/clock.ts';
import type { Row } from '../../../src/core/change.ts';
import type { SinkBatch, SinkCheckpoint, SinkContext, SinkRow, SinkTarget } from '../../../src/core/sink.ts';
import { keyNames } from '../../../src/core/plain-rows.ts';
import { COMMITTED_AT_US } from '../changes.ts';

/** A row as a mapping would make it of a change of the target's own table. */
export function sinkRow(
  target: SinkTarget,
  {
    kind,
    scn,
    before = null,
    after = null,
    committedAtUs = COMMITTED_AT_US,
  }: Partial<SinkRow> & {
    readonly kind: SinkRow['kind'];
    readonly scn: number;
    readonly committedAtUs?: number;
  },
): SinkRow {
  const names = keyNames(target.table);
  const image = kind === 'delete' ? before : after;
  const value = (name: string): Row[string] => image?.[name] ?? before?.[name] ?? null;
  const key = names.length === 0 ? null : Object.fromEntries(names.map((name) => [name, value(name)]));
  const change: StreamChange = {
    kind,
    table: target.table,
    scn,
    key,
    before,
    after,
    statement: null,
    committedAtUs,
  };
  return { target, kind, key, before, after, scn, change };
}

export function sinkBatch(
  rows: readonly SinkRow[],
  checkpoints: readonly SinkCheckpoint[],
  { lane = 0, endsTransaction = true }: Partial<SinkBatch> = {},
): SinkBatch {
  return { lane, rows, checkpoints, endsTransaction };
}

export function sinkContext(options: Partial<SinkContext> = {}): SinkContext {
  return {
    name: 'files',
    stream: 'shop',
    order: 'key',
    lanes: 4,
    log: silentLogger,
    clock: systemClock,
    signal: new AbortController().signal,
    ...options,
  };
}
