import type { Finding } from '../../core/finding.ts';
import { type CommandSpec, parseCommandLine } from '../arguments.ts';
import { type CliContext, wantsColor } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { commandHelp } from '../help.ts';
import { createLogger } from '../logger.ts';
import {
  COMMON_OPTIONS,
  parseLogLevel,
  parsePatterns,
  parseServerId,
  parseSourceUrl,
  TABLE_OPTIONS,
  URL_ARGUMENT,
} from '../source-arguments.ts';
import { terminalSafe } from '../terminal-text.ts';

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
  const { stdout, stderr, env, redact, stop } = context;
  if (parsed.has('help')) {
    await stdout.write(commandHelp(DOCTOR));
    return EXIT.ok;
  }
  const { url, type } = parseSourceUrl(parsed.positionals[0] ?? '', { env, types: context.sources });
  const log = createLogger({
    write: (text) => stderr.write(text),
    level: parseLogLevel(parsed),
    human: stderr.isTerminal,
    redact,
  });
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
  await stdout.write(redact(report(findings, wantsColor(stdout.isTerminal, env))));
  return findings.some(({ level }) => level === 'error') ? EXIT.failed : EXIT.ok;
}

function aborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return Promise.resolve(null);
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}

const COLORS = { error: '31', warning: '33', ok: '32' } as const;
const LEVELS = ['error', 'warning', 'ok'] as const;

/** Errors first; under each finding the cure, to be copied as it is. */
function report(findings: readonly Finding[], color: boolean): string {
  const lines = LEVELS.flatMap((level) => findings.filter((finding) => finding.level === level)).flatMap((finding) => [
    `${paint(finding.level.padEnd(7), color ? COLORS[finding.level] : null)}  ${finding.code}  ${terminalSafe(finding.message)}`,
    ...(finding.cure === null ? [] : finding.cure.split('\n').map((line) => `         cure: ${terminalSafe(line)}`)),
  ]);
  const count = (level: Finding['level'], plural: string): string => {
    const found = findings.filter((finding) => finding.level === level).length;
    return `${found} ${found === 1 ? level : plural}`;
  };
  const summary = [count('error', 'errors'), count('warning', 'warnings'), count('ok', 'ok')].join(', ');
  return `${[...lines, summary].join('\n')}\n`;
}

function paint(text: string, color: string | null): string {
  return color === null ? text : `\u001b[${color}m${text}\u001b[0m`;
}
