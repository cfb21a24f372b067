import type { Row } from '../../../src/core/change.ts';
import type { StreamChange, StreamEntry } from '../../../src/core/consumer.ts';
import type { PlainRows } from '../../../src/core/plain-rows.ts';
import type { StoredRows } from '../../../src/core/rows/stored-rows.ts';
import type { Entry, TransactionPart } from '../../../src/core/source.ts';
import { storedRun } from '../../../src/testing/conformance/stored-run.ts';

/** The same changes as the log has them: `changes` by runs of one table and kind. */
export function storedParts(entries: readonly StreamEntry[]): readonly TransactionPart[] {
  const place = { compare: () => 0 };
  return runsOf(entries).map((run) => ({
    transaction: { id: null, committedAtUs: run[0]?.committedAtUs ?? 0, serverId: 1, start: place },
    begins: true,
    restarted: false,
    entries: [isChange(run[0]) ? storedRows(run as readonly StreamChange[]) : (run[0] as Entry)],
    end: place,
  }));
}

function runsOf(entries: readonly StreamEntry[]): StreamEntry[][] {
  const runs: StreamEntry[][] = [];
  for (const entry of entries) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const goesOn =
      isChange(last) &&
      isChange(entry) &&
      last.kind === entry.kind &&
      last.committedAtUs === entry.committedAtUs &&
      last.scn + 1 === entry.scn;
    if (goesOn) run?.push(entry);
    else runs.push([entry]);
  }
  return runs;
}

function isChange(entry: StreamEntry | undefined): entry is StreamChange {
  return entry !== undefined && 'kind' in entry;
}

function storedRows(changes: readonly StreamChange[]): StoredRows {
  const { kind, table, scn } = changes[0] as StreamChange;
  const plain: PlainRows =
    kind === 'update'
      ? { kind, table, rows: changes.map(({ before, after }) => ({ before: before as Row, after: after as Row })) }
      : { kind, table, rows: changes.map(({ before, after }) => (after ?? before) as Row) };
  return storedRun(plain, scn);
}
