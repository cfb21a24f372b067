import { describe, expect, test } from 'vitest';
import { CliProcess, runCommand } from '../support/cli-process.ts';
import { describeServers } from '../support/servers/describe-server.ts';

describeServers(['mariadb', 'mysql'], 'tidings tail', (server) => {
  const all = (...args: readonly string[]): string[] => ['tail', server().url, '--from', 'earliest', ...args];
  const drain = (...args: readonly string[]): string[] => all('--until', 'now', ...args);

  test('prints every change that is there, as JSON lines and nothing else, and exits with 0', async () => {
    await server().query(`
      CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(20), total DECIMAL(10,2));
      INSERT INTO shop.orders VALUES (1, 'new', 9.9), (2, 'näw 🎉', NULL);
      UPDATE shop.orders SET status = 'paid' WHERE id = 1;
      DELETE FROM shop.orders WHERE id = 2`);
    const cli = await runCommand(drain('--tables', 'shop.*'));
    expect(cli.code).toBe(0);
    const rows = cli.json
      .filter(({ op }) => op !== 'schema')
      .map(({ op, key, before, after }) => ({ op, key, before, after }));
    const first = { id: 1, status: 'new', total: '9.90' };
    const second = { id: 2, status: 'näw 🎉', total: null };
    expect(rows).toEqual([
      { op: 'insert', key: { id: 1 }, before: null, after: first },
      { op: 'insert', key: { id: 2 }, before: null, after: second },
      { op: 'update', key: { id: 1 }, before: first, after: { ...first, status: 'paid' } },
      { op: 'delete', key: { id: 2 }, before: second, after: null },
    ]);
  });

  test('resuming at the position of any line misses nothing behind it, and at the last line of a transaction repeats nothing', async () => {
    await server().query(`
      CREATE DATABASE steps; CREATE TABLE steps.t (id INT PRIMARY KEY);
      INSERT INTO steps.t VALUES (1), (2), (3);
      START TRANSACTION; INSERT INTO steps.t VALUES (4); INSERT INTO steps.t VALUES (5); COMMIT;
      INSERT INTO steps.t VALUES (6)`);
    const select = ['--tables', 'steps.*', '--until', 'now'];
    const whole = await runCommand(all(...select));
    const rows = whole.json.filter(({ op }) => op === 'insert');
    expect(rows).toHaveLength(6);
    const restOf = [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], [4, 5, 6], [4, 5, 6], [6], []];
    for (const [index, { pos }] of rows.entries()) {
      const again = await runCommand(['tail', server().url, '--from', String(pos), ...select]);
      expect(again.code).toBe(0);
      expect(again.json.filter(({ op }) => op === 'insert').map(({ key }) => (key as { id: number }).id)).toEqual(
        restOf[index],
      );
    }
  });

  test("Meepo's seven statements print its thirteen lines", async () => {
    await server().query(`
      CREATE DATABASE meepo; USE meepo;
      CREATE TABLE test (id INT AUTO_INCREMENT PRIMARY KEY, data VARCHAR(255));
      INSERT INTO test (data) VALUES ('a');
      INSERT INTO test (data) VALUES ('b'), ('c'), ('d');
      UPDATE test SET data = 'aa' WHERE id = 1;
      UPDATE test SET data = 'bb' WHERE id = 2;
      UPDATE test SET data = 'cc' WHERE id != 1;
      DELETE FROM test WHERE id != 1;
      DELETE FROM test WHERE id = 1`);
    const cli = await runCommand(drain('--tables', 'meepo.*', '--format', 'keys'));
    expect(cli.lines.join(', ')).toBe(
      'test_write 1, test_write 2, test_write 3, test_write 4, ' +
        'test_update 1, test_update 2, test_update 2, test_update 3, test_update 4, ' +
        'test_delete 2, test_delete 3, test_delete 4, test_delete 1',
    );
  });

  test('with --snapshot prints the rows that exist, and with --until now ends when it has all of them', async () => {
    await server().query(`CREATE DATABASE stock; CREATE TABLE stock.a (id INT PRIMARY KEY, v VARCHAR(20));
      CREATE TABLE stock.b (k VARCHAR(10) PRIMARY KEY)`);
    const values = Array.from({ length: 2500 }, (_, i) => `(${i}, 'v${i}')`);
    await server().query(`INSERT INTO stock.a VALUES ${values.join()}; INSERT INTO stock.b VALUES ('x'), ('Y')`);
    const cli = await runCommand(['tail', server().url, '--tables', 'stock.*', '--snapshot', '--until', 'now']);
    expect(cli.code).toBe(0);
    expect(cli.json).toHaveLength(2502);
    expect(cli.json.every(({ op, snapshot }) => op === 'upsert' && snapshot === true)).toBe(true);
    const ids = cli.json.filter(({ table }) => table === 'a').map(({ key }) => (key as { id: number }).id);
    expect(ids).toEqual(values.map((_, i) => i));

    const refused = await runCommand(['tail', server().url, '--snapshot', '--from', 'earliest']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--snapshot begins with the present rows');
  });

  test.each(['debezium', 'maxwell'])('prints %s lines with the row in them', async (format) => {
    await server().query(
      `CREATE DATABASE IF NOT EXISTS f_${format}; CREATE TABLE f_${format}.t (id INT PRIMARY KEY); INSERT INTO f_${format}.t VALUES (7)`,
    );
    const cli = await runCommand(drain('--tables', `f_${format}.*`, '--format', format));
    expect(cli.code).toBe(0);
    expect(cli.json).toMatchObject([
      format === 'debezium'
        ? { op: 'c', before: null, after: { id: 7 }, source: { db: 'f_debezium', table: 't' } }
        : { database: 'f_maxwell', table: 't', type: 'insert', data: { id: 7 }, commit: true },
    ]);
  });

  test('--count stops after exactly so many lines', async () => {
    await server().query(
      'CREATE DATABASE many; CREATE TABLE many.t (id INT PRIMARY KEY); INSERT INTO many.t VALUES (1), (2), (3), (4), (5)',
    );
    const cli = await runCommand(all('--tables', 'many.*', '--format', 'keys', '--count', '3'));
    expect({ code: cli.code, lines: cli.lines }).toEqual({ code: 0, lines: ['t_write 1', 't_write 2', 't_write 3'] });
  });

  describe('stopping', () => {
    test('Ctrl-C ends it with 0 and the position to go on from, where nothing is missed or repeated', async () => {
      await server().query(
        'CREATE DATABASE live; CREATE TABLE live.t (id INT PRIMARY KEY); INSERT INTO live.t VALUES (1)',
      );
      const args = ['--tables', 'live.*', '--format', 'keys'];
      await using cli = new CliProcess(all(...args));
      await cli.until(({ lines }) => lines.includes('t_write 1'));
      // Live: the next change arrives while it waits.
      await server().query('INSERT INTO live.t VALUES (2)');
      await cli.until(({ lines }) => lines.includes('t_write 2'));
      cli.signal('SIGINT');
      expect(await cli.exit()).toEqual({ code: 0, signal: null });
      await server().query('INSERT INTO live.t VALUES (3)');
      const next = await runCommand(['tail', server().url, ...args, '--from', cli.resumePosition, '--until', 'now']);
      expect([...cli.lines, ...next.lines]).toEqual(['t_write 1', 't_write 2', 't_write 3']);
    });

    test('SIGTERM does the same', async () => {
      await server().query(
        'CREATE DATABASE term; CREATE TABLE term.t (id INT PRIMARY KEY); INSERT INTO term.t VALUES (1)',
      );
      await using cli = new CliProcess(all('--tables', 'term.*', '--format', 'keys'));
      await cli.until(({ lines }) => lines.includes('t_write 1'));
      cli.signal('SIGTERM');
      expect(await cli.exit()).toEqual({ code: 0, signal: null });
    });

    test('a reader that goes away ends it quietly', async () => {
      await server().query(
        'CREATE DATABASE gone; CREATE TABLE gone.t (id INT PRIMARY KEY); INSERT INTO gone.t VALUES (1)',
      );
      await using cli = new CliProcess(all('--tables', 'gone.*', '--format', 'keys', '--log-level', 'warn'));
      await cli.until(({ lines }) => lines.includes('t_write 1'));
      cli.closeStdout();
      await server().query('INSERT INTO gone.t VALUES (2)');
      expect(await cli.exit()).toEqual({ code: 0, signal: null });
      expect(cli.stderr).toBe('');
    });

    test('a second Ctrl-C ends it at once, also while it waits for a reader that does not read', async () => {
      await server().query(`CREATE DATABASE stall; CREATE TABLE stall.t (id INT PRIMARY KEY, pad MEDIUMTEXT);
        INSERT INTO stall.t VALUES (1, REPEAT('x', 1000000)), (2, REPEAT('y', 1000000))`);
      await using cli = new CliProcess(all('--tables', 'stall.*', '--log-level', 'debug'), { stalled: true });
      // The pipe holds less than one of the two lines, so from now on it waits in the middle of a write.
      await cli.stdoutStarted();
      // Signals that follow closely are merged into one: repeated until it has had its second.
      const again = setInterval(() => cli.signal('SIGINT'), 100);
      try {
        expect(await cli.exit()).toEqual({ code: null, signal: 'SIGINT' });
      } finally {
        clearInterval(again);
      }
    });
  });

  describe('what goes wrong', () => {
    test('a wrong password is an error that does not show it', async () => {
      const url = server().url.replace(/\/\/[^@]*@/, '//nobody:s3cret-word@');
      const cli = await runCommand(['tail', url, '--log-level', 'debug']);
      expect(cli.code).toBe(1);
      expect(cli.stderr).toMatch(/^error [A-Z_]+: /m);
      expect(cli.stdout + cli.stderr).not.toContain('s3cret-word');
    });

    test('the password from the environment is used, and never shown', async () => {
      await server().query(`CREATE USER env_user@'%' IDENTIFIED BY 'p@ss/wörd 1'; GRANT ALL ON *.* TO env_user@'%'`);
      const url = server().url.replace(/\/\/[^@]*@/, '//env_user@');
      const cli = await runCommand(['tail', url, '--until', 'now', '--log-level', 'debug'], {
        env: { TIDINGS_PASSWORD: 'p@ss/wörd 1' },
      });
      expect(cli.stderr).not.toContain('p@ss');
      expect(cli.code).toBe(0);
    });

    test('a start that is no position, time or word exits with 2 and says what it may be', async () => {
      const cli = await runCommand(['tail', server().url, '--from', 'nonsense']);
      expect(cli.code).toBe(2);
      expect(cli.stderr).toMatch(/^error (CONFIG|POSITION)_INVALID: .*nonsense/m);
    });
  });

  test('doctor prints findings and exits with 0 or 1 by them', async () => {
    const cli = await runCommand(['doctor', server().url]);
    const lines = cli.lines;
    const errors = lines.filter((line) => line.startsWith('error ')).length;
    expect(lines.at(-1)).toMatch(/^\d+ errors?, \d+ warnings?, \d+ ok$/);
    expect(cli.code).toBe(errors === 0 ? 0 : 1);
    expect(cli.stderr).not.toContain('error ');
  });
});
