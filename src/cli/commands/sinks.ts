import type { CommandSpec } from '../arguments.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { JSON_OPTION, RELAY_ARGUMENT, RELAY_OPTIONS } from '../relay-arguments.ts';
import { withRelay } from '../relay-command.ts';
import type { SinkSummary } from '../relay-sinks.ts';
import { terminalSafe } from '../terminal-text.ts';
import { textTable } from '../text-table.ts';

export const SINKS: CommandSpec = {
  name: 'sinks',
  summary: 'The sinks of a relay: their state, how far behind they are, and what could not be written.',
  positionals: [RELAY_ARGUMENT],
  options: [JSON_OPTION, ...RELAY_OPTIONS],
  examples: ['tidings sinks http://127.0.0.1:8400'],
};

export async function runSinks(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: SINKS, context }, async (parsed, api) => {
    const sinks = await api.sinks();
    await context.stdout.write(parsed.has('json') ? `${JSON.stringify(sinks, null, 2)}\n` : sinksReport(sinks));
    return EXIT.ok;
  });
}

function sinksReport(sinks: readonly SinkSummary[]): string {
  const table = textTable(
    [
      { title: 'SINK' },
      { title: 'TYPE' },
      { title: 'STREAM' },
      { title: 'PROMISE' },
      { title: 'STATE' },
      { title: 'ROWS', align: 'right' },
      { title: 'PENDING', align: 'right' },
      { title: 'LAG', align: 'right' },
      { title: 'DEAD LETTERS', align: 'right' },
      { title: 'BLOCKED KEYS', align: 'right' },
    ],
    sinks.map(({ name, type, stream, promise, state, rows, pending, lagSeconds, deadLetters, blockedKeys }) => [
      name,
      type,
      stream,
      promise ?? '-',
      state,
      String(rows),
      String(pending),
      `${lagSeconds.toFixed(1)} s`,
      String(deadLetters),
      String(blockedKeys),
    ]),
  );
  const wrong = sinks.flatMap(({ name, error }) =>
    error === null ? [] : [`${name}: ${error.code}: ${error.message}`, `  ${error.hint}`],
  );
  return table + wrong.map((line) => `${terminalSafe(line)}\n`).join('');
}
