import type { SnapshotDetails, SnapshotFailure, SnapshotSummary, SnapshotTable } from './relay-snapshots.ts';
import { renderLine, terminalSafe } from './terminal-text.ts';
import { countText, secondsText, textTable } from './text-table.ts';

/** A line for each, and what is wrong with some of them below. */
export function snapshotsTable(snapshots: readonly SnapshotSummary[]): string {
  const table = textTable(
    [
      { title: 'SNAPSHOT', align: 'right' },
      { title: 'STATE' },
      { title: 'WHAT' },
      { title: 'ROWS', align: 'right' },
      { title: 'DONE', align: 'right' },
      { title: 'ROWS/S', align: 'right' },
      { title: 'LEFT', align: 'right' },
      { title: 'CREATED' },
    ],
    snapshots.map((snapshot) => [
      String(snapshot.id),
      stateText(snapshot),
      whatText(snapshot),
      countText(snapshot.rows),
      percentText(snapshot.percent),
      snapshot.rowsPerSecond === null ? '-' : countText(Math.round(snapshot.rowsPerSecond)),
      snapshot.secondsLeft === null ? '-' : secondsText(snapshot.secondsLeft),
      `${snapshot.created.slice(0, 19)}Z`,
    ]),
  );
  const more = snapshots.flatMap(({ id, error, waitsBecause }) => [
    ...(error === null ? [] : failureLines(`snapshot ${id}`, error)),
    ...(waitsBecause === null ? [] : [`snapshot ${id} waits: ${waitsBecause}`]),
  ]);
  return table + more.map((line) => `${terminalSafe(line)}\n`).join('');
}

/** One with its tables. */
export function snapshotReport(snapshot: SnapshotDetails): string {
  const { tables } = snapshot;
  const head = snapshotsTable([snapshot]);
  if (tables.length === 0) return head;
  const rows = textTable(
    [{ title: 'TABLE' }, { title: 'STATE' }, { title: 'ROWS', align: 'right' }, { title: 'ESTIMATED', align: 'right' }],
    tables.map((table) => [nameOf(table), table.state, countText(table.rows), countText(table.estimate)]),
  );
  const wrong = tables.flatMap((table) => (table.error === null ? [] : failureLines(nameOf(table), table.error)));
  return `${head}\n${rows}${wrong.map((line) => `${terminalSafe(line)}\n`).join('')}`;
}

const BAR_COLUMNS = 24;

/** How far it is, in one line of at most `width` columns, with a bar at its beginning. */
export function progressBar(snapshot: SnapshotDetails, width: number): string {
  const filled = Math.floor((Math.min(100, Math.max(0, snapshot.percent ?? 0)) / 100) * BAR_COLUMNS);
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_COLUMNS - filled)}] `;
  const percent = percentText(snapshot.percent).padStart(7);
  return renderLine([{ text: `${bar}${percent}  ${factsText(snapshot)}` }], { width, color: false });
}

/** The same for a log. */
export function progressText(snapshot: SnapshotDetails): string {
  const percent = snapshot.percent === null ? '' : `${percentText(snapshot.percent)}, `;
  return terminalSafe(`snapshot ${snapshot.id}: ${percent}${factsText(snapshot)}`);
}

function factsText(snapshot: SnapshotDetails): string {
  const { rows, rowsPerSecond, secondsLeft, waitsBecause, tables } = snapshot;
  const state = stateText(snapshot);
  const reading = tables.filter((table) => table.state === 'reading').map(nameOf);
  const facts = [
    `${countText(rows)} ${rows === 1 ? 'row' : 'rows'}`,
    ...(rowsPerSecond === null ? [] : [`${countText(Math.round(rowsPerSecond))} rows/s`]),
    ...(secondsLeft === null ? [] : [`${secondsText(secondsLeft)} left`]),
    ...(state === 'running' ? [] : [waitsBecause === null ? state : `${state} (${waitsBecause})`]),
    ...(reading.length === 0 ? [] : [reading.join(' ')]),
  ];
  return facts.join(', ');
}

function stateText({ state, waitsFor }: SnapshotSummary): string {
  if (state !== 'running' || waitsFor === null) return state;
  // Between two chunks it keeps to its rate: it is being read all the same.
  return waitsFor === 'rate' ? state : `waits: ${waitsFor === 'threads' ? 'busy server' : waitsFor}`;
}

const WHAT_CHARS = 40;

/** What of the stream it brings, in short. */
function whatText({ patterns, reason, where, keyCount, group, reader = null, truncate }: SnapshotSummary): string {
  const tables = patterns === null ? 'all tables' : patterns.join(',');
  const short = tables.length > WHAT_CHARS ? `${tables.slice(0, WHAT_CHARS)}…` : tables;
  const notes = [
    ...(reason === 'request' ? [] : [reason]),
    ...(group === null ? [] : [`group ${group}`]),
    ...(reader === null ? [] : [`reader ${reader}`]),
    ...(where === null ? [] : ['where']),
    ...(keyCount === null ? [] : [`${countText(keyCount)} ${keyCount === 1 ? 'key' : 'keys'}`]),
    ...(truncate ? ['truncate'] : []),
  ];
  return notes.length === 0 ? short : `${short} (${notes.join(', ')})`;
}

function percentText(percent: number | null): string {
  return percent === null ? '-' : `${percent === 100 ? '100' : percent.toFixed(1)} %`;
}

function nameOf({ database, table }: SnapshotTable): string {
  return `${database}.${table}`;
}

function failureLines(what: string, { code, message, hint }: SnapshotFailure): string[] {
  return [`${what}: ${code}: ${message}`, ...(hint === '' ? [] : [`  ${hint}`])];
}
