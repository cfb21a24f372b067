import { describe, expect, test } from 'vitest';
import { factsOf, tableOf, tablesOf } from '../../../../test/support/server-facts.ts';
import { CHECKS } from './all-checks.ts';
import { runCheck } from './check.ts';
import type { ServerFacts } from './facts.ts';
import { Grants } from './grants.ts';

/** What all checks say that is not ok, and the checks named in `of` in any case. */
function findings(
  facts: ServerFacts,
  ...of: readonly string[]
): { level: string; code: string; message: string; cure: string | null }[] {
  return CHECKS.flatMap((check) => runCheck(check, facts)).filter(({ level, code }) =>
    of.length === 0 ? level !== 'ok' : of.includes(code),
  );
}

describe.each(['mysql', 'mariadb'] as const)('on a well configured %s', (flavour) => {
  test('everything is ok, nothing has a cure, and every check has a code of its own', () => {
    const all = CHECKS.flatMap((check) => runCheck(check, factsOf(flavour)));
    expect(all.filter(({ level, cure }) => level !== 'ok' || cure !== null)).toEqual([]);
    expect(new Set(CHECKS.map(({ code }) => code)).size).toBe(CHECKS.length);
  });

  test('all that is wrong is reported at once', () => {
    const facts = factsOf(flavour, {
      settings: { binlog_format: 'STATEMENT', binlog_row_image: 'MINIMAL', binlog_row_metadata: 'MINIMAL' },
      server: { binlogEnabled: false, checksum: 'NONE', serverId: 0 },
    });
    expect(findings(facts).map(({ level, code }) => `${level} ${code}`)).toEqual([
      'error BINLOG',
      'error BINLOG_FORMAT',
      'warning ROW_IMAGE',
      'warning ROW_METADATA',
      'warning BINLOG_CHECKSUM',
      'error SERVER_ID',
    ]);
  });
});

describe('cures', () => {
  const format = (flavour: 'mysql' | 'mariadb', version: string): string | null | undefined =>
    findings(factsOf(flavour, { version, settings: { binlog_format: 'MIXED' } }))[0]?.cure;

  test('MySQL from 8.0 on remembers a setting; MySQL 5.7 and MariaDB need it in the configuration file, too', () => {
    expect(format('mysql', '8.0.11')).toBe("SET PERSIST binlog_format = 'ROW';");
    const both = /^SET GLOBAL binlog_format = 'ROW';\nbinlog_format = ROW {4}# below \[mysqld\]/;
    expect(format('mysql', '5.7.44-log')).toMatch(both);
    expect(format('mariadb', '10.5.2-MariaDB')).toMatch(both);
  });

  test('a binlog that is off is turned on by naming its files: log_bin takes a name, not ON', () => {
    expect(findings(factsOf('mysql', { server: { binlogEnabled: false } }))[0]?.cure).toMatch(
      /^log_bin = binlog {4}# .*restart/,
    );
  });
});

describe('what rows contain', () => {
  test('MINIMAL, NOBLOB and FULL_NODUP say which columns are absent, and from where', () => {
    const image = (value: string): string | undefined =>
      findings(factsOf('mariadb', { settings: { binlog_row_image: value } }), 'ROW_IMAGE')[0]?.message;
    expect(image('MINIMAL')).toContain('columns that did not change are absent');
    expect(image('NOBLOB')).toContain('BLOB and TEXT columns that did not change are absent');
    expect(image('FULL_NODUP')).toContain('columns that did not change are absent from what rows are after an update');
    expect(image('FULL')).toBe('binlog_row_image is FULL');
  });

  test('JSON diffs without documents are an error when a watched table has JSON, a warning when none has, and nothing with whole rows', () => {
    const settings = { binlog_row_value_options: 'PARTIAL_JSON', binlog_row_image: 'NOBLOB' };
    const json = tablesOf([tableOf('shop', 'docs', { hasJson: true })]);
    const diffs = (facts: Partial<ServerFacts>, row = settings): unknown =>
      findings(factsOf('mysql', { settings: row, facts }), 'JSON_DIFFS').map(({ level, cure }) => ({ level, cure }));
    const cure = "SET PERSIST binlog_row_image = 'FULL';";
    expect(diffs({ tables: json })).toEqual([{ level: 'error', cure }]);
    expect(diffs({})).toEqual([{ level: 'warning', cure }]);
    expect(diffs({ tables: json }, { ...settings, binlog_row_image: 'FULL' })).toEqual([]);
  });

  test('a server without row metadata gets a warning for which there is no cure', () => {
    expect(findings(factsOf('mysql', { version: '5.7.44', settings: { binlog_row_metadata: null } }))).toMatchObject([
      { code: 'ROW_METADATA', level: 'warning', cure: null },
    ]);
  });

  test('compression and encryption are mentioned and do no harm', () => {
    const mysql = factsOf('mysql', { settings: { binlog_transaction_compression: 'ON', binlog_encryption: 'ON' } });
    const mariadb = factsOf('mariadb', { settings: { log_bin_compress: 'ON', encrypt_binlog: '1' } });
    for (const facts of [mysql, mariadb]) {
      expect(findings(facts, 'BINLOG_COMPRESSION', 'BINLOG_ENCRYPTION').map(({ level }) => level)).toEqual([
        'ok',
        'ok',
      ]);
    }
  });

  test('a binlog inside a storage engine is an error', () => {
    const facts = factsOf('mariadb', { version: '12.3.1-MariaDB', settings: { binlog_storage_engine: 'innodb' } });
    expect(findings(facts)).toMatchObject([{ code: 'BINLOG_STORAGE', level: 'error' }]);
  });

  test('sessions with settings of their own are named with the statement that ends them', () => {
    const whole = { binlogFormat: 'ROW', binlogRowImage: 'FULL', logged: true };
    const sessions = [
      { ...whole, id: 1 },
      { ...whole, id: 2, binlogFormat: 'STATEMENT' },
      { ...whole, id: 3, logged: false },
      { ...whole, id: 4, binlogRowImage: 'MINIMAL' },
    ];
    expect(findings(factsOf('mysql', { facts: { sessions } })).map(({ code, cure }) => [code, cure])).toEqual([
      ['BINLOG_SESSIONS', 'KILL 3;'],
      ['BINLOG_SESSIONS', 'KILL 2;'],
      ['BINLOG_SESSIONS', 'KILL 4;'],
    ]);
  });
});

describe('the server', () => {
  test('gtid_mode is turned on step by step from where it is, and the configuration file gets the last step only', () => {
    const gtids = (version: string, mode: string, consistency: string): string | null | undefined =>
      findings(factsOf('mysql', { version, settings: { gtid_mode: mode, enforce_gtid_consistency: consistency } }))[0]
        ?.cure;
    expect(gtids('8.0.36', 'OFF', 'OFF')?.split('\n')).toEqual([
      'SET PERSIST enforce_gtid_consistency = ON;',
      "SET PERSIST gtid_mode = 'OFF_PERMISSIVE';",
      "SET PERSIST gtid_mode = 'ON_PERMISSIVE';",
      'SET PERSIST gtid_mode = ON;',
    ]);
    expect(gtids('5.7.44', 'ON_PERMISSIVE', 'ON')?.split('\n')).toEqual([
      'SET GLOBAL gtid_mode = ON;',
      expect.stringMatching(/^gtid_mode = ON {4}#/),
    ]);
    expect(gtids('5.7.44', 'OFF', 'ON')?.match(/^gtid_mode = /gm)).toHaveLength(1);
  });

  test('gtid_strict_mode OFF is a hint, not a warning', () => {
    const facts = factsOf('mariadb', { settings: { gtid_strict_mode: 'OFF' } });
    expect(findings(facts, 'GTIDS')).toMatchObject([
      { level: 'ok', cure: expect.stringContaining('SET GLOBAL gtid_strict_mode = ON;') as string },
    ]);
  });

  test.each([
    ['mysql', {}, 'ok', 'kept for 7 days'],
    ['mysql', { binlog_expire_logs_seconds: '3600' }, 'warning', 'after 1 hour:'],
    ['mysql', { binlog_expire_logs_seconds: '86400' }, 'ok', 'kept for 1 day'],
    ['mysql', { binlog_expire_logs_seconds: '60', binlog_expire_logs_auto_purge: 'OFF' }, 'ok', 'never removed'],
    ['mysql', { binlog_expire_logs_seconds: '0', expire_logs_days: '10' }, 'ok', 'kept for 10 days'],
    ['mysql', { binlog_expire_logs_seconds: null, expire_logs_days: '0' }, 'ok', 'never removed'],
    ['mariadb', { binlog_expire_logs_seconds: null, expire_logs_days: '3' }, 'ok', 'kept for 3 days'],
    ['mariadb', { binlog_expire_logs_seconds: '43200', expire_logs_days: '0.500000' }, 'warning', 'after 12 hours'],
  ] as const)('retention on %s with %j: %s', (flavour, settings, level, words) => {
    expect(findings(factsOf(flavour, { settings }), 'RETENTION')).toMatchObject([
      { level, message: expect.stringContaining(words) as string },
    ]);
  });

  test('a limit by size is a warning of its own', () => {
    const mariadb = factsOf('mariadb', { settings: { max_binlog_total_size: '1073741824' } });
    expect(findings(mariadb)).toMatchObject([
      { code: 'RETENTION', level: 'warning', cure: expect.stringContaining('max_binlog_total_size = 0') as string },
    ]);
    const percona = factsOf('mysql', { settings: { binlog_space_limit: '50' } });
    expect(findings(percona)[0]?.cure).toMatch(/^binlog_space_limit = 0 {4}#/);
  });

  test('a replica or a Galera node that does not log what it receives is an error; a primary that would not is fine', () => {
    const off = { log_slave_updates: 'OFF' };
    const updates = (settings: Record<string, string>, upstreams: number | null): unknown =>
      findings(factsOf('mariadb', { settings, facts: { upstreams } }), 'REPLICA_UPDATES').map(({ level }) => level);
    expect(updates(off, 1)).toEqual(['error']);
    expect(updates(off, 0)).toEqual(['ok']);
    expect(updates(off, null)).toEqual([]);
    expect(updates({ ...off, wsrep_on: 'ON' }, 0)).toEqual(['error']);
    const mysql = factsOf('mysql', { settings: { log_replica_updates: 'OFF' }, facts: { upstreams: 1 } });
    expect(findings(mysql)[0]?.cure).toMatch(/^log_replica_updates = ON {4}#/);
    const old = factsOf('mysql', {
      version: '5.7.1',
      settings: { log_replica_updates: null, log_slave_updates: 'OFF' },
      facts: { upstreams: 1 },
    });
    expect(findings(old)[0]?.cure).toMatch(/^log_slave_updates = ON {4}#/);
  });

  test('server id 0, and an id of ours that cannot be used, are errors', () => {
    expect(findings(factsOf('mysql', { server: { serverId: 0 } }))[0]?.cure).toBe('SET PERSIST server_id = 1;');
    const serverId = { asked: true, problem: 'another reader of the server has the server id 77' };
    expect(findings(factsOf('mysql', { facts: { serverId } }))).toMatchObject([
      { code: 'SERVER_ID', level: 'error', cure: expect.stringContaining('--server-id') as string },
    ]);
  });

  test('an open connection over a network is a warning; on this machine, or encrypted, it is not', () => {
    const tls = (connection: ServerFacts['connection']): string | undefined =>
      findings(factsOf('mysql', { facts: { connection } }), 'TLS')[0]?.level;
    expect(tls({ cipher: null, verified: false, local: false })).toBe('warning');
    expect(tls({ cipher: null, verified: false, local: true })).toBe('ok');
    expect(tls({ cipher: 'X', verified: false, local: false })).toBe('ok');
  });

  test('a limit below the largest event that the server may write is a warning that names the value it takes', () => {
    const packets = (packet: number, eventBytesMax: number): string | null | undefined =>
      findings(factsOf('mysql', { settings: { max_allowed_packet: String(packet) }, facts: { eventBytesMax } }))[0]
        ?.cure;
    expect(packets(67_108_864, 67_108_864)).toBe('eventBytesMax: 134217728');
    expect(packets(1024 ** 3, 1024 ** 3)).toBeUndefined();
  });
});

describe('filters', () => {
  const filtered = (
    filters: Partial<NonNullable<ServerFacts['filters']>>,
    changes: Partial<ServerFacts> = {},
    lowerCaseTableNames: 0 | 1 = 0,
  ): unknown =>
    findings(
      factsOf('mysql', {
        server: { lowerCaseTableNames },
        facts: { filters: { doDatabases: [], ignoreDatabases: [], ...filters }, ...changes },
      }),
      'BINLOG_FILTERS',
    ).map(({ level, cure }) => [level, cure]);

  test('a watched database that is not logged is an error; filters that leave it alone are not', () => {
    expect(filtered({ ignoreDatabases: ['shop'] })).toEqual([
      ['error', expect.stringMatching(/^# binlog_ignore_db = shop .*take the line out/)],
    ]);
    expect(filtered({ doDatabases: ['crm'] })).toEqual([['error', expect.stringMatching(/^binlog_do_db = shop {4}#/)]]);
    expect(filtered({ ignoreDatabases: ['crm'] })).toEqual([['ok', null]]);
    expect(filtered({ doDatabases: ['shop'], ignoreDatabases: ['shop'] })).toEqual([['ok', null]]);
    expect(filtered({ ignoreDatabases: ['SHOP'] })).toEqual([['ok', null]]);
    expect(filtered({ ignoreDatabases: ['SHOP'] }, {}, 1)).toMatchObject([['error', expect.anything()]]);
  });

  test('a selection that may match anywhere is warned about databases that are not logged', () => {
    const patterns = [{ text: '*.*', target: '*.*', database: null, selectable: true, matches: 1 }];
    expect(
      filtered({ doDatabases: ['shop'] }, { tables: tablesOf([tableOf('shop', 'orders')], { patterns }) }),
    ).toEqual([['warning', null]]);
  });
});

describe('privileges', () => {
  test('what is missing is granted by one statement, under the names that the server has for it', () => {
    const nothing = new Grants(['GRANT USAGE ON *.* TO `tidings`@`%`']);
    const cure = (flavour: 'mysql' | 'mariadb'): unknown =>
      findings(factsOf(flavour, { facts: { grants: nothing } }), 'PRIVILEGES').map(({ level, cure: text }) => [
        level,
        text,
      ]);
    expect(cure('mysql')).toEqual([['error', "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'tidings'@'%';"]]);
    expect(cure('mariadb')).toEqual([['error', "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'tidings'@'%';"]]);
  });

  test('a refused question is a finding of the weight that its answer has, and not said twice', () => {
    const refusal = {
      question: 'SHOW MASTER STATUS',
      privilege: 'REPLICATION CLIENT',
      target: '*.*',
      consequence: 'c',
      level: 'error' as const,
    };
    const grants = new Grants(['GRANT REPLICATION SLAVE ON *.* TO `tidings`@`%`']);
    const twice = findings(factsOf('mysql', { facts: { grants, refusals: [refusal] } }), 'PRIVILEGES');
    expect(twice).toMatchObject([{ level: 'error', cure: "GRANT REPLICATION CLIENT ON *.* TO 'tidings'@'%';" }]);
    const hint = { ...refusal, privilege: 'SELECT', target: 'performance_schema.*', level: 'ok' as const };
    const levels = findings(factsOf('mysql', { facts: { refusals: [hint] } }), 'PRIVILEGES');
    expect(levels.map(({ level, cure }) => [level, cure])).toEqual([
      ['ok', "GRANT SELECT ON performance_schema.* TO 'tidings'@'%';"],
      ['ok', null],
    ]);
  });

  test('grants that the server does not show are not held against the account', () => {
    expect(findings(factsOf('mariadb', { facts: { grants: null } }))).toEqual([]);
  });
});

describe('tables', () => {
  const pattern = { text: 'shop.*', target: '`shop`.*', database: 'shop', selectable: true, matches: 0 };

  test('a selection that matches nothing is an error when the account may not see it all, a warning when there is nothing', () => {
    const tables = (selectable: boolean): unknown =>
      findings(factsOf('mysql', { facts: { tables: tablesOf([], { patterns: [{ ...pattern, selectable }] }) } })).map(
        ({ level, code, cure }) => [level, code, cure],
      );
    expect(tables(true)).toEqual([['warning', 'TABLES', null]]);
    expect(tables(false)).toEqual([['error', 'TABLES', "GRANT SELECT ON `shop`.* TO 'tidings'@'%';"]]);
  });

  test('one pattern of several that matches nothing is a warning that names it', () => {
    const tables = tablesOf([tableOf('shop', 'orders')], {
      patterns: [
        { ...pattern, matches: 1 },
        { ...pattern, text: 'crm.user', database: 'crm' },
      ],
    });
    expect(findings(factsOf('mysql', { facts: { tables } }))).toMatchObject([
      { level: 'warning', message: 'no table matches crm.user' },
    ]);
  });

  test('a table of which SELECT is missing is an error, a warning where the binlog describes most, and nothing where it describes all', () => {
    const tables = tablesOf([tableOf('shop', 'orders', { selectable: false })]);
    const access = (flavour: 'mysql' | 'mariadb', metadata: string): unknown =>
      findings(
        factsOf(flavour, { settings: { binlog_row_metadata: metadata }, facts: { tables } }),
        'TABLE_ACCESS',
      ).map(({ level, cure }) => [level, cure]);
    const cure = "GRANT SELECT ON `shop`.`orders` TO 'tidings'@'%';";
    expect(access('mysql', 'MINIMAL')).toEqual([['error', cure]]);
    expect(access('mariadb', 'FULL')).toEqual([['warning', cure]]);
    expect(access('mysql', 'FULL')).toEqual([['ok', null]]);
  });

  test('a selection wider than the grants is a warning: what the account does not see may come', () => {
    const tables = tablesOf([tableOf('shop', 'orders')], {
      patterns: [{ ...pattern, text: '*.*', target: '*.*', database: null, selectable: false, matches: 1 }],
    });
    expect(
      findings(factsOf('mysql', { settings: { binlog_row_metadata: 'MINIMAL' }, facts: { tables } }), 'TABLE_ACCESS'),
    ).toMatchObject([{ level: 'warning', cure: "GRANT SELECT ON *.* TO 'tidings'@'%';" }]);
  });

  test('a definition that cannot be read is an error with its reason', () => {
    const tables = tablesOf([
      tableOf('shop', 'odd', { unreadable: 'the type of column x is not known', hasPrimaryKey: null }),
    ]);
    expect(findings(factsOf('mariadb', { facts: { tables } }))).toMatchObject([
      {
        code: 'TABLE_ACCESS',
        level: 'error',
        message: expect.stringContaining('the type of column x is not known') as string,
        cure: "--exclude '`shop`.`odd`'",
      },
    ]);
  });

  test('tables without primary key or transactions are named with a statement each, ten at most', () => {
    const watched = Array.from({ length: 13 }, (_, i) =>
      tableOf('shop', `t${i}`, {
        hasPrimaryKey: false,
        keyProposal: `ALTER TABLE t${i};`,
        engine: 'MyISAM',
        transactional: false,
      }),
    );
    const found = findings(factsOf('mysql', { facts: { tables: tablesOf(watched) } }));
    expect(found.map(({ code, level }) => [code, level])).toEqual([
      ['PRIMARY_KEYS', 'warning'],
      ['ENGINES', 'warning'],
    ]);
    for (const { message, cure } of found) {
      expect(message).toContain('shop.t9 and 3 more');
      expect(cure?.split('\n')).toHaveLength(10);
    }
    expect(found[1]?.cure).toContain('ALTER TABLE `shop`.`t0` ENGINE = InnoDB;');
  });

  test('generated columns that updates do not have are a warning', () => {
    const found = (insertedOnly: readonly string[]): unknown =>
      findings(
        factsOf('mariadb', { facts: { tables: tablesOf([tableOf('shop', 'lines', { insertedOnly })]) } }),
        'GENERATED_COLUMNS',
      ).map(({ level, message, cure }) => [level, message, cure]);
    expect(found(['g'])).toEqual([
      [
        'warning',
        expect.stringContaining('columns of shop.lines with inserted rows only'),
        `'shop.lines': { exclude: ["g"] }    # in the mapping of each sink`,
      ],
    ]);
    expect(found([])).toEqual([['ok', expect.any(String), null]]);
  });

  test('cascading foreign keys are a warning where InnoDB works them, and fine where the server does and logs it', () => {
    const cascade = {
      database: 'shop',
      table: 'lines',
      constraint: 'fk',
      actions: ['ON DELETE CASCADE'],
      definition: 'FOREIGN KEY (`o`) REFERENCES `shop`.`orders` (`id`)',
    };
    const tables = tablesOf([tableOf('shop', 'lines')], { cascades: [cascade] });
    const keys = (native: string | null): unknown =>
      findings(
        factsOf('mysql', { settings: { innodb_native_foreign_keys: native }, facts: { tables } }),
        'CASCADES',
      ).map(({ level, cure }) => [level, cure]);
    expect(keys(null)).toEqual([
      [
        'warning',
        'ALTER TABLE `shop`.`lines` DROP FOREIGN KEY `fk`;\nALTER TABLE `shop`.`lines` ADD CONSTRAINT `fk` FOREIGN KEY (`o`) REFERENCES `shop`.`orders` (`id`);',
      ],
    ]);
    expect(keys('ON')).toEqual([['warning', expect.stringMatching(/^innodb_native_foreign_keys = OFF {4}#/)]]);
    expect(keys('OFF')).toEqual([['ok', null]]);
  });
});
