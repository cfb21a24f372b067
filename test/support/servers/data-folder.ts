import { constants } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exists } from './exists.ts';
import { progress } from './flavour.ts';
import { CACHE_FOLDER, type Installation, rootOptions } from './installation.ts';
import { withMachineLock } from './machine-lock.ts';
import { runCommand } from './run-command.ts';

/** Raise it when the way of initialising changes: templates made in the old way are then left alone. */
const RECIPE = 1;

/** Makes a fresh data folder at `path` by copying one that was initialised once: a tenth of a second instead of seconds. */
export async function createDataFolder(installation: Installation, path: string): Promise<void> {
  await cp(await prepareTemplate(installation), path, { recursive: true, mode: constants.COPYFILE_FICLONE });
}

/** Initialises the template unless that was done before; returns its path. */
export async function prepareTemplate(installation: Installation): Promise<string> {
  const { flavour, version } = installation;
  const template = join(CACHE_FOLDER, 'templates', `${flavour}-${version}-${RECIPE}`);
  if (await exists(template)) return template;
  return await withMachineLock(template, async () => {
    if (await exists(template)) return template;
    progress(flavour, `${version}: initialising an empty database (once)`);
    const partial = `${template}.partial-${process.pid}`;
    await mkdir(partial, { recursive: true });
    try {
      await (flavour === 'mariadb' ? initialiseMariadb(installation, partial) : initialiseMysql(installation, partial));
      await rename(partial, template);
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
    return template;
  });
}

/** What makes initialising quick and its result small; the started server grows its log again. */
const COMMON_OPTIONS = ['--innodb-use-native-aio=0', '--innodb-flush-log-at-trx-commit=0'];

/**
 * Runs the server's own SQL scripts. They give root an empty password on localhost and the loopback addresses, as long as
 * `@auth_root_socket` is null; grants are in force afterwards.
 */
async function initialiseMariadb({ command, shareFolder }: Installation, folder: string): Promise<void> {
  // Since 11.8 they are called after MariaDB.
  const prefix = (await exists(join(shareFolder, 'mariadb_system_tables.sql'))) ? 'mariadb' : 'mysql';
  const names = ['system_tables', 'performance_tables', 'system_tables_data', 'sys_schema'];
  const scripts = await Promise.all(
    names.map((name) => readFile(join(shareFolder, `${prefix}_${name}.sql`), 'utf8').catch(() => '')),
  );
  if (scripts[0] === '') throw new Error(`${prefix}_system_tables.sql is missing in ${shareFolder}`);
  const input = [
    'CREATE DATABASE mysql;',
    'USE mysql;',
    'SET @auth_root_socket = NULL;',
    'SET @skip_auth_anonymous = 1;',
    ...scripts,
    "DELETE FROM mysql.global_priv WHERE Host NOT IN ('localhost', '127.0.0.1', '::1');",
    "DELETE FROM mysql.proxies_priv WHERE Host NOT IN ('localhost', '127.0.0.1', '::1');",
    '',
  ].join('\n');
  const [program, ...args] = command;
  const options = ['--bootstrap', `--datadir=${folder}`, '--innodb-log-file-size=4M', '--log-warnings=0'];
  await runCommand(program, [...args, ...rootOptions(), ...options, ...COMMON_OPTIONS], { input });
}

async function initialiseMysql({ command }: Installation, folder: string): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'tidings-init-'));
  try {
    const script = join(scratch, 'init.sql');
    // Each statement on a line of its own: that is how an init file is read.
    await writeFile(
      script,
      "CREATE USER root@'127.0.0.1' IDENTIFIED BY '';\nGRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\nGRANT PROXY ON ''@'' TO root@'127.0.0.1' WITH GRANT OPTION;\n",
    );
    const [program, ...args] = command;
    const options = [
      '--initialize-insecure',
      `--init-file=${script}`,
      `--datadir=${folder}`,
      '--loose-innodb-redo-log-capacity=8M',
    ];
    await runCommand(program, [...args, ...rootOptions(), ...options, ...COMMON_OPTIONS]);
    await rm(join(folder, 'auto.cnf'), { force: true }); // Holds the server's UUID: each copy must make its own.
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
