import type { Server } from '../server.ts';
import { type Check, ok, type Verdict } from './check.ts';
import { grant } from './cures.ts';
import type { Refusal } from './facts.ts';

/** A privilege that reading cannot do without, and the others that include it. */
interface Requirement {
  readonly privilege: string;
  readonly alternatives: readonly string[];
  readonly purpose: string;
}

/** What the servers call the right to read the binlog, and the right to ask where it ends. */
function requirements({ flavour }: Pick<Server, 'flavour'>): readonly Requirement[] {
  const dump: Requirement = {
    privilege: 'REPLICATION SLAVE',
    alternatives: ['REPLICATION SLAVE'],
    purpose: 'to read the binlog',
  };
  return flavour === 'mariadb'
    ? [
        dump,
        {
          privilege: 'BINLOG MONITOR',
          alternatives: ['BINLOG MONITOR', 'REPLICATION CLIENT', 'SUPER'],
          purpose: 'to learn where the binlog begins and ends',
        },
      ]
    : [
        dump,
        {
          privilege: 'REPLICATION CLIENT',
          alternatives: ['REPLICATION CLIENT', 'SUPER'],
          purpose: 'to learn where the binlog begins and ends',
        },
      ];
}

export const privileges: Check = {
  code: 'PRIVILEGES',
  atStart: 'stop',
  look(facts) {
    const { grants, server, refusals } = facts;
    const needed = requirements(server);
    const missing: readonly Refusal[] =
      grants === null
        ? []
        : needed
            .filter(({ alternatives }) => !grants.hasGlobal(...alternatives))
            .map(({ privilege, purpose }) => ({
              question: '',
              privilege,
              target: '*.*',
              consequence: `the account lacks ${privilege}, ${purpose}`,
              level: 'error',
            }));
    const lacking = new Set(missing.map(({ privilege }) => privilege));
    const all = [...missing, ...refusals.filter(({ privilege }) => !lacking.has(privilege))];
    const verdicts = (['error', 'warning', 'ok'] as const).flatMap((level): Verdict[] => {
      const group = all.filter((refusal) => refusal.level === level);
      if (group.length === 0) return [];
      const cure = [...Map.groupBy(group, ({ target }) => target)]
        .map(([target, refused]) => grant(facts, [...new Set(refused.map(({ privilege }) => privilege))], target))
        .join('\n');
      return [{ level, message: group.map(({ consequence }) => consequence).join('; '), cure }];
    });
    if (verdicts.some(({ level }) => level === 'error')) return verdicts;
    return [...verdicts, ok('the account has the privileges that reading the binlog takes')];
  },
};
