import { describe, expect, test } from 'vitest';
import { parseVersion } from '../../../src/drivers/mysql/server-version.ts';
import type { Finding } from '../../../src/core/finding.ts';
import { type Logger, silentLogger } from '../../../src/core/logger.ts';
import type { MysqlSourceOptions } from '../../../src/sources/mysql/config.ts';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import { runPreflight } from '../../../src/sources/mysql/preflight.ts';
import { describeServer, describeServers } from '../../support/servers/describe-server.ts';
import type { ServerFlavour } from '../../support/servers/flavour.ts';
import type { TestServer } from '../../support/servers/test-server.ts';

// Each condition is produced on a real server, and what is printed against it is executed as it is printed.

type Options = Omit<MysqlSourceOptions, 'url'>;

function urlOf(server: TestServer, account: string): string {
  return server.url.replace(/\/\/[^@]*@/, `//${account}@`);
}

async function find(
  server: TestServer,
  code: string,
  options: Options = {},
  account = 'root',
): Promise<readonly Finding[]> {
  const findings = await runPreflight({ ...options, url: urlOf(server, account) });
  return findings.filter((finding) => finding.code === code);
}

async function levels(server: TestServer, code: string, options: Options = {}, account = 'root'): Promise<string[]> {
  return (await find(server, code, options, account)).map(({ level }) => level);
}

/** Does what the cure says: runs its statements, and restarts with those of its configuration lines that take it. */
async function apply(
  server: TestServer,
  cure: string | null | undefined,
  options: readonly string[] = [],
): Promise<void> {
  if (typeof cure !== 'string') throw new Error('there is no cure');
  const lines = cure.split('\n');
  for (const line of lines.filter((text) => text.endsWith(';'))) await server.query(line);
  const restart = lines.filter((line) => line.endsWith('takes a restart'));
  const settings = restart.flatMap(
    (line) => /^(\w+) = (\S+) {4}# below \[mysqld\]/.exec(line)?.slice(1, 3).join('=') ?? [],
  );
  if (restart.length > 0) await server.restart({ options: [...options, ...settings.map((text) => `--${text}`)] });
}

/** Drains what is there. */
async function drain(server: TestServer, options: Options, account = 'root'): Promise<number> {
  const source = new MysqlSource({ from: 'earliest', until: 'now', ...options, url: urlOf(server, account) });
  let entries = 0;
  for await (const { parts } of source.batches()) {
    for (const part of parts) entries += part.entries.filter(({ type }) => type === 'rows').length;
  }
  return entries;
}

const SHOP = `
  CREATE DATABASE shop;
  CREATE TABLE shop.orders (id INT PRIMARY KEY, total DECIMAL(9,2));
  INSERT INTO shop.orders VALUES (1, 2.5), (2, 3);`;

interface Setting {
  readonly on: readonly ServerFlavour[];
  readonly break: string;
  readonly code: string;
  readonly level: string;
  readonly options?: Options;
}

const BOTH: readonly ServerFlavour[] = ['mariadb', 'mysql'];

const SETTINGS: readonly Setting[] = [
  { on: BOTH, break: "SET GLOBAL binlog_format = 'STATEMENT'", code: 'BINLOG_FORMAT', level: 'error' },
  { on: BOTH, break: "SET GLOBAL binlog_format = 'MIXED'", code: 'BINLOG_FORMAT', level: 'error' },
  { on: BOTH, break: "SET GLOBAL binlog_row_image = 'MINIMAL'", code: 'ROW_IMAGE', level: 'warning' },
  { on: BOTH, break: "SET GLOBAL binlog_row_image = 'NOBLOB'", code: 'ROW_IMAGE', level: 'warning' },
  { on: BOTH, break: "SET GLOBAL binlog_row_metadata = 'MINIMAL'", code: 'ROW_METADATA', level: 'warning' },
  { on: ['mariadb'], break: "SET GLOBAL binlog_row_metadata = 'NO_LOG'", code: 'ROW_METADATA', level: 'warning' },
  { on: BOTH, break: 'SET GLOBAL binlog_checksum = NONE', code: 'BINLOG_CHECKSUM', level: 'warning' },
  { on: BOTH, break: 'SET GLOBAL binlog_expire_logs_seconds = 3600', code: 'RETENTION', level: 'warning' },
  { on: ['mariadb'], break: 'SET GLOBAL expire_logs_days = 0.25', code: 'RETENTION', level: 'warning' },
  { on: ['mysql'], break: 'SET GLOBAL server_id = 0', code: 'SERVER_ID', level: 'error' },
  { on: ['mysql'], break: 'SET GLOBAL gtid_mode = ON_PERMISSIVE', code: 'GTIDS', level: 'warning' },
  {
    on: ['mysql'],
    break:
      'SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = OFF_PERMISSIVE; SET GLOBAL gtid_mode = OFF; SET GLOBAL enforce_gtid_consistency = OFF',
    code: 'GTIDS',
    level: 'warning',
  },
  {
    on: ['mysql'],
    break:
      "CREATE TABLE shop.docs (id INT PRIMARY KEY, doc JSON); SET GLOBAL binlog_row_value_options = 'PARTIAL_JSON'; SET GLOBAL binlog_row_image = 'NOBLOB'",
    code: 'JSON_DIFFS',
    level: 'error',
  },
];

describeServers(
  ['mariadb', 'mysql'],
  'preflight',
  (server, flavour) => {
    test('a server with root’s privileges and default settings has no error', async () => {
      await server().query(SHOP);
      const findings = await runPreflight({ url: server().url });
      expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
      expect(findings.map(({ code }) => code)).toEqual(
        expect.arrayContaining(['CONNECTION', 'SERVER_VERSION', 'BINLOG', 'TABLES']),
      );
      expect(findings[0]?.message).toContain("as 'root'@");
    });

    describe('a setting that is wrong is found, and cured by what is printed', () => {
      for (const { on, break: sql, code, level } of SETTINGS.filter(({ on: flavours }) => flavours.includes(flavour))) {
        test(`${sql.slice(0, 200)}: ${level} ${code} [${on.join(', ')}]`, async () => {
          await server().query(sql);
          const [finding] = await find(server(), code);
          expect(finding?.level).toBe(level);
          await apply(server(), finding?.cure);
          expect((await levels(server(), code)).filter((found) => found !== 'ok')).toEqual([]);
        });
      }
    });

    test('files that are never removed are said to be so, and a limit of the reader below the server’s is a warning', async () => {
      await server().query('SET GLOBAL binlog_expire_logs_seconds = 0');
      expect(await find(server(), 'RETENTION')).toMatchObject([
        { level: 'ok', message: expect.stringContaining('never') as string },
      ]);
      const [packets] = await find(server(), 'PACKET_SIZE', { eventBytesMax: 1024 * 1024 });
      expect(packets?.level).toBe('warning');
      const needed = Number(/^eventBytesMax: (\d+)$/.exec(packets?.cure ?? '')?.[1]);
      expect(await levels(server(), 'PACKET_SIZE', { eventBytesMax: needed })).toEqual(['ok']);
    });

    test('compressed binlogs are fine', async () => {
      const variable = flavour === 'mysql' ? 'binlog_transaction_compression' : 'log_bin_compress';
      expect(await levels(server(), 'BINLOG_COMPRESSION')).toEqual([]);
      await server().query(`SET GLOBAL ${variable} = ON`);
      expect(await levels(server(), 'BINLOG_COMPRESSION')).toEqual(['ok']);
      await server().query(`SET GLOBAL ${variable} = OFF`);
    });

    test('a server id that another reader has is found', async () => {
      const source = new MysqlSource({ url: server().url, serverId: 4711 });
      const reading = (async (): Promise<void> => {
        for await (const { bytes } of source.batches()) expect(bytes).toBeGreaterThanOrEqual(0);
      })();
      await source.ready();
      expect(await levels(server(), 'SERVER_ID', { serverId: 4711 })).toEqual(['error']);
      await source.close();
      await reading;
      expect(await levels(server(), 'SERVER_ID', { serverId: 4711 })).toEqual(['ok']);
    });

    describe('an account', () => {
      test('with nothing is told every GRANT, and with these reads to the end', async () => {
        await server().query("CREATE USER bare@'%' IDENTIFIED BY 'p:w/d'");
        const account = 'bare:p%3Aw%2Fd';
        const findings = await runPreflight({ url: urlOf(server(), account), tables: ['shop.orders'] });
        expect(JSON.stringify(findings)).not.toContain('p:w/d');
        expect(findings.filter(({ level }) => level === 'error').map(({ code }) => code)).toEqual([
          'PRIVILEGES',
          'TABLES',
        ]);
        for (const { code, cure } of findings) {
          if (code === 'PRIVILEGES' || code === 'TABLES') await apply(server(), cure);
        }
        const after = await runPreflight({ url: urlOf(server(), account), tables: ['shop.orders'] });
        expect(after.filter(({ level }) => level === 'error')).toEqual([]);
        expect(after.filter(({ code }) => code === 'PRIVILEGES')).toMatchObject([{ level: 'ok', cure: null }]);
        // MariaDB lists its readers only to those who may administer them, and then nothing is claimed.
        const id = after.find(({ code }) => code === 'SERVER_ID')?.message;
        expect(id?.includes('no other reader')).toBe(flavour === 'mysql');
        expect(await drain(server(), { tables: ['shop.orders'] }, account)).toBeGreaterThan(0);
      });

      test('that lacks one privilege is told this one, while all other checks go on', async () => {
        const monitor = flavour === 'mysql' ? 'REPLICATION CLIENT' : 'BINLOG MONITOR, SLAVE MONITOR';
        await server().query(`CREATE USER monitor@'%'; GRANT ${monitor}, SELECT ON *.* TO monitor@'%'`);
        const findings = await runPreflight({ url: urlOf(server(), 'monitor') });
        expect(findings.filter(({ level }) => level === 'error')).toMatchObject([
          { code: 'PRIVILEGES', cure: "GRANT REPLICATION SLAVE ON *.* TO 'monitor'@'%';" },
        ]);
        expect(findings.map(({ code }) => code)).toEqual(
          expect.arrayContaining(['BINLOG', 'RETENTION', 'TABLES', 'CASCADES']),
        );
      });

      test('whose privileges come from a role has them', async () => {
        await server()
          .query(`CREATE ROLE follower; GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO follower;
          CREATE USER actor@'%'; GRANT follower TO actor@'%';
          ${flavour === 'mysql' ? "SET DEFAULT ROLE follower TO actor@'%'" : "SET DEFAULT ROLE follower FOR actor@'%'"}`);
        const [finding] = await find(server(), 'PRIVILEGES', {}, 'actor');
        expect(`${finding?.message}`).not.toMatch(/REPLICATION SLAVE,|BINLOG MONITOR|REPLICATION CLIENT/);
        expect(await levels(server(), 'TABLE_ACCESS', {}, 'actor')).toEqual(['ok']);
      });

      test('that may select some columns of a table, or fewer tables than it watches, is told so', async () => {
        await server()
          .query(`SET GLOBAL binlog_row_metadata = 'MINIMAL'; CREATE DATABASE my_crm; CREATE TABLE my_crm.users (id INT PRIMARY KEY, a INT, b INT);
          CREATE USER partial@'%'; GRANT SELECT (id, a) ON my_crm.users TO partial@'%'`);
        const [partly] = await find(server(), 'TABLE_ACCESS', { tables: ['my_crm.*'] }, 'partial');
        expect(partly).toMatchObject({ level: 'error', cure: "GRANT SELECT ON `my_crm`.`users` TO 'partial'@'%';" });
        await apply(server(), partly?.cure);
        expect(await levels(server(), 'TABLE_ACCESS', { tables: ['my_crm.users'] }, 'partial')).toEqual(['ok']);
        const [wider] = await find(server(), 'TABLE_ACCESS', { tables: ['my_crm.*'] }, 'partial');
        expect(wider).toMatchObject({ level: 'warning', cure: "GRANT SELECT ON `my\\_crm`.* TO 'partial'@'%';" });
        await apply(server(), wider?.cure);
        expect(await levels(server(), 'TABLE_ACCESS', { tables: ['my_crm.*'] }, 'partial')).toEqual(['ok']);
      });
    });

    describe('tables', () => {
      test('patterns that match nothing are named', async () => {
        expect(await find(server(), 'TABLES', { tables: ['nowhere.*'] })).toMatchObject([
          { level: 'warning', message: expect.stringContaining('nowhere.*') as string },
        ]);
        expect(await find(server(), 'TABLES', { tables: ['shop.orders', 'shop.no'] })).toMatchObject([
          { level: 'warning', message: 'no table matches shop.no' },
        ]);
      });

      test('tables without a primary key get one by the statements that are printed', async () => {
        await server().query(`CREATE DATABASE keyless; USE keyless;
          CREATE TABLE plain (x INT); INSERT INTO plain VALUES (1), (1);
          CREATE TABLE named (id INT, x INT);
          CREATE TABLE uniq (a INT NOT NULL, b INT NOT NULL, c INT, UNIQUE (c), UNIQUE (b, a));
          CREATE TABLE \`cou\`\`nted\` (n INT NOT NULL AUTO_INCREMENT, KEY (n)); INSERT INTO \`cou\`\`nted\` VALUES (), ()`);
        const options = { tables: ['keyless.*'] };
        const [finding] = await find(server(), 'PRIMARY_KEYS', options);
        expect(finding?.level).toBe('warning');
        for (const name of ['plain', 'named', 'uniq', 'cou`nted']) {
          expect(finding?.message).toContain(`keyless.${name}`);
        }
        await apply(server(), finding?.cure);
        expect(await levels(server(), 'PRIMARY_KEYS', options)).toEqual(['ok']);
        // What the application selects stays as it is.
        expect(await server().query('SELECT * FROM keyless.plain')).toEqual([{ x: 1 }, { x: 1 }]);
      });

      test('generated columns that the server leaves out of updates are named, those of a period are not', async () => {
        await server().query(`CREATE DATABASE computed; USE computed;
          CREATE TABLE plain (id INT PRIMARY KEY, v INT);
          CREATE TABLE made (id INT PRIMARY KEY, v INT, g INT AS (v + 1) STORED)`);
        if (flavour === 'mariadb') {
          await server()
            .query(`CREATE TABLE computed.versioned (id INT PRIMARY KEY, a TIMESTAMP(6) GENERATED ALWAYS AS ROW START,
            b TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (a, b)) WITH SYSTEM VERSIONING`);
        }
        const [finding] = await find(server(), 'GENERATED_COLUMNS', { tables: ['computed.*'] });
        const hides = flavour === 'mariadb' && parseVersion(server().version) >= 110_800;
        expect(finding).toMatchObject({
          level: hides ? 'warning' : 'ok',
          message: hides
            ? 'this server logs the generated columns of computed.made with inserted rows only: they are absent from updates and deletes, also where their values change'
            : 'no watched table has generated columns that inserted rows alone have',
          cure: hides ? `'computed.made': { exclude: ["g"] }    # in the mapping of each sink` : null,
        });
      });

      test('tables of an engine without transactions get InnoDB', async () => {
        await server().query('CREATE DATABASE isam; CREATE TABLE isam.t (id INT PRIMARY KEY) ENGINE = MyISAM');
        const [finding] = await find(server(), 'ENGINES', { tables: ['isam.*'] });
        expect(finding).toMatchObject({ level: 'warning', message: expect.stringContaining('isam.t') as string });
        await apply(server(), finding?.cure);
        expect(await levels(server(), 'ENGINES', { tables: ['isam.*'] })).toEqual(['ok']);
      });
    });

    describe('a server that cannot be reached', () => {
      test.each([
        [
          'a wrong password',
          () => urlOf(server(), 'root:wr0ng'),
          /denied/i,
          /CREATE USER 'root'@'%'[^]*GRANT REPLICATION SLAVE/,
        ],
        ['an unknown account', () => urlOf(server(), 'no%27body'), /denied/i, /CREATE USER 'no''body'@'%'/],
        ['an unknown host', () => 'mysql://root:wr0ng@no-such-host.invalid', /no-such-host/, /host/i],
        ['a closed port', () => 'mysql://root:wr0ng@127.0.0.1:1', /127\.0\.0\.1:1/, /port/],
      ])('%s is the one finding, an error without the password', async (_what, url, message, cure) => {
        const findings = await runPreflight({ url: url() });
        expect(findings).toMatchObject([{ level: 'error', code: 'CONNECTION' }]);
        expect(findings[0]?.message).toMatch(message);
        expect(findings[0]?.cure).toMatch(cure);
        expect(JSON.stringify(findings)).not.toContain('wr0ng');
      });
    });

    describe('a source that starts', () => {
      test('lists everything that keeps it from reading in one error, each with its cure', async () => {
        await server().query("CREATE USER poor@'%'; GRANT SELECT ON *.* TO poor@'%'");
        await expect(drain(server(), {}, 'poor')).rejects.toMatchObject({
          code: 'PREFLIGHT_FAILED',
          retry: 'operator',
          message: expect.stringMatching(
            /PRIVILEGES: .*REPLICATION SLAVE.*; .*(REPLICATION CLIENT|BINLOG MONITOR)/,
          ) as string,
          hint: expect.stringMatching(
            /GRANT REPLICATION SLAVE, (REPLICATION CLIENT|BINLOG MONITOR) ON \*\.\* TO 'poor'@'%';/,
          ) as string,
          details: { findings: 'PRIVILEGES' },
        });
      });

      test('logs drawbacks once, and not again when it connects anew', async () => {
        await server().query(
          "CREATE DATABASE again; CREATE TABLE again.t (id INT PRIMARY KEY); SET GLOBAL binlog_row_image = 'MINIMAL'",
        );
        const warned: string[] = [];
        const log: Logger = { ...silentLogger, warn: (fields) => warned.push(JSON.stringify(fields)) };
        const source = new MysqlSource({
          url: server().url,
          tables: ['again.*'],
          serverId: 5005,
          log,
          reconnect: { delayMinMs: 1, delayMaxMs: 50 },
        });
        const batches = source.batches();
        const first = batches.next();
        await source.ready();
        await server().query('INSERT INTO again.t VALUES (1)');
        await first;
        const second = batches.next();
        for (const { Id: id } of await server().query<{ Id: number; Command: string }>(
          "SELECT ID AS Id FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'",
        )) {
          await server().query(`KILL ${id}`);
        }
        await server().query('INSERT INTO again.t VALUES (2)');
        await second;
        await batches.return?.();
        await server().query("SET GLOBAL binlog_row_image = 'FULL'");
        expect(warned.filter((line) => line.includes('ROW_IMAGE'))).toHaveLength(1);
      });
    });
  },
  { owned: true },
);

describeServer(
  'mysql',
  'preflight: what only MySQL shows',
  (server) => {
    test('open sessions with settings of their own are named, and ended by the statement that is printed', async () => {
      const session = await server().connection();
      session.on('error', () => undefined);
      await session.query("SET SESSION binlog_format = 'STATEMENT', SESSION sql_log_bin = OFF");
      const [finding] = await find(server(), 'BINLOG_SESSIONS');
      expect(finding).toMatchObject({ level: 'warning', message: expect.stringContaining('sql_log_bin') as string });
      await apply(server(), finding?.cure);
      await expect.poll(() => levels(server(), 'BINLOG_SESSIONS')).toEqual(['ok']);
      session.destroy();
    });

    test('an account that may not see sessions gets the GRANT as a hint, no more', async () => {
      await server().query("CREATE USER blind@'%'; GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO blind@'%'");
      const [hint] = await find(server(), 'PRIVILEGES', {}, 'blind');
      expect(hint).toMatchObject({ level: 'ok', cure: "GRANT SELECT ON performance_schema.* TO 'blind'@'%';" });
      await apply(server(), hint?.cure);
      expect(await find(server(), 'PRIVILEGES', {}, 'blind')).toMatchObject([{ level: 'ok', cure: null }]);
      expect(await levels(server(), 'BINLOG_SESSIONS', {}, 'blind')).toEqual(['ok']);
    });

    test('a hidden generated primary key is one', async () => {
      await server().query(
        `SET GLOBAL show_gipk_in_create_table_and_information_schema = OFF; SET GLOBAL sql_generate_invisible_primary_key = ON`,
      );
      const session = await server().connection();
      await session.query('CREATE DATABASE gipk');
      await session.query('CREATE TABLE gipk.t (x INT)');
      await session.end();
      expect(await levels(server(), 'PRIMARY_KEYS', { tables: ['gipk.*'] })).toEqual(['ok']);
    });

    test('a server that demands TLS is told from one that does not, and reached with it', async () => {
      await server().query('SET GLOBAL require_secure_transport = ON');
      try {
        expect(await runPreflight({ url: server().url })).toMatchObject([
          { code: 'CONNECTION', level: 'error', cure: expect.stringContaining('?tls=verify') as string },
        ]);
        const findings = await runPreflight({ url: `${server().url}?tls=on` });
        expect(findings.filter(({ code }) => code === 'TLS')).toMatchObject([
          { level: 'ok', message: expect.stringContaining('encrypted') as string },
        ]);
      } finally {
        const session = await server().connection({ ssl: { rejectUnauthorized: false } });
        await session.query('SET GLOBAL require_secure_transport = OFF');
        await session.end();
      }
    });
  },
  { owned: true },
);

describeServers(
  ['mariadb', 'mysql'],
  'preflight: what takes a restart',
  (server, flavour) => {
    test('a binlog that is off stops a source, and is turned on by the line that is printed', async () => {
      await server().query(SHOP);
      await server().restart({ options: ['--skip-log-bin'] });
      const [finding] = await find(server(), 'BINLOG');
      expect(finding?.level).toBe('error');
      await expect(drain(server(), {})).rejects.toMatchObject({
        code: 'PREFLIGHT_FAILED',
        details: { findings: 'BINLOG' },
      });
      await apply(server(), finding?.cure, ['--skip-log-bin']);
      expect(await levels(server(), 'BINLOG')).toEqual(['ok']);
      await drain(server(), {});
    });

    test('filters that keep watched tables out of the binlog are an error, for a source too, others are not', async () => {
      await server().query('CREATE DATABASE crm; CREATE TABLE crm.users (id INT PRIMARY KEY)');
      await server().restart({ options: ['--binlog-ignore-db=crm'] });
      expect(await levels(server(), 'BINLOG_FILTERS', { tables: ['shop.*'] })).toEqual(['ok']);
      expect(await find(server(), 'BINLOG_FILTERS')).toMatchObject([
        { level: 'error', message: expect.stringContaining('crm') as string },
      ]);
      await expect(drain(server(), {})).rejects.toMatchObject({
        code: 'PREFLIGHT_FAILED',
        details: { findings: 'BINLOG_FILTERS' },
      });
      await drain(server(), { tables: ['shop.*'] });
      await server().restart({ options: ['--binlog-do-db=crm'] });
      const [finding] = await find(server(), 'BINLOG_FILTERS', { tables: ['shop.*'] });
      expect(finding?.level).toBe('error');
      await apply(server(), finding?.cure, ['--binlog-do-db=crm']);
      expect(await levels(server(), 'BINLOG_FILTERS', { tables: ['shop.*', 'crm.*'] })).toEqual(['ok']);
    });

    test('a replica that does not log what it receives is an error, for a source too', async () => {
      const options = ['--skip-log-slave-updates', '--skip-slave-start'];
      await server().restart({ options });
      expect(await levels(server(), 'REPLICA_UPDATES')).toEqual(['ok']);
      await server().query(
        flavour === 'mysql'
          ? "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = 1, SOURCE_USER = 'u'"
          : "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 1, MASTER_USER = 'u'",
      );
      const [finding] = await find(server(), 'REPLICA_UPDATES');
      expect(finding?.level).toBe('error');
      await expect(drain(server(), {})).rejects.toMatchObject({
        code: 'PREFLIGHT_FAILED',
        details: { findings: 'REPLICA_UPDATES' },
      });
      await apply(server(), finding?.cure, options);
      expect(await levels(server(), 'REPLICA_UPDATES')).toEqual(['ok']);
      await drain(server(), {});
    });

    test('foreign keys that change rows by themselves are a warning where these rows are not logged', async () => {
      const native = flavour === 'mysql' ? ['--innodb-native-foreign-keys=ON'] : [];
      await server().restart({ options: native });
      await server().query(`CREATE DATABASE fk; CREATE TABLE fk.p (id INT PRIMARY KEY);
        CREATE TABLE fk.c (id INT PRIMARY KEY, p INT, CONSTRAINT c_p FOREIGN KEY (p) REFERENCES fk.p (id) ON DELETE CASCADE ON UPDATE SET NULL)`);
      const options = { tables: ['fk.*'] };
      const [finding] = await find(server(), 'CASCADES', options);
      expect(finding).toMatchObject({
        level: 'warning',
        message: expect.stringContaining('fk.c (ON DELETE CASCADE, ON UPDATE SET NULL)') as string,
      });
      await apply(server(), finding?.cure, native);
      expect(await levels(server(), 'CASCADES', options)).toEqual(['ok']);
    });
  },
  { owned: true },
);
