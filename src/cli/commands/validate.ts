import type { RelaySettings } from '../../config/config-settings.ts';
import { pathText } from '../../config/mistake.ts';
import { type CommandSpec, parseCommandLine } from '../arguments.ts';
import { CONFIG_ARGUMENT, mistakesReport, readConfigFile, shownPath } from '../config-file.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { commandHelp } from '../help.ts';
import { redactUrl } from '../redact.ts';
import { HELP_OPTION, JSON_OPTION } from '../relay-arguments.ts';
import { terminalSafe } from '../terminal-text.ts';

export const VALIDATE: CommandSpec = {
  name: 'validate',
  summary: 'Check a configuration file: every mistake with its line, its path and what is allowed.',
  positionals: [CONFIG_ARGUMENT],
  options: [JSON_OPTION, HELP_OPTION],
  examples: ['tidings validate', 'tidings validate relay/tidings.yaml'],
};

/** Looks at the file only, and at the files and variables that it refers to: nothing is connected to. */
export async function runValidate(args: readonly string[], context: CliContext): Promise<ExitCode> {
  const parsed = parseCommandLine(args, VALIDATE);
  const { stdout, redact } = context;
  if (parsed.has('help')) {
    await stdout.write(commandHelp(VALIDATE));
    return EXIT.ok;
  }
  const file = await readConfigFile(parsed.positionals[0], context);
  const { name, settings, mistakes } = file;
  if (parsed.has('json')) {
    const listed = mistakes.map(({ path, ...rest }) => ({ path: pathText(path), ...rest }));
    await stdout.write(redact(`${JSON.stringify({ file: name, ok: settings !== null, mistakes: listed }, null, 2)}\n`));
  } else if (settings !== null) {
    await stdout.write(redact(`${name} is right\n${summary(settings, context.cwd)}`));
  } else {
    const count = mistakes.length === 1 ? '1 mistake' : `${mistakes.length} mistakes`;
    await stdout.write(redact(`${mistakesReport(file)}${count}\n`));
  }
  return settings === null ? EXIT.failed : EXIT.ok;
}

function summary({ directory, http, streams }: RelaySettings, cwd: string): string {
  const scheme = http.tls === undefined ? 'http' : 'https';
  const host = http.host?.includes(':') === true ? `[${http.host}]` : http.host;
  const tokens = http.tokens?.length ?? 0;
  const lines = [
    `  data    ${shownPath(directory, cwd)}`,
    `  serves  ${scheme}://${host}:${http.port}, ${tokens === 0 ? 'without tokens' : tokens === 1 ? '1 token' : `${tokens} tokens`}`,
    ...[...streams].map(([name, { source }]) => `  stream  ${name}: ${source.type}, ${redactUrl(source.url)}`),
  ];
  return lines.map((line) => `${terminalSafe(line)}\n`).join('');
}
