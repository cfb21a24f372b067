import { connect } from '../client/connect.ts';
import { checkSink } from '../config/check-sink.ts';
import type { RelaySettings, SinkSettings } from '../config/config-settings.ts';
import { requestOf, typeOf } from '../config/stream-definitions.ts';
import { isTidingsError } from '../core/errors.ts';
import type { Finding } from '../core/finding.ts';
import type { Logger } from '../core/logger.ts';
import type { TableSchema } from '../core/table-schema.ts';
import { aborted } from './aborted.ts';
import { type CliContext, wantsColor } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { findingsReport } from './findings-report.ts';
import { terminalSafe } from './terminal-text.ts';

interface CheckOptions {
  readonly context: CliContext;
  readonly log: Logger;
}

/** One report for each stream and each sink; fails when a source cannot be followed, or a mapping does not go with its tables. */
export async function checkRelay(settings: RelaySettings, { context, log }: CheckOptions): Promise<ExitCode> {
  const { stdout, env, redact, sources, stop } = context;
  const checks = [
    ...[...settings.streams].map(([name, { source }]) => ({
      title: `stream ${name}`,
      run: () => typeOf(source, sources).preflight(requestOf(source, log)),
    })),
    ...[...settings.sinks].map(([name, sink]) => ({
      title: `sink ${name}`,
      run: () => sinkFindings(sink, settings, { context, log }),
    })),
  ];
  let errors = 0;
  for (const { title, run } of checks) {
    // oxlint-disable-next-line no-await-in-loop -- one report after the other
    const findings: readonly Finding[] | null = await Promise.race([run(), aborted(stop)]);
    if (findings === null) return EXIT.interrupted;
    errors += findings.filter(({ level }) => level === 'error').length;
    const report = findingsReport(findings, wantsColor(stdout.isTerminal, env));
    // oxlint-disable-next-line no-await-in-loop -- reports are printed in order
    await stdout.write(redact(`${terminalSafe(title)}\n${report}`));
  }
  return errors > 0 ? EXIT.failed : EXIT.ok;
}

async function sinkFindings(
  sink: SinkSettings,
  settings: RelaySettings,
  options: CheckOptions,
): Promise<readonly Finding[]> {
  try {
    const tables =
      sink.relay === null ? await sourceTables(sink, settings, options) : await relayTables(sink, sink.relay);
    if (tables.length === 0) return [unchecked('it has none yet')];
    const patches = options.context.sinks.get(sink.type)?.takesPatches(sink.options) === true;
    return await checkSink(sink.mapping, { directory: settings.configDirectory, tables, patches });
  } catch (error) {
    if (!isTidingsError(error)) throw error;
    return [unchecked(error.message)];
  }
}

function unchecked(why: string): Finding {
  const message = `the mapping was not checked, as the stream's tables are not known: ${why}`;
  return { level: 'warning', code: 'MAPPING_UNCHECKED', message, cure: null };
}

/** As they are in the source now: the relay need not run. */
async function sourceTables(
  { stream }: SinkSettings,
  { streams }: RelaySettings,
  { context, log }: CheckOptions,
): Promise<readonly TableSchema[]> {
  const source = streams.get(stream)?.source;
  if (source === undefined) return [];
  return (await typeOf(source, context.sources).tables?.(requestOf(source, log))) ?? [];
}

async function relayTables(
  { stream }: SinkSettings,
  { url, token }: NonNullable<SinkSettings['relay']>,
): Promise<readonly TableSchema[]> {
  await using client = connect(url, token === undefined ? {} : { token });
  return await client.tables(stream);
}
