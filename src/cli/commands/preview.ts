import type { RelaySettings, SinkSettings } from '../../config/config-settings.ts';
import type { Finding } from '../../core/finding.ts';
import type { Logger } from '../../core/logger.ts';
import { escapeTerminalControls } from '../../formats/json-text.ts';
import type { TracingMapper } from '../../mapping/trace.ts';
import { type CommandArguments, type CommandSpec, parseCommandLine, usageError } from '../arguments.ts';
import { CONFIG_ARGUMENT, readConfigFile, refuseConfig } from '../config-file.ts';
import { TABLES_OPTION } from '../consume-arguments.ts';
import { type CliContext, commandLog, wantsColor } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { findingsReport } from '../findings-report.ts';
import { commandHelp } from '../help.ts';
import type { Previewed } from '../preview/preview-entry.ts';
import type { RecentChanges } from '../preview/recent-changes.ts';
import { relayOfSink } from '../preview/sink-relay.ts';
import type { RelayApi, StreamDetails } from '../relay-api-client.ts';
import { parseStartAt, type RelayAddress, RELAY_OPTIONS } from '../relay-arguments.ts';
import { parsePatterns } from '../source-arguments.ts';
import { terminalSafe } from '../terminal-text.ts';
import { countText } from '../text-table.ts';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 10_000;
/** How far back changes of the sink's tables are looked for: so many of the stream's changes, and about so many bytes of its log. */
const REACH_CHANGES = 1_000_000;
const REACH_BYTES = 1024 ** 3;

export const PREVIEW: CommandSpec = {
  name: 'preview',
  summary: "What a sink's mapping makes of the last changes of its stream. Nothing is written anywhere.",
  positionals: [CONFIG_ARGUMENT],
  options: [
    { name: 'sink', value: '<name>', description: 'The sink, as the configuration names it.' },
    { name: 'limit', value: '<n>', description: `The most changes, up to ${LIMIT_MAX}. Default: ${LIMIT_DEFAULT}.` },
    TABLES_OPTION,
    {
      name: 'from',
      value: '<place>',
      description:
        'The first changes from there on: earliest, an SCN, or a time such as 2026-11-20T09:15:02Z. Without it: the last ones.',
    },
    {
      name: 'relay',
      value: '<url>',
      description:
        "The relay that has the stream. Default: the sink's `relay`, or the one that this configuration runs.",
    },
    { name: 'format', value: '<format>', description: 'text, or json: a line for each change. Default: text.' },
    ...RELAY_OPTIONS,
  ],
  examples: [
    'tidings preview --sink search',
    'tidings preview tidings.yaml --sink search --tables shop.orders --limit 100 --format json',
  ],
};

export async function runPreview(args: readonly string[], context: CliContext): Promise<ExitCode> {
  const parsed = parseCommandLine(args, PREVIEW);
  if (parsed.has('help')) {
    await context.stdout.write(commandHelp(PREVIEW));
    return EXIT.ok;
  }
  const wish = wishOf(parsed);
  const file = await readConfigFile(parsed.positionals[0], context);
  if (file.settings === null) return refuseConfig(file, context);
  const sink = sinkNamed(parsed.one('sink'), file.settings);
  const address = relayOfSink(sink.settings, file.settings, { args: parsed, context });
  const log = commandLog(parsed, context);
  const [{ openMapper }, { RelayApi: Api }] = await Promise.all([
    import('../../config/open-mapper.ts'),
    import('../relay-api-client.ts'),
  ]);
  const directory = file.settings.configDirectory;
  const patches = context.sinks.get(sink.settings.type)?.takesPatches(sink.settings.options) === true;
  const mapper = await openMapper(sink.settings.mapping, { sink: sink.name, directory, log, patches });
  const api = new Api(address, context.stop);
  try {
    return await preview({ ...sink, directory, mapper, patches, wish, address, api, log, context });
  } catch (error) {
    if (context.stop.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    api.close();
  }
}

interface Wish {
  readonly limit: number;
  readonly tables: readonly string[] | undefined;
  readonly from: ReturnType<typeof parseStartAt> | undefined;
  readonly format: 'text' | 'json';
}

function wishOf(args: CommandArguments): Wish {
  const limit = args.one('limit') ?? String(LIMIT_DEFAULT);
  if (!/^\d{1,5}$/.test(limit) || Number(limit) < 1 || Number(limit) > LIMIT_MAX) {
    throw usageError(`--limit "${limit}" is no number from 1 to ${LIMIT_MAX}`, 'For example: --limit 100');
  }
  const format = args.one('format') ?? 'text';
  if (format !== 'text' && format !== 'json') {
    throw usageError(`there is no format "${format}"`, 'Use one of: text, json.');
  }
  const from = args.one('from');
  return {
    limit: Number(limit),
    tables: parsePatterns(args, 'tables'),
    from: from === undefined ? undefined : parseStartAt(from, 'from'),
    format,
  };
}

interface NamedSink {
  readonly name: string;
  readonly settings: SinkSettings;
}

function sinkNamed(name: string | undefined, { sinks }: RelaySettings): NamedSink {
  const names = [...sinks.keys()];
  const hint = names.length === 0 ? 'The configuration has none.' : `The sinks are: ${names.join(', ')}.`;
  if (name === undefined) throw usageError('tidings preview needs --sink', hint);
  const settings = sinks.get(name);
  if (settings === undefined) throw usageError(`the configuration has no sink "${name}"`, hint);
  return { name, settings };
}

interface PreviewOptions extends NamedSink {
  readonly directory: string;
  readonly mapper: TracingMapper;
  /** Whether the sink can change parts of documents. */
  readonly patches: boolean;
  readonly wish: Wish;
  readonly address: RelayAddress;
  readonly api: RelayApi;
  readonly log: Logger;
  readonly context: CliContext;
}

async function preview(options: PreviewOptions): Promise<ExitCode> {
  const { name, settings, directory, mapper, patches, wish, api, context, log } = options;
  const stream = await api.stream(settings.stream);
  const { checkSink } = await import('../../config/check-sink.ts');
  const known = await api.tables(settings.stream);
  const findings = known.length === 0 ? [] : await checkSink(settings.mapping, { directory, tables: known, patches });
  await tellFindings(
    findings.filter(({ level }) => level !== 'ok'),
    options,
  );
  const { entries, among } = await changesOf(stream, options);
  if (context.stop.aborted) return EXIT.interrupted;
  const [{ previewEntry }, { previewText }, { previewJson }] = await Promise.all([
    import('../preview/preview-entry.ts'),
    import('../preview/preview-text.ts'),
    import('../preview/preview-json.ts'),
  ]);
  const color = wantsColor(context.stdout.isTerminal, context.env);
  // Documents are embedded as they are, and their strings may hold controls that a terminal acts on.
  const json = context.stdout.isTerminal
    ? (previewed: Previewed): string => escapeTerminalControls(previewJson(previewed))
    : previewJson;
  const counts = { rows: 0, leftOut: 0, errors: 0 };
  for (const entry of entries) {
    if (context.stop.aborted) return EXIT.interrupted;
    // oxlint-disable-next-line no-await-in-loop -- in commit order, as a sink asks its hooks
    const previewed = await previewEntry(entry, mapper);
    if (previewed.kind === 'mapped') {
      counts.rows += previewed.rows.length;
      if (previewed.rows.length === 0) counts.leftOut++;
    } else if (previewed.kind !== 'emptied') counts.errors++;
    // oxlint-disable-next-line no-await-in-loop -- as above
    await context.stdout.write(`${wish.format === 'json' ? json(previewed) : previewText(previewed, color)}\n`);
  }
  const note = noteOf(stream, { count: entries.length, among, wish });
  if (wish.format === 'text') {
    if (note !== null) await context.stdout.write(`${terminalSafe(note)}\n`);
    if (entries.length > 0) await context.stdout.write(summaryOf(entries.length, counts));
  } else if (note !== null) log.info({ sink: name, stream: stream.name }, note);
  return counts.errors > 0 || findings.some(({ level }) => level === 'error') ? EXIT.failed : EXIT.ok;
}

async function tellFindings(findings: readonly Finding[], { name, wish, context, log }: PreviewOptions): Promise<void> {
  if (findings.length === 0) return;
  if (wish.format === 'text') {
    const report = findingsReport(findings, wantsColor(context.stdout.isTerminal, context.env));
    await context.stdout.write(`the mapping of sink ${terminalSafe(name)}\n${report}\n`);
    return;
  }
  for (const { level, code, message, cure } of findings) {
    log[level === 'error' ? 'error' : 'warn']({ sink: name, code, ...(cure === null ? {} : { cure }) }, message);
  }
}

async function changesOf(
  { name: stream, first, last, bytes, partitions }: StreamDetails,
  { settings, mapper, wish, address, log, context }: PreviewOptions,
): Promise<RecentChanges> {
  if (first === null || last === null) return { entries: [], among: null };
  const [{ OpenChanges }, { changesFrom, lastChanges }] = await Promise.all([
    import('../preview/open-changes.ts'),
    import('../preview/recent-changes.ts'),
  ]);
  const changes = new OpenChanges(address, {
    stream,
    tables: wish.tables ?? mapper.tables,
    partitions: settings.order === 'key' ? partitions : null,
    log,
    signal: context.stop,
  });
  const wanted = {
    open: changes.from.bind(changes),
    selects: mapper.selects.bind(mapper),
    limit: wish.limit,
  };
  try {
    if (wish.from !== undefined) return { entries: await changesFrom(wish.from, wanted), among: null };
    const changeBytes = Math.max(1, (bytes ?? 0) / (last - first + 1));
    const reach = Math.min(REACH_CHANGES, Math.ceil(REACH_BYTES / changeBytes));
    return await lastChanges({ first, last, reach }, wanted);
  } finally {
    changes.close();
  }
}

function summaryOf(
  changes: number,
  { rows, leftOut, errors }: { readonly rows: number; readonly leftOut: number; readonly errors: number },
): string {
  const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
  return `${counted(changes, 'change')}: ${counted(rows, 'row')}, ${leftOut} left out, ${counted(errors, 'error')}\n`;
}

/** What there is to say when there are fewer changes than asked for. */
function noteOf(
  { name, last }: StreamDetails,
  { count, among, wish }: { readonly count: number; readonly among: number | null; readonly wish: Wish },
): string | null {
  if (last === null) return `stream ${name} has no changes yet`;
  if (among !== null && count < wish.limit) {
    return `no more were found among the last ${countText(among)} changes of stream ${name}; --from looks elsewhere`;
  }
  if (count > 0) return null;
  return `stream ${name} has no change of the sink's tables${wish.from === undefined ? '' : ' behind this place'}`;
}
