import type { Finding } from '../core/finding.ts';
import { terminalSafe } from './terminal-text.ts';

const COLORS = { error: '31', warning: '33', ok: '32' } as const;
const LEVELS = ['error', 'warning', 'ok'] as const;

/** Errors first; under each finding the cure, to be copied as it is. */
export function findingsReport(findings: readonly Finding[], color: boolean): string {
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
