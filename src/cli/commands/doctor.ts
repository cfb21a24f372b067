import { type CommandSpec, parseCommandLine } from '../arguments.ts';
import { type CliContext, commandLog, wantsColor } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { findingsReport } from '../findings-report.ts';
import { commandHelp } from '../help.ts';
import {
  COMMON_OPTIONS,
  parsePatterns,
  parseServerId,
  parseSourceUrl,
  TABLE_OPTIONS,
  URL_ARGUMENT,
} from '../source-arguments.ts';
import { aborted } from '../aborted.ts';

export const DOCTOR: CommandSpec = {
  name: 'doctor',
  summary: 'Check whether a server can be followed: everything that is wrong, each with its cure.',
  positionals: [URL_ARGUMENT],
  options: [...TABLE_OPTIONS, ...COMMON_OPTIONS],
  examples: ['tidings doctor mysql://root@127.0.0.1'],
};

/** Prints what the preflight found. Fails when a finding is an error; warnings alone do not. */
export async function runDoctor(args: readonly string[], context: CliContext): Promise<ExitCode> {
  const parsed = parseCommandLine(args, DOCTOR);
  const { stdout, env, redact, stop } = context;
  if (parsed.has('help')) {
    await stdout.write(commandHelp(DOCTOR));
    return EXIT.ok;
  }
  const { url, type } = parseSourceUrl(parsed.positionals[0] ?? '', { env, types: context.sources });
  const log = commandLog(parsed, context);
  const [tables, exclude, serverId] = [
    parsePatterns(parsed, 'tables'),
    parsePatterns(parsed, 'exclude'),
    parseServerId(parsed),
  ];
  const preflight = type.preflight({
    url,
    log,
    ...(tables === undefined ? {} : { tables }),
    ...(exclude === undefined ? {} : { exclude }),
    ...(serverId === undefined ? {} : { serverId }),
  });
  const findings = await Promise.race([preflight, aborted(stop)]);
  if (findings === null) return EXIT.interrupted;
  await stdout.write(redact(findingsReport(findings, wantsColor(stdout.isTerminal, env))));
  return findings.some(({ level }) => level === 'error') ? EXIT.failed : EXIT.ok;
}
