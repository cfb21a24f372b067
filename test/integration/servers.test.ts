import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { ConfiguredServer } from '../support/servers/configured-server.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import type { ServerFlavour } from '../support/servers/flavour.ts';
import { startServer } from '../support/servers/start-server.ts';

const FLAVOURS: readonly ServerFlavour[] = ['mariadb', 'mysql'];
const SUPPORT = new URL('../support/servers/start-server.ts', import.meta.url).href;

describeServers(
  FLAVOURS,
  'a test server',
  (server, flavour) => {
    test('answers as the flavour asked for, with row binlog and a server id', async () => {
      const [row] = await server().query<{ version: string; logBin: number; format: string; serverId: number }>(
        'SELECT VERSION() AS version, @@log_bin AS logBin, @@binlog_format AS format, @@server_id AS serverId',
      );
      expect(row).toMatchObject({ version: server().version, logBin: 1, format: 'ROW' });
      expect(row?.serverId).toBeGreaterThan(0);
      expect(/mariadb/i.test(server().version)).toBe(flavour === 'mariadb');
    });

    test('that a URL names is left as it was found', async () => {
      const variable = async (): Promise<unknown> =>
        (
          await server().query("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_row_image', 'max_connections')")
        ).map((row) => row['Value']);
      const found = await variable();
      const named = await ConfiguredServer.connect(flavour, server().url);
      await named.query("CREATE DATABASE `left ``behind`; CREATE USER 'left''behind'@'%'");
      await named.query("SET GLOBAL binlog_row_image = 'MINIMAL'; SET GLOBAL max_connections = 77");
      await named.stop();
      expect(await variable()).toEqual(found);
      expect(await server().query("SHOW DATABASES LIKE 'left%'")).toEqual([]);
      expect(await server().query("SELECT User FROM mysql.user WHERE User LIKE 'left%'")).toEqual([]);
    });

    test('keeps its grants: a user may do what was granted, and nothing else', async () => {
      await server().query("CREATE DATABASE IF NOT EXISTS granted; CREATE USER reader@'%' IDENTIFIED BY 'secret'");
      await server().query("GRANT SELECT ON granted.* TO reader@'%'");
      const reader = await server().connection({ user: 'reader', password: 'secret' });
      await expect(reader.query('CREATE TABLE granted.forbidden (id int)')).rejects.toMatchObject({
        code: 'ER_TABLEACCESS_DENIED_ERROR',
      });
      await reader.end();
      await expect(server().connection({ user: 'reader', password: 'wrong' })).rejects.toMatchObject({
        code: 'ER_ACCESS_DENIED_ERROR',
      });
    });

    test('comes back after a SIGKILL on the same port with every committed row', async () => {
      await server().query('CREATE DATABASE kept; CREATE TABLE kept.t (id int primary key) ENGINE=InnoDB');
      await server().query('INSERT INTO kept.t VALUES (1), (2)');
      const { port, pid } = server();
      await server().kill();
      expect(server().pid).toBeNull();
      await expect(server().query('SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await server().start();
      expect(server().port).toBe(port);
      expect(server().pid).not.toBe(pid);
      await expect(server().query('SELECT id FROM kept.t ORDER BY id')).resolves.toEqual([{ id: 1 }, { id: 2 }]);
    });

    test('restarts with other options, keeps its data and its server id', async () => {
      const settings = 'SELECT @@max_allowed_packet AS packet, @@server_id AS serverId';
      const [before] = await server().query<{ packet: number; serverId: number }>(settings);
      await server().restart({ options: ['--max-allowed-packet=2M'] });
      await expect(server().query(settings)).resolves.toEqual([
        { packet: 2 * 1024 * 1024, serverId: before?.serverId },
      ]);
    });
  },
  { owned: true },
);

describeServers(
  FLAVOURS,
  'test servers side by side',
  (server, flavour) => {
    test('a second server has its own port, folder and identity', async () => {
      await using second = await startServer(flavour, { owned: true });
      expect(second.port).not.toBe(server().port);
      expect(second.dataDir).not.toBe(server().dataDir);
      if (flavour === 'mysql') {
        const [first, other] = await Promise.all(
          [server(), second].map((one) => one.query('SELECT @@server_uuid AS uuid')),
        );
        expect(first).not.toEqual(other);
      }
    });

    test('stopping a server ends its process and removes its folder', async () => {
      const second = await startServer(flavour, { owned: true });
      const { pid, dataDir } = second;
      await second.stop();
      await second.stop();
      expect(isAlive(pid)).toBe(false);
      await expect(access(dirname(dataDir ?? ''))).rejects.toMatchObject({ code: 'ENOENT' });
    });

    test("a server in a caller's data folder leaves the data to the next server there", async () => {
      const folder = await mkdtemp(join(tmpdir(), 'tidings-given-'));
      const dataDir = join(folder, 'data');
      try {
        {
          await using first = await startServer(flavour, { dataDir });
          await first.query('CREATE DATABASE handed_on');
        }
        await using next = await startServer(flavour, { dataDir });
        await expect(next.query("SHOW DATABASES LIKE 'handed%'")).resolves.toHaveLength(1);
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test('options override the defaults', async () => {
      const options =
        flavour === 'mysql' ? ['--gtid-mode=OFF', '--enforce-gtid-consistency=OFF'] : ['--binlog-format=MIXED'];
      await using other = await startServer(flavour, { options });
      const sql = flavour === 'mysql' ? 'SELECT @@gtid_mode AS value' : 'SELECT @@binlog_format AS value';
      await expect(other.query(sql)).resolves.toEqual([{ value: flavour === 'mysql' ? 'OFF' : 'MIXED' }]);
    });

    test('an option the server does not know is reported with the end of its log', async () => {
      await expect(startServer(flavour, { options: ['--no-such-option'] })).rejects.toThrow(
        /ended while starting[^]*no-such-option/,
      );
    });

    test('a server dies and its folder goes when the process that started it is killed', async () => {
      const script = `
        const { startServer } = await import(${JSON.stringify(SUPPORT)});
        const server = await startServer(${JSON.stringify(flavour)}, { owned: true });
        console.log(JSON.stringify({ pid: server.pid, dataDir: server.dataDir }));
        setInterval(() => {}, 1000);`;
      const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const lines = createInterface({ input: owner.stdout });
      const [line] = (await once(lines, 'line')) as [string];
      const { pid, dataDir } = JSON.parse(line) as { pid: number; dataDir: string };
      expect(isAlive(pid)).toBe(true);
      owner.kill('SIGKILL');
      await vi.waitFor(
        async () => {
          expect(await isRunning(pid)).toBe(false);
          await expect(access(dirname(dataDir))).rejects.toMatchObject({ code: 'ENOENT' });
        },
        { timeout: 10_000 },
      );
    });
  },
  { owned: true },
);

function isAlive(pid: number | null): boolean {
  if (pid === null) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Like `isAlive`, but a process that only waits to be reaped by its new parent counts as gone. */
async function isRunning(pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=', '-p', String(pid)]).catch(() => ({ stdout: 'Z' }));
  return !stdout.trim().startsWith('Z');
}
