import { TidingsError } from '../../../core/errors.ts';
import type { Finding } from '../../../core/finding.ts';
import type { QueryConnection, ServerAddress } from '../../../drivers/mysql/connect.ts';
import type { Server } from '../server.ts';
import { CHECKS } from './all-checks.ts';
import { runCheck } from './check.ts';
import { type PreflightSettings, readFacts } from './read-facts.ts';

export interface CheckBeforeReadingOptions {
  readonly server: Server;
  readonly settings: PreflightSettings;
  readonly address: ServerAddress;
}

/**
 * The part of the preflight that a source makes before it reads its first byte. What makes reading impossible, or would let changes
 * go missing in silence, stops it, all of it at once; drawbacks are logged.
 *
 * @throws TidingsError PREFLIGHT_FAILED
 */
export async function checkBeforeReading(
  queries: QueryConnection,
  { server, settings, address }: CheckBeforeReadingOptions,
): Promise<void> {
  const { log } = settings;
  const facts = await readFacts(queries, { server, settings, address, scope: 'start' });
  const failures: Finding[] = [];
  for (const check of CHECKS) {
    if (check.atStart === null) continue;
    for (const finding of runCheck(check, facts)) {
      const { level, code, message, cure } = finding;
      if (level === 'ok') continue;
      if (level === 'error' && check.atStart === 'stop') failures.push(finding);
      else log[check.atStart === 'info' ? 'info' : 'warn']({ code, cure }, message);
    }
  }
  if (failures.length > 0) throw preflightFailed(failures);
}

/** One error for all: whoever mends one thing after the other restarts once only. */
function preflightFailed(findings: readonly Finding[]): TidingsError {
  const message = findings.map(({ code, message: text }) => `${code}: ${text}`).join(' | ');
  const cure = findings
    .flatMap(({ code, cure: text }) => (text === null ? [] : [`${code}: ${text.replaceAll('\n', ' ')}`]))
    .join(' | ');
  return new TidingsError('PREFLIGHT_FAILED', `this server cannot be followed as it is: ${message}`, {
    ...(cure === '' ? {} : { hint: `${cure} | \`tidings doctor\` shows everything.` }),
    details: { findings: findings.map(({ code }) => code).join(',') },
  });
}
