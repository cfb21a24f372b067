import { existsSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import type { RelaySettings } from '../config/config-settings.ts';
import { CONFIG_FILES } from '../config/config-files.ts';
import { type ConfigMistake, mistakeText } from '../config/mistake.ts';
import { connectorSchemas } from '../registry.ts';
import { type PositionalSpec, usageError } from './arguments.ts';
import type { CliContext } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { terminalSafe } from './terminal-text.ts';

export const CONFIG_ARGUMENT: PositionalSpec = {
  name: 'file',
  optional: true,
  description: `The configuration. Default: the first of ${CONFIG_FILES.join(', ')} in the working directory.`,
};

export type ConfigFile =
  | { readonly name: string; readonly settings: RelaySettings; readonly mistakes: readonly [] }
  | { readonly name: string; readonly settings: null; readonly mistakes: readonly ConfigMistake[] };

/**
 * Reads the configuration that was named, or the one that is there. Its secrets are hidden from then on.
 *
 * @throws TidingsError CONFIG_INVALID when there is none
 */
export async function readConfigFile(named: string | undefined, context: CliContext): Promise<ConfigFile> {
  const path = named === undefined ? findConfigFile(context.cwd) : resolve(context.cwd, named);
  // The parsers are loaded by the commands that need them.
  const { loadConfig } = await import('../config/load-config.ts');
  const { settings, secrets, mistakes } = await loadConfig(path, {
    env: context.env,
    schemas: await connectorSchemas(context),
  });
  const name = named ?? basename(path);
  context.hide(secrets);
  if (settings === null) return { name, settings, mistakes };
  return { name, settings, mistakes: [] };
}

function findConfigFile(directory: string): string {
  const path = CONFIG_FILES.map((name) => join(directory, name)).find((candidate) => existsSync(candidate));
  if (path !== undefined) return path;
  throw usageError(
    'there is no configuration in this directory',
    `Name a file, or write one of ${CONFIG_FILES.join(', ')}; docs/reference/config.md shows the least that it needs.`,
  );
}

/** All mistakes, one per line, ready to be printed. */
export function mistakesReport({ name, mistakes }: ConfigFile): string {
  return mistakes.map((mistake) => `${terminalSafe(mistakeText(name, mistake))}\n`).join('');
}

/** Says all mistakes of a configuration that was to be used. */
export function refuseConfig(file: ConfigFile, { stderr, redact }: CliContext): ExitCode {
  const count = file.mistakes.length === 1 ? 'a mistake' : `${file.mistakes.length} mistakes`;
  stderr.write(redact(`error CONFIG_INVALID: ${terminalSafe(file.name)} has ${count}\n${mistakesReport(file)}`));
  return EXIT.usage;
}

/** A path as it is shortest to read from the working directory. */
export function shownPath(path: string, cwd: string): string {
  const shown = relative(cwd, path);
  return shown === '' ? '.' : shown.startsWith('..') ? path : `./${shown}`;
}
