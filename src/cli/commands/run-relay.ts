import { setTimeout as sleep } from 'node:timers/promises';
import type { RelaySettings } from '../../config/config-settings.ts';
import type { Logger } from '../../core/logger.ts';
import type { SinkSet } from '../../delivery/sink-set.ts';
import type { Relay } from '../../relay/relay.ts';
import { aborted } from '../aborted.ts';
import { type CommandSpec, parseCommandLine } from '../arguments.ts';
import { CONFIG_ARGUMENT, readConfigFile, refuseConfig } from '../config-file.ts';
import { type CliContext, commandLog } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { armFailpoints } from '../failpoints.ts';
import { commandHelp } from '../help.ts';
import { HELP_OPTION, LOG_LEVEL_OPTION } from '../relay-arguments.ts';
import { sharedOutput } from '../shared-output.ts';
import { streamDefinitions } from '../../config/stream-definitions.ts';

export const RUN: CommandSpec = {
  name: 'run',
  summary: 'Run a relay: the streams of a configuration, kept in a durable log and served to consumers.',
  positionals: [CONFIG_ARGUMENT],
  options: [
    {
      name: 'check',
      value: null,
      description:
        'Only check: the configuration, whether each source can be followed, and whether the mapping of each sink goes with the tables. Starts nothing.',
    },
    LOG_LEVEL_OPTION,
    HELP_OPTION,
  ],
  examples: ['tidings run', 'tidings run --check /etc/tidings/tidings.yaml'],
};

/** From the first signal to the end: readers get what is on its way, the log what was handed over. */
const STOP_DEADLINE_MS = 10_000;
/** How long of it consumers get to take the rest of their responses. */
const RESPONSES_GRACE_MS = 5000;

export async function runRelay(args: readonly string[], context: CliContext): Promise<ExitCode> {
  const parsed = parseCommandLine(args, RUN);
  if (parsed.has('help')) {
    await context.stdout.write(commandHelp(RUN));
    return EXIT.ok;
  }
  const file = await readConfigFile(parsed.positionals[0], context);
  if (file.settings === null) return refuseConfig(file, context);
  const log = commandLog(parsed, context);
  if (parsed.has('check')) {
    const { checkRelay } = await import('../check-relay.ts');
    return checkRelay(file.settings, { context, log });
  }
  return serve(file.settings, { context, log });
}

interface Serving {
  readonly context: CliContext;
  readonly log: Logger;
}

async function serve(settings: RelaySettings, { context, log }: Serving): Promise<ExitCode> {
  const failpoints = armFailpoints(context.env);
  // The server and its framework are loaded by this command only.
  const [{ Relay }, { createRelayServer }] = await Promise.all([
    import('../../relay/relay.ts'),
    import('../../relay/server/relay-server.ts'),
  ]);
  const relay = await Relay.open({
    directory: settings.directory,
    streams: await streamDefinitions(settings, { types: context.sources, log }),
    log,
    failpoints,
  });
  let close = (): Promise<void> => relay.close();
  try {
    const sinks = await openSinks(settings, { relay, context, log });
    close = async () => {
      await sinks?.close();
      await relay.close();
    };
    const server = await createRelayServer({
      relay,
      ...(sinks === null ? {} : { sinks }),
      redact: context.redact,
      http: settings.http,
      log,
      version: context.version,
    });
    close = async () => {
      // What is on its way to the sinks is written, and committed, while there is a relay.
      await sinks?.close();
      await server.close({ graceMs: RESPONSES_GRACE_MS });
      await relay.close();
    };
    const { url } = await server.listen();
    sinks?.start();
    const failed = [...relay.streams.values()]
      .filter(({ opening }) => opening.kind === 'failed')
      .map(({ name }) => name);
    const names = { streams: [...relay.streams.keys()], ...(sinks === null ? {} : { sinks: [...sinks.all.keys()] }) };
    const serving = { url, ...names, data: settings.directory };
    if (failed.length === 0) log.info(serving, 'ready');
    // What is wrong with them was told when they were opened.
    else log.warn({ ...serving, failed }, 'ready');
    await aborted(context.stop);
  } catch (error) {
    await stopInTime(close, log);
    throw error;
  }
  log.info({}, 'stopping; once more stops at once');
  if (!(await stopInTime(close, log))) return EXIT.failed;
  log.info({}, 'stopped');
  return EXIT.ok;
}

/** Null when there are none: nothing of them is loaded then. */
async function openSinks(
  settings: RelaySettings,
  { relay, context, log }: Serving & { readonly relay: Relay },
): Promise<SinkSet | null> {
  if (settings.sinks.size === 0) return null;
  const [{ SinkSet: Sinks }, { sinkDefinitions }] = await Promise.all([
    import('../../delivery/sink-set.ts'),
    import('../../config/sink-definitions.ts'),
  ]);
  const print = sharedOutput(context.stdout);
  const sinks = sinkDefinitions(settings, { types: context.sinks, relay, print, log });
  return new Sinks({ sinks, directory: settings.directory, log });
}

/** False when it took too long: nothing is lost then, as the log is repaired at the next start. */
async function stopInTime(close: () => Promise<void>, log: Logger): Promise<boolean> {
  const ended = new AbortController();
  const late = sleep(STOP_DEADLINE_MS, 'late' as const, { signal: ended.signal }).catch(() => 'ended' as const);
  try {
    if ((await Promise.race([close(), late])) !== 'late') return true;
    log.error({ deadlineMs: STOP_DEADLINE_MS }, 'could not stop in time; ending all the same');
    return false;
  } finally {
    ended.abort();
  }
}
