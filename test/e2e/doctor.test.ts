import { expect, test } from 'vitest';
import { runCommand } from '../support/cli-process.ts';
import { describeServers } from '../support/servers/describe-server.ts';

describeServers(['mariadb', 'mysql'], 'tidings doctor', (server, flavour) => {
  const url = (account: string): string => server().url.replace(/\/\/[^@]*@/, `//${account}@`);

  test('an account that lacks privileges: exit code 1, errors first, and the statements that it prints cure them', async () => {
    await server().query(`CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY);
      CREATE USER sick@'%' IDENTIFIED BY 's3cret-word'`);
    const args = ['doctor', url('sick:s3cret-word'), '--tables', 'shop.*'];
    const before = await runCommand(args);
    expect(before.code).toBe(1);
    expect(before.lines[0]).toMatch(/^error {4}PRIVILEGES {2}/);
    expect(before.stdout).toMatch(/^error {4}TABLES {2}/m);
    expect(before.stdout).toMatch(/^ok {7}BINLOG {2}/m);
    expect(before.stdout + before.stderr).not.toContain('s3cret-word');
    expect(before.stderr).toBe('');
    for (const [, statement = ''] of before.stdout.matchAll(/^ +cure: (GRANT .*;)$/gm)) await server().query(statement);
    const after = await runCommand(args);
    expect({ code: after.code, summary: after.lines.at(-1) }).toEqual({
      code: 0,
      summary: expect.stringMatching(/^0 errors, \d+ warnings?, \d+ ok$/) as string,
    });
  });

  test('warnings alone leave the exit code at 0', async () => {
    await server().query("SET GLOBAL binlog_row_image = 'MINIMAL'");
    const cli = await runCommand(['doctor', server().url]);
    await server().query("SET GLOBAL binlog_row_image = 'FULL'");
    expect(cli.code).toBe(0);
    expect(cli.stdout).toMatch(/^warning {2}ROW_IMAGE {2}/m);
    expect(cli.stdout).toContain(`cure: SET ${flavour === 'mysql' ? 'PERSIST' : 'GLOBAL'} binlog_row_image = 'FULL';`);
  });

  test('a wrong password is a finding with a cure, and exit code 1', async () => {
    const cli = await runCommand(['doctor', url('root:s3cret-word')]);
    expect(cli.code).toBe(1);
    expect(cli.stdout).toMatch(/^error {4}CONNECTION {2}.*denied/im);
    expect(cli.stdout).toMatch(/cure: CREATE USER/);
    expect(cli.stdout + cli.stderr).not.toContain('s3cret-word');
  });

  test('a pattern that is none is the caller’s mistake: exit code 2, and nothing on stdout', async () => {
    const cli = await runCommand(['doctor', server().url, '--tables', 'a.b.c']);
    expect({ code: cli.code, stdout: cli.stdout }).toEqual({ code: 2, stdout: '' });
    expect(cli.stderr).toContain('a.b.c');
  });
});
