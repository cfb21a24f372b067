import type { CommandSpec } from '../arguments.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { StreamSummary } from '../relay-api-client.ts';
import { JSON_OPTION, RELAY_ARGUMENT, RELAY_OPTIONS } from '../relay-arguments.ts';
import { withRelay } from '../relay-command.ts';
import { terminalSafe } from '../terminal-text.ts';
import { bytesText, textTable } from '../text-table.ts';

export const STREAMS: CommandSpec = {
  name: 'streams',
  summary: 'The streams of a relay: their state, what they keep, and what is wrong with them.',
  positionals: [RELAY_ARGUMENT],
  options: [JSON_OPTION, ...RELAY_OPTIONS],
  examples: ['tidings streams http://127.0.0.1:8400'],
};

export async function runStreams(args: readonly string[], context: CliContext): Promise<ExitCode> {
  return withRelay(args, { spec: STREAMS, context }, async (parsed, api) => {
    const streams = await api.streams();
    await context.stdout.write(parsed.has('json') ? `${JSON.stringify(streams, null, 2)}\n` : streamsReport(streams));
    return EXIT.ok;
  });
}

function streamsReport(streams: readonly StreamSummary[]): string {
  const table = textTable(
    [
      { title: 'STREAM' },
      { title: 'STATE' },
      { title: 'FIRST', align: 'right' },
      { title: 'LAST', align: 'right' },
      { title: 'BYTES', align: 'right' },
      { title: 'FROM' },
      { title: 'TO' },
    ],
    streams.map(({ name, state, first, last, bytes, firstCommit, lastCommit }) => [
      name,
      state,
      String(first ?? '-'),
      String(last ?? '-'),
      bytes === null ? '-' : bytesText(bytes),
      shortTime(firstCommit),
      shortTime(lastCommit),
    ]),
  );
  const wrong = streams.flatMap(({ name, error }) =>
    error === null ? [] : [`${name}: ${error.code}: ${error.message}`, `  ${error.hint}`],
  );
  return table + wrong.map((line) => `${terminalSafe(line)}\n`).join('');
}

/** To the second: the range of days is what counts here. */
function shortTime(time: string | null): string {
  return time === null ? '-' : `${time.slice(0, 19)}Z`;
}
